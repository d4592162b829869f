"""A dictionary and its model, got from a hub in one job."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from fake_hub import FakeHub, fake_hub
from job_contexts import RecordingContext, cancelled_at
from toy_models import save_toy_model

from sae_desktop.dictionary import Dictionary
from sae_desktop.dictionary.formats import sparsify
from sae_desktop.errors import JobCancelledError, UserError
from sae_desktop.exchange.config import ImportDictionaryConfig
from sae_desktop.exchange.dictionaries import import_dictionary
from sae_desktop.exchange.gallery import weights_here
from sae_desktop.language_model.files import hub as hub_module
from sae_desktop.project import Project

MODEL, DICTIONARIES = "someone/toy", "someone/dictionaries"
WEIGHTS = {"model.safetensors", "layer_1/sae.safetensors"}
LARGE = "layer_1/sae.safetensors"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """One that has a model of some megabytes, and a dictionary of its second layer."""
    generator = torch.Generator().manual_seed(1)
    features, width = 3000, 256
    own = Dictionary(
        torch.randn(width, features, generator=generator), torch.zeros(features),
        torch.nn.functional.normalize(torch.randn(features, width, generator=generator)),
        torch.zeros(width), k=5,
    )  # fmt: skip
    (tmp_path / "dictionaries" / "layer_1").mkdir(parents=True)
    sparsify.write(own, tmp_path / "dictionaries" / "layer_1")
    save_toy_model(tmp_path / "toy", hidden_size=width, intermediate_size=4 * width)
    with fake_hub(tmp_path / "cache", monkeypatch) as running:
        running.repos = {MODEL: tmp_path / "toy", DICTIONARIES: tmp_path / "dictionaries"}
        yield running


def asked(project: Project, name: str = "new", model: str = MODEL) -> ImportDictionaryConfig:
    return ImportDictionaryConfig(
        project=str(project.path), name=name, source=f"{DICTIONARIES}/layer_1", model=model,
        site="blocks.1.hook_resid_post", with_model=True,
    )  # fmt: skip


def test_get__brings_both_with_one_progress(hub: FakeHub, project: Project, tmp_path: Path) -> None:
    context = RecordingContext()
    result = import_dictionary(asked(project), context)
    assert (result.model, result.width) == (MODEL, 256)
    assert weights_here(MODEL)
    whole = sum((tmp_path / p).stat().st_size for p in ("toy/model.safetensors",
                                                        "dictionaries/" + LARGE))  # fmt: skip
    steps = [(done, total) for done, total, unit in context.steps if unit == "MB"]
    assert {total for _, total in steps} == {whole / 1e6}
    assert [done for done, _ in steps] == sorted(done for done, _ in steps)
    assert steps[-1][0] == steps[-1][1]
    assert {f"Downloading {name}" for name in WEIGHTS} <= set(context.doing)


def test_get__cancelled_in_the_second_file_resumes_there(hub: FakeHub, project: Project) -> None:
    first = (hub.repos[MODEL] / "model.safetensors").stat().st_size / 1e6
    with pytest.raises(JobCancelledError):
        import_dictionary(asked(project), cancelled_at(first + 1, "MB"))
    assert project.dictionaries() == []
    hub.fetched.clear()
    import_dictionary(asked(project), RecordingContext())
    assert project.dictionaries() == ["new"]
    assert "model.safetensors" not in hub.fetched  # it was here already
    assert [int(place) >= 900_000 for name, place in hub.ranges if name == LARGE] == [True]


def test_get__of_a_model_with_terms_downloads_nothing_large(hub: FakeHub, project: Project) -> None:
    hub.refusals[MODEL] = (403, "GatedRepo")
    with pytest.raises(UserError, match="accepted its terms"):
        import_dictionary(asked(project), RecordingContext())
    assert not WEIGHTS & set(hub.fetched)
    assert project.dictionaries() == []


def test_get__is_refused_before_a_download_where_both_do_not_fit(
    hub: FakeHub, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Room for either of them.
    monkeypatch.setattr(hub_module, "free_bytes", lambda _path: 7_000_000)
    with pytest.raises(UserError, match=f"“{MODEL}” and “{DICTIONARIES}” do not fit on the disk"):
        import_dictionary(asked(project), RecordingContext())
    assert not WEIGHTS & set(hub.fetched)


def test_get__without_a_network_takes_what_is_here(
    hub: FakeHub, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_dictionary(asked(project), RecordingContext())
    hub.fetched.clear()
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    import_dictionary(asked(project, "again"), RecordingContext())
    assert project.dictionaries() == ["again", "new"]
    assert hub.fetched == []


def test_get__asks_which_model(hub: FakeHub, project: Project) -> None:
    with pytest.raises(UserError, match="was not named"):
        import_dictionary(asked(project, model=""), RecordingContext())
    assert hub.fetched == []
