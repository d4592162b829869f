"""One model has one identity, however it came and wherever it lies; another has another."""

from __future__ import annotations

import json
import os
import shutil
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from job_contexts import RecordingContext
from safetensors.torch import load_file, save_file
from toy_models import save_toy_model

from sae_desktop.errors import UserError
from sae_desktop.features.asking import same_model as same_model_job
from sae_desktop.language_model import identity as identity_module
from sae_desktop.language_model.config import SameModelConfig
from sae_desktop.language_model.files.find import find_model
from sae_desktop.language_model.files.model_cache import digests_path
from sae_desktop.language_model.identity import identity_of, places_of, settings_text
from sae_desktop.language_model.load import load_model
from sae_desktop.language_model.names import (
    KNOWN,
    SMOLLM2,
    ModelMark,
    hub_name,
    origin_text,
    public_name,
    same_name,
)
from sae_desktop.language_model.same_model import (
    difference,
    load_recorded,
    require_same_model,
    say_same,
)
from sae_desktop.project import Project

HUB = KNOWN[SMOLLM2].hub


def text(folder: Path | str) -> str:
    return identity_of(find_model(str(folder))).text


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The models whose weights were read whole."""
    found: list[str] = []
    real = identity_module._read_weights

    def counted(files: object, context: object) -> str:
        found.append(files.name)  # type: ignore[attr-defined]
        return real(files, context)  # type: ignore[arg-type]

    monkeypatch.setattr(identity_module, "_read_weights", counted)
    return found


@pytest.fixture
def model(tmp_path: Path, toy_model_folder: Path) -> Path:
    return Path(shutil.copytree(toy_model_folder, tmp_path / "own"))


def test_same_model__has_one_identity_on_two_homes_and_in_other_files(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = text(model)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "second-home"))
    copy = Path(shutil.copytree(model, tmp_path / "elsewhere" / "copy"))
    config = json.loads((copy / "config.json").read_text())
    config |= {
        "_name_or_path": "/home/anna/.fetching-x1/m", "transformers_version": "4.1",
        "torch_dtype": "float16", "use_cache": False, "problem_type": None,
    }  # fmt: skip
    (copy / "config.json").write_text(json.dumps(config))
    assert text(copy) == first
    tensors = load_file(copy / "model.safetensors")
    names = sorted(tensors)
    save_file({n: tensors[n] for n in names[::2]}, copy / "model-2.safetensors")
    save_file({n: tensors[n] for n in names[1::2]}, copy / "model-1.safetensors")
    listed = {n: f"model-{2 - i % 2}.safetensors" for i, n in enumerate(names)}
    (copy / "model.safetensors.index.json").write_text(json.dumps({"weight_map": listed}))
    (copy / "model.safetensors").unlink()
    assert text(copy) == first
    pickled = tmp_path / "pickled"
    pickled.mkdir()
    shutil.copy(model / "config.json", pickled)
    torch.save(tensors, pickled / "pytorch_model.bin")
    assert text(pickled) == first


def test_changed_weights__are_another_model_even_of_the_same_size_and_time(
    model: Path, reads: list[str]
) -> None:
    first = load_model(str(model))
    assert reads == [str(model)]
    weights = model / "model.safetensors"
    before = weights.stat()
    tensors = load_file(weights)
    for name in tensors:
        if name.startswith("model.layers.2.mlp"):
            tensors[name] *= 3
    save_file(tensors, weights, metadata={"format": "pt"})
    os.utime(weights, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = weights.stat()
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    again = load_model(str(model))
    assert again is not first
    assert again.revision != first.revision
    assert again.mark.first == first.mark.first  # by which it could not be told
    assert "weights differ" in difference(first.mark, again.mark, model)


def test_settings_that_matter__make_another_model_of_the_same_weights(model: Path) -> None:
    first = ModelMark("m", text(model))
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps(config | {"rms_norm_eps": 0.01}))
    other = ModelMark("m", text(model))
    assert "settings" in difference(first, other, model)
    old = {"rope_theta": 5.0, "rope_scaling": {"type": "linear", "factor": 2.0}}
    new = {"rope_parameters": {"rope_theta": 5.0, "rope_type": "linear", "factor": 2.0}}
    assert settings_text(old) == settings_text(new) != settings_text(new | {"x": 1})


def test_weights__are_read_once_and_by_two_processes_at_once_kept_whole(
    tmp_path: Path, toy_model_folder: Path, reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    copies = [shutil.copytree(toy_model_folder, tmp_path / f"m{n}") for n in range(6)]
    threads = [threading.Thread(target=text, args=(copy,)) for copy in copies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(reads) == 6
    assert len({text(copy) for copy in copies}) == 1
    assert len(reads) == 6
    assert set(map(str, copies)) <= set(places_of(text(copies[0])))
    digests_path().write_bytes(b"{ broken")
    assert text(copies[0]) == text(copies[1])
    assert len(reads) == 8


def test_names__are_known_by_their_aliases(tmp_path: Path, model: Path) -> None:
    assert same_name("smollm2", "huggingfaceTB/SmolLM2-135M-Instruct")
    assert not same_name("smollm2", "builtin")
    cached = tmp_path / "models--owner--toy" / "snapshots" / "abc"
    assert hub_name(str(cached)) == "owner/toy"
    assert public_name("smollm2") == HUB
    assert public_name(str(model)) == "own"
    assert public_name("C:\\models\\mine") == "mine"
    (model / "origin.json").write_text(
        json.dumps({"source": f"package: {KNOWN[SMOLLM2].package}", "sha256": "ab" * 32})
    )
    assert hub_name(str(model)) == HUB
    assert "quantised to Q4_1" in origin_text(model)


def test_imported_name__fits_its_model_by_alias_by_identity_or_by_the_persons_word(
    tmp_path: Path, model: Path, toy_model_folder: Path
) -> None:
    project = tmp_path
    own = ModelMark(str(model), text(model))
    assert difference(ModelMark(HUB), ModelMark("smollm2", "model-1"), project) == ""
    assert difference(ModelMark(str(toy_model_folder)), own, project) == ""
    named = ModelMark("owner/toy")
    with pytest.raises(UserError, match="do not show whether") as caught:
        require_same_model("dictionary:d", named, "store:s", own, project)
    assert f"models same {project} dictionary:d store:s" in caught.value.next_step
    say_same(project, named, own)
    require_same_model("dictionary:d", named, "store:s", own, project)
    lm = load_recorded("index:i", named, project, "cpu", "auto")
    assert lm.revision == own.revision


def test_models_apart_in_their_tokenizers_alone__are_one_once_the_person_says_so(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = Project.open_or_create(tmp_path / "p.saeproj", title="p").path
    lm = load_model(str(model))
    stored = replace(lm.mark, tokenizer="0" * 16)
    with pytest.raises(UserError, match="their tokenizers differ"):
        require_same_model("store:s", stored, lm.name, lm.mark, project)
    marks = {"store:s": stored, lm.name: ModelMark(lm.name, lm.revision)}
    monkeypatch.setattr(same_model_job, "mark_of", lambda _, word: marks[word])
    config = SameModelConfig(project=str(project), one="store:s", other=lm.name)
    same_model_job.same_model(config, RecordingContext())
    require_same_model("store:s", stored, lm.name, lm.mark, project)


def test_projects_of_earlier_versions__go_on(tmp_path: Path, model: Path) -> None:
    here = load_model(str(model)).mark
    old = ModelMark(str(model), here.first)
    assert difference(old, here, tmp_path) == ""
    # A store of today, beside a dictionary of then: the model is found to compare them.
    assert difference(old, ModelMark(here.name, here.revision), tmp_path) == ""
    other = ModelMark(str(model), "0123456789abcdef")
    assert "files differ" in difference(other, here, tmp_path)
    # Of the fetched model that version's digest was of a temporary folder, too.
    assert difference(ModelMark("smollm2", "0123"), ModelMark(HUB, "model-1"), tmp_path) == ""


def test_moved_model__is_found_by_its_identity(tmp_path: Path) -> None:
    there = save_toy_model(tmp_path / "there", vocab_size=320, rms_norm_eps=0.002)
    mark = load_model(str(there)).mark
    here = Path(shutil.move(there, tmp_path / "here"))
    with pytest.raises(UserError, match="no model"):
        load_recorded("index:i", mark, tmp_path, "cpu", "auto")
    text(here)
    assert load_recorded("index:i", mark, tmp_path, "cpu", "auto").name == str(here)


@pytest.mark.real_model
def test_smollm2__is_one_model_in_the_cache_and_in_a_copy(tmp_path: Path) -> None:
    try:
        files = find_model(SMOLLM2)
    except UserError as error:
        pytest.skip(error.what)
    copy = Path(shutil.copytree(files.folder, tmp_path / "copy"))
    config = json.loads((copy / "config.json").read_text())
    config["_name_or_path"] = "/somewhere/else"
    (copy / "config.json").write_text(json.dumps(config))
    assert text(copy) == identity_of(files).text
    assert hub_name(str(copy)) == HUB
    weights = load_file(copy / "model.safetensors")
    weights["model.layers.7.mlp.up_proj.weight"][0, 0] += 1
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    assert text(copy) != identity_of(files).text


def test_of_places_with_the_same_weights__the_one_with_the_tokenizer_is_found(
    tmp_path: Path,
) -> None:
    there = save_toy_model(tmp_path / "there", vocab_size=320, rms_norm_eps=0.003)
    mark = load_model(str(there)).mark
    same = Path(shutil.copytree(there, tmp_path / "same"))
    other = Path(shutil.move(there, tmp_path / "other"))
    path = other / "tokenizer.json"
    told = json.loads(path.read_text())
    told["added_tokens"][0]["lstrip"] = not told["added_tokens"][0]["lstrip"]
    path.write_text(json.dumps(told))
    assert text(same) == mark.revision
    assert load_model(str(other)).mark.tokenizer != mark.tokenizer  # the last that was read
    assert load_recorded("index:i", mark, tmp_path, "cpu", "auto").name == str(same)
