"""The catalogue of public dictionaries, and what comes of the hub, checked and resumed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from fake_hub import FakeHub, fake_hub
from job_contexts import RecordingContext

from sae_desktop.dictionary import Dictionary, load
from sae_desktop.dictionary.formats import sparsify
from sae_desktop.errors import UserError
from sae_desktop.exchange.config import FindDictionariesConfig, ImportDictionaryConfig
from sae_desktop.exchange.dictionaries import find_dictionaries, import_dictionary
from sae_desktop.exchange.gallery import Family, catalogue, layers_text, matching
from sae_desktop.exchange.here import cached_repositories, dictionaries_in_projects
from sae_desktop.language_model.files.hub import fetch_files
from sae_desktop.language_model.sites.site_names import parse_site
from sae_desktop.project import Project

REPOSITORY = "someone/dictionaries"


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "hub"


@pytest.fixture
def hub(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    with fake_hub(cache, monkeypatch) as running:
        yield running


@pytest.fixture
def published(hub: FakeHub, tmp_path: Path) -> Dictionary:
    """A repository with two dictionaries of sparsify's, of some megabytes each."""
    generator = torch.Generator().manual_seed(1)
    own = Dictionary(
        torch.randn(64, 5000, generator=generator), torch.zeros(5000),
        torch.nn.functional.normalize(torch.randn(5000, 64, generator=generator)),
        torch.zeros(64), k=5,
    )  # fmt: skip
    for layer in (2, 3):
        folder = tmp_path / "repo" / f"layers.{layer}"
        folder.mkdir(parents=True)
        sparsify.write(own, folder)
    hub.repos[REPOSITORY] = tmp_path / "repo"
    return own


def family(**settings: object) -> Family:
    given: dict[str, object] = {
        "name": "Theirs", "repository": REPOSITORY, "format": "sparsify", "model": "builtin",
        "hook": "hook_resid_post", "features": 5000, "width": 64, "architecture": "topk",
        "licence": "mit", "dictionaries": {"2": "layers.2", "3": "layers.3"},
    }  # fmt: skip
    return Family(**(given | settings))  # type: ignore[arg-type]


# ---------------------------------------------------------------- the catalogue
def test_catalogue__names_sites_and_sources_that_can_be(cache: Path) -> None:
    families = catalogue()
    assert len(families) >= 15
    sources = [f.source(layer) for f in families for layer in f.layers]
    assert len(set(sources)) == len(sources)
    for one in families:
        assert one.repository.count("/") == 1
        assert one.model.count("/") == 1
        for layer in one.layers:
            assert parse_site(one.site(layer)).layer == layer
            assert one.hook_out == "" or parse_site(one.site_out(layer)).layer == layer
        assert one.features == 0 or 1e6 < one.bytes < 1e10


def test_catalogue__is_searched_by_words() -> None:
    found = matching(catalogue(), "gemma-2-2b TRANSCODERS")
    assert [f.name for f in found] == ["Gemma Scope, transcoders"]
    assert matching(catalogue(), "no such model") == []
    assert layers_text([0, 1, 2]) == "0–2"
    assert layers_text([9, 20]) == "9, 20"
    assert layers_text([4]) == "4"


# ---------------------------------------------------------------- the hub
def test_import__brings_one_folder_of_a_repository(
    hub: FakeHub, published: Dictionary, project: Project
) -> None:
    own = family()
    assert not own.is_here(3)
    config = ImportDictionaryConfig(
        project=str(project.path), name="new", source=own.source(3), model="someone/model"
    )
    result = import_dictionary(config, RecordingContext())
    assert (result.site, result.features) == ("blocks.3.hook_resid_post", 5000)
    x = torch.randn(20, 64)
    ours = load(project.dictionary_path("new"))
    torch.testing.assert_close(ours.encode(x), published.encode(x), rtol=1e-4, atol=1e-4)
    assert own.is_here(3)
    assert not own.is_here(2)  # only what was asked for
    assert not [name for name in hub.fetched if "layers.2" in name and "safetensors" in name]


