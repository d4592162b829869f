"""Models come from the hub whole, resume where they were interrupted, and each fault is told."""

from __future__ import annotations

import errno
import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import torch
from fake_hub import SHA, FakeHub, fake_hub
from huggingface_hub import constants
from job_contexts import RecordingContext, cancelled_at
from toy_models import save_toy_model

from sae_desktop.errors import JobCancelledError, UserError
from sae_desktop.language_model.config import (
    DescribeModelConfig,
    GetModelConfig,
    TrustModelConfig,
)
from sae_desktop.language_model.describe import describe_model
from sae_desktop.language_model.files import hub as hub_module
from sae_desktop.language_model.files.find import find_model
from sae_desktop.language_model.files.get import get_model
from sae_desktop.language_model.files.hub import cached_hub_models
from sae_desktop.language_model.files.trust import trust_model
from sae_desktop.language_model.load import load_model

NAME = "owner/toy"


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "hub-cache"


@pytest.fixture
def hub(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    monkeypatch.setattr(hub_module, "_SMALL", 1000)
    with fake_hub(cache, monkeypatch) as running:
        running.repos[NAME] = save_toy_model(tmp_path / "repo", hidden_size=16)
        yield running


def get(name: str = NAME, context: RecordingContext | None = None) -> Any:
    return get_model(GetModelConfig(name=name), context or RecordingContext())


def refused(name: str = NAME) -> UserError:
    with pytest.raises(UserError) as caught:
        get(name)
    assert caught.value.next_step
    return caught.value


def weights_of(hub: FakeHub) -> bytes:
    return (hub.repos[NAME] / "model.safetensors").read_bytes()


def blobs(cache: Path) -> Path:
    return cache / "models--owner--toy" / "blobs"


def test_get__brings_a_model_with_progress_and_its_digest(hub: FakeHub, cache: Path) -> None:
    context = RecordingContext()
    result = get(context=context)
    assert result.sha256 == hashlib.sha256(weights_of(hub)).hexdigest()
    assert result.path.endswith(SHA)
    assert (result.name, result.source) == (NAME, f"hub: {NAME}")
    done = [step[0] for step in context.steps if step[2] == "MB"]
    assert len(done) > 10
    assert done == sorted(done)
    assert context.steps[-1][0] == context.steps[-1][1] == len(weights_of(hub)) / 1e6
    lm = load_model(NAME)
    assert (lm.name, lm.width) == (NAME, 16)
    assert cached_hub_models() == {NAME: Path(result.path)}
    assert not list(blobs(cache).glob("*.incomplete"))


def test_model_on_this_machine__is_not_downloaded_again(hub: FakeHub) -> None:
    get()
    fetched = list(hub.fetched)
    assert "model.safetensors" in fetched
    assert get().name == NAME
    assert hub.fetched == fetched


def test_description__fetches_no_weights(hub: FakeHub) -> None:
    said = describe_model(DescribeModelConfig(model=NAME, ask_hub=True), RecordingContext())
    assert (said.layers, said.width, said.cached, said.disk_bytes) == (4, 16, False, 0)
    assert said.memory_bytes == 4 * said.parameters > 0
    assert "model.safetensors" not in hub.fetched


def test_cancelled_download__goes_on_where_it_ended(hub: FakeHub, cache: Path) -> None:
    with pytest.raises(JobCancelledError):
        get(context=cancelled_at(0.005, "MB"))
    (part,) = blobs(cache).glob("*.incomplete")
    begun = part.stat().st_size
    assert 0 < begun < len(weights_of(hub))
    assert get().sha256 == hashlib.sha256(weights_of(hub)).hexdigest()
    assert hub.ranges == [("model.safetensors", str(begun))]


def test_cancel__ends_the_librarys_own_download_within_a_file(hub: FakeHub, cache: Path) -> None:
    (hub.repos[NAME] / "notes.txt").write_text("note " * 20_000)
    context = RecordingContext(cancel_after=60)
    with pytest.raises(JobCancelledError):
        find_model(NAME, ask=True, context=context)
    assert context.checks < 100
    assert not list(cache.rglob("snapshots/*/notes.txt"))


def test_broken_connection__is_taken_up_again(hub: FakeHub) -> None:
    hub.cut_after["model.safetensors"] = 7000
    assert get().sha256 == hashlib.sha256(weights_of(hub)).hexdigest()
    assert [file for file, _ in hub.ranges] == ["model.safetensors"]
    assert 0 < int(hub.ranges[0][1]) <= 7000


def test_file_that_is_not_the_published_one__is_thrown_away(hub: FakeHub, cache: Path) -> None:
    hub.spoiled.add("model.safetensors")
    error = refused()
    assert "is not the file that was published" in error.what
    assert not list(blobs(cache).glob("*.incomplete"))
    hub.spoiled.clear()
    assert get().sha256 == hashlib.sha256(weights_of(hub)).hexdigest()


def test_safetensors__are_preferred_and_taken_once(hub: FakeHub) -> None:
    repo = hub.repos[NAME]
    (repo / "pytorch_model.bin").write_bytes(b"pickle" * 1000)
    shutil.copy(repo / "model.safetensors", repo / "consolidated.safetensors")
    (repo / "checkpoint").mkdir()
    shutil.copy(repo / "model.safetensors", repo / "checkpoint" / "model.safetensors")
    get()
    assert [f for f in hub.fetched if f.endswith((".bin", ".safetensors"))] == ["model.safetensors"]


def test_pickles__are_read_as_weights_only(hub: FakeHub, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    repo, marker = hub.repos[NAME], tmp_path / "ran"
    tensors = load_file(repo / "model.safetensors")
    (repo / "model.safetensors").unlink()
    torch.save(tensors, repo / "pytorch_model.bin")
    assert load_model(NAME, fetch=True).width == 16

    class Program:
        def __reduce__(self) -> Any:
            return (Path.touch, (marker,))

    other = Path(shutil.copytree(repo, tmp_path / "evil"))
    torch.save(tensors | {"x": Program()}, other / "pytorch_model.bin")
    with pytest.raises(UserError, match="cannot be opened"):
        load_model(str(other))
    assert not marker.exists()
    torch.load(other / "pytorch_model.bin", weights_only=False)
    assert marker.exists()  # so that it would have shown


def test_code__is_fetched_only_where_it_is_needed(hub: FakeHub) -> None:
    repo = hub.repos[NAME]
    (repo / "modeling_own.py").write_text("raise SystemExit('ran')")
    get()
    assert "modeling_own.py" not in hub.fetched
    config = json.loads((repo / "config.json").read_text())
    config |= {"model_type": "own", "auto_map": {"AutoConfig": "modeling_own.C"}}
    hub.repos["owner/own"] = Path(shutil.copytree(repo, repo.with_name("own")))
    (hub.repos["owner/own"] / "config.json").write_text(json.dumps(config))
    context = RecordingContext()
    get("owner/own", context)
    assert "modeling_own.py" in hub.fetched
    assert "not run without your consent: modeling_own.py" in context.lines[-1]


def test_code_of_the_hub__opens_the_model_once_it_is_trusted(
    hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    repo = hub.repos[NAME]
    config = json.loads((repo / "config.json").read_text())
    config |= {
        "model_type": "own_toy",
        "architectures": ["OwnForCausalLM"],
        "auto_map": {"AutoConfig": "own.OwnConfig", "AutoModelForCausalLM": "own.OwnForCausalLM"},
    }
    (repo / "config.json").write_text(json.dumps(config))
    (repo / "part.py").write_text("from transformers import LlamaConfig, LlamaForCausalLM\n")
    (repo / "own.py").write_text(
        "from .part import LlamaConfig, LlamaForCausalLM\n"
        "class OwnConfig(LlamaConfig):\n    model_type = 'own_toy'\n"
        "class OwnForCausalLM(LlamaForCausalLM):\n    config_class = OwnConfig\n"
    )
    with pytest.raises(UserError, match=r"own\.py, part\.py"):
        load_model(NAME, fetch=True)
    said = describe_model(DescribeModelConfig(model=NAME), RecordingContext())
    trust_model(TrustModelConfig(model=NAME, digest=said.code_digest), RecordingContext())
    assert type(load_model(NAME).model).__name__ == "OwnForCausalLM"


@pytest.mark.parametrize(
    ("status", "word", "what", "next_step"),
    [
        (403, "GatedRepo", "accepted its terms", "hf auth login"),
        (401, "RepoNotFound", "There is no model", "private model"),
        (404, "RepoNotFound", "There is no model", "spelling"),
        (403, "", "answered 403", "hf auth login"),
        (503, "", "unavailable: it answered 503", "a few minutes"),
    ],
)
def test_refusals_of_the_hub__are_explained(
    hub: FakeHub, status: int, word: str, what: str, next_step: str
) -> None:
    hub.refusals[NAME] = (status, word)
    error = refused()
    assert what in error.what
    assert next_step in error.next_step


def test_model_that_is_here__stays_usable_when_the_hub_refuses_it(hub: FakeHub) -> None:
    get()
    hub.refusals[NAME] = (403, "GatedRepo")
    assert get().name == NAME
    hub.refusals["owner/other"] = (403, "GatedRepo")
    assert "accepted its terms" in refused("owner/other").what


def test_missing_network__leaves_what_is_here_usable(
    hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    get()
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")  # where nothing listens
    assert get().name == NAME
    error = refused("owner/other")
    assert "is not on this machine, and the hub cannot be reached" in error.what


def test_half_a_model__is_told_from_none_where_the_hub_is_left_alone(
    hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    find_model(NAME, ask=True)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    error = refused()
    assert f"Only a part of “{NAME}” is on this machine, and HF_HUB_OFFLINE is set" in error.what
    assert "the rest" in error.kept
    assert "is not on this machine" in refused("owner/other").what


def test_disk_without_room__is_known_before_the_download(
    hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "free_bytes", lambda path: 20_000)
    error = refused()
    assert "does not fit on the disk" in error.what
    assert "20 kB are free" in error.what
    assert "model.safetensors" not in hub.fetched


def test_disk_that_fills__keeps_what_was_downloaded(
    hub: FakeHub, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Any, data: bytes) -> int:
        if self._file.tell() > 5000:
            raise OSError(errno.ENOSPC, "No space left on device")
        return int(self._file.write(data))

    with monkeypatch.context() as patched:
        patched.setattr(hub_module._Tap, "write", full)
        error = refused()
    assert "The disk is full" in error.what
    assert "kept" in error.kept
    assert next(blobs(cache).glob("*.incomplete")).stat().st_size >= 5000
    assert get().sha256 == hashlib.sha256(weights_of(hub)).hexdigest()
    assert len(hub.ranges) == 1


@pytest.mark.parametrize(
    "fault", [httpx2.ReadError("reset by peer"), ConnectionResetError(104, "reset by peer")]
)
def test_connection_that_stays_broken__keeps_what_was_downloaded(
    hub: FakeHub, cache: Path, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    def broken(self: Any, data: bytes) -> int:
        if self._file.tell() > 5000:
            raise fault
        return int(self._file.write(data))

    with monkeypatch.context() as patched:
        patched.setattr(hub_module._Tap, "write", broken)
        error = refused()
    assert "was interrupted" in error.what
    assert "reset by peer" in error.what
    assert "where it stopped" in error.next_step
    assert next(blobs(cache).glob("*.incomplete")).stat().st_size >= 5000


def test_model_of_gguf_files_alone__names_one(hub: FakeHub) -> None:
    repo = hub.repos[NAME]
    (repo / "model.safetensors").rename(repo / "model.Q4_0.gguf")
    error = refused()
    assert "only .gguf files such as model.Q4_0.gguf" in error.what
