"""A set of another model, tokenizer or width is refused before anything is traced."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from made_sets import save_random_set
from tokenizers import Tokenizer
from toy_models import save_toy_model

from sae_desktop.circuits.config import EstimateTraceConfig, TraceConfig
from sae_desktop.circuits.tracing.estimate import estimate_trace
from sae_desktop.circuits.tracing.job import trace
from sae_desktop.dictionary.set_info import SetInfo, read_set_info, write_set_info
from sae_desktop.errors import UserError
from sae_desktop.jobs import SilentContext
from sae_desktop.language_model.load import load_model
from sae_desktop.language_model.same_model import say_same
from sae_desktop.project import Project

PROMPT = "In the beginning God created"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("belongs")
    save_toy_model(folder / "toy", num_hidden_layers=1)
    project = Project.open_or_create(folder / "p")
    save_random_set(project, "set", str(folder / "toy"), features=16)
    return project


def refused(project: Project, name: str) -> UserError:
    """Return the one error that both the estimate and the trace give."""
    settings: dict[str, Any] = {
        "project": str(project.path), "set": name, "prompt": PROMPT, "device": "cpu",
    }  # fmt: skip
    with pytest.raises(UserError) as told:
        estimate_trace(EstimateTraceConfig(**settings), SilentContext())
    with pytest.raises(UserError) as traced:
        trace(TraceConfig(name="g", **settings), SilentContext())
    assert told.value.what == traced.value.what
    assert project.graphs() == []
    return traced.value


def changed(project: Project, name: str, **changes: object) -> SetInfo:
    """Copy the set's info with changes, under another name of the same weights."""
    folder = project.set_path(name)
    if not folder.exists():
        folder.mkdir()
        (folder / "L00").symlink_to(project.set_path("set") / "L00")
    info = msgspec.structs.replace(read_set_info(project.set_path("set")), name=name, **changes)
    write_set_info(folder, info)
    return info


def other_vocabulary(folder: Path) -> str:
    """Give a model's folder a tokenizer that gives the same text other tokens."""
    path = folder / "tokenizer.json"
    told = msgspec.json.decode(path.read_bytes())
    told["model"]["merges"] = told["model"]["merges"][:8]
    path.write_bytes(msgspec.json.encode(told))
    assert Tokenizer.from_file(str(path)).encode(PROMPT).ids
    return str(folder)


def test_set__of_another_tokenizer_is_refused(project: Project) -> None:
    changed(project, "tokens", tokenizer_hash="0" * 32)
    error = refused(project, "tokens")
    assert "tokenizers differ" in error.what
    assert "make it again" in error.next_step


def test_set__whose_model_got_another_vocabulary_is_refused_whatever_was_said(
    project: Project,
) -> None:
    folder = project.path.parent / "toy2"
    save_toy_model(folder, num_hidden_layers=1)
    first = load_model(str(folder), "cpu")
    save_random_set(project, "vocabulary", str(folder), features=16)
    mark = first.mark
    other_vocabulary(folder)
    second = load_model(str(folder), "cpu")
    assert second.tokenizer_hash != first.tokenizer_hash
    assert second.encode(PROMPT) != first.encode(PROMPT)
    assert "tokenizers differ" in refused(project, "vocabulary").what
    say_same(project.path, mark, mark)
    error = refused(project, "vocabulary")
    assert "another tokenizer" in error.what
    assert error.next_step


def test_set__of_another_width_or_depth_is_refused(project: Project) -> None:
    folder = project.path.parent / "wide"
    save_toy_model(folder, num_hidden_layers=1, hidden_size=64, head_dim=16)
    changed(project, "narrow", model=str(folder), model_revision="", tokenizer_hash="")
    error = refused(project, "narrow")
    assert "reads 32 numbers and writes 32" in error.what
    assert "64 and 64" in error.what
    deep = save_random_set(
        project, "deep", str(save_toy_model(project.path.parent / "two", num_hidden_layers=2)),
        features=16,
    )  # fmt: skip
    told = msgspec.structs.replace(
        deep, model=str(project.path.parent / "toy"), model_revision="", tokenizer_hash=""
    )
    write_set_info(project.set_path("deep"), told)
    assert "layers up to 1, but" in refused(project, "deep").what