def test_import__goes_on_where_a_download_broke_off(
    hub: FakeHub, published: Dictionary, project: Project
) -> None:
    weights = "layers.3/sae.safetensors"
    hub.cut_after[weights] = 500_000
    config = FindDictionariesConfig(source=f"{REPOSITORY}/layers.3")
    found = find_dictionaries(config, RecordingContext())
    assert [one.features for one in found.dictionaries] == [5000]
    assert [int(place) > 0 for name, place in hub.ranges if name == weights] == [True]


def test_import__refuses_what_is_not_what_was_published(
    hub: FakeHub, published: Dictionary, project: Project
) -> None:
    hub.spoiled.add("layers.3/sae.safetensors")
    config = ImportDictionaryConfig(
        project=str(project.path), name="new", source=f"{REPOSITORY}/layers.3", model="a/b"
    )
    with pytest.raises(UserError, match=r"sae\.safetensors"):
        import_dictionary(config, RecordingContext())
    assert project.dictionaries() == []


def test_import__refuses_what_is_not_what_the_catalogue_means(
    hub: FakeHub, published: Dictionary, project: Project
) -> None:
    own = family(digests={"3": "0" * 64})
    config = ImportDictionaryConfig(
        project=str(project.path), name="new", source=own.source(3), model=own.model,
        sha256=own.digests["3"],
    )  # fmt: skip
    with pytest.raises(UserError, match=r"“sae\.safetensors” is not the expected file"):
        import_dictionary(config, RecordingContext())
    assert project.dictionaries() == []


def test_here__names_other_projects_and_repositories_outside_the_catalogue(
    hub: FakeHub, published: Dictionary, project: Project, tmp_path: Path
) -> None:
    source = f"{REPOSITORY}/layers.2"
    config = ImportDictionaryConfig(
        project=str(project.path), name="new", source=source, model="a/b"
    )
    import_dictionary(config, RecordingContext())
    (project.path / "dictionaries" / ".half.part").mkdir()
    (project.path / "dictionaries" / ".half.part" / "cfg.json").write_text("{}")
    broken = project.path / "dictionaries" / "broken"
    broken.mkdir()
    (broken / "cfg.json").write_text("[1]")
    (one,) = dictionaries_in_projects([tmp_path / "gone", project.path])
    assert (one.name, one.model, one.site) == ("new", "a/b", "blocks.2.hook_resid_post")
    assert (one.features, one.place) == (5000, str(project.path))
    other = Project.open_or_create(tmp_path / "other.saeproj")
    again = ImportDictionaryConfig(project=str(other.path), name="copy", source=one.source)
    assert import_dictionary(again, RecordingContext()).site == one.site
    hub.repos["someone/model"] = tmp_path / "model"
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    fetch_files("someone/model", ["*.json"], context=RecordingContext())
    (cached,) = cached_repositories()
    assert cached.source == REPOSITORY
    assert cached.bytes > 2_000_000
    assert cached_repositories([REPOSITORY]) == []


def test_import__without_a_network_reads_what_is_here(
    hub: FakeHub, published: Dictionary, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = f"{REPOSITORY}/layers.2"
    find_dictionaries(FindDictionariesConfig(source=source), RecordingContext())
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    before = list(hub.fetched)
    found = find_dictionaries(FindDictionariesConfig(source=source), RecordingContext())
    assert [one.site for one in found.dictionaries] == ["blocks.2.hook_resid_post"]
    assert hub.fetched == before
    other = FindDictionariesConfig(source=f"{REPOSITORY}/layers.3")
    with pytest.raises(UserError, match="is on this machine, and HF_HUB_OFFLINE"):
        find_dictionaries(other, RecordingContext())
    with pytest.raises(UserError, match="someone/nothing"):
        find_dictionaries(FindDictionariesConfig(source="someone/nothing"), RecordingContext())
