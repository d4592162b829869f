"""What is exported or packed for others holds no path of this machine."""

from __future__ import annotations

import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from job_contexts import RecordingContext

from sae_desktop.dictionary import load
from sae_desktop.exchange.config import (
    ExportDictionaryConfig,
    ExportFeaturesConfig,
    ExportPackageConfig,
    ImportPackageConfig,
)
from sae_desktop.exchange.dictionaries import export_dictionary
from sae_desktop.exchange.features import export_features
from sae_desktop.exchange.package import export_package, import_package
from sae_desktop.exchange.package_notes import read_card
from sae_desktop.exchange.places import without_places
from sae_desktop.features.asking.opened import open_index
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.language_model.load import load_model
from sae_desktop.project import Project


@pytest.fixture
def told(small_project: Path, toy_model_folder: Path) -> list[bytes]:
    """Paths that nothing may carry: of the model, the corpus, the project."""
    project = Project.open(small_project)
    index = FeatureIndex(project.index_path("idx"))
    assert index.info.model == str(toy_model_folder)
    with h5py.File(project.index_path("idx"), "r+") as file:
        documents = file["documents"][:]
        documents["source"][0] = b"/home/anna/secret/texts.txt"
        file["documents"][:] = documents
    places = [str(toy_model_folder.parent), index.info.corpus, str(small_project), "/home/anna"]
    return [place.encode() for place in places if place.startswith("/")]


def files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize("form", ["saelens", "dictionary_learning", "html"])
def test_dictionary__is_exported_without_paths(
    small_project: Path, told: list[bytes], tmp_path: Path, form: str
) -> None:
    out = tmp_path / "out" / ("page.html" if form == "html" else form)
    out.parent.mkdir()
    config = ExportDictionaryConfig(
        project=str(small_project), dictionary="dict", path=str(out), format=form  # type: ignore[arg-type]
    )  # fmt: skip
    export_dictionary(config, RecordingContext())
    written = files_below(out.parent)
    assert written
    for path in written:
        assert not [place for place in told if place in path.read_bytes()], path.name


@pytest.mark.parametrize("form", ["neuronpedia", "saedashboard", "delphi", "html", "labels"])
def test_features__are_exported_without_paths(
    small_project: Path, told: list[bytes], tmp_path: Path, form: str
) -> None:
    import gzip

    ending = {"html": "page.html", "labels": "labels.csv"}.get(form, form)
    out = tmp_path / "out" / ending
    out.parent.mkdir()
    config = ExportFeaturesConfig(
        project=str(small_project), index="idx", path=str(out), format=form  # type: ignore[arg-type]
    )  # fmt: skip
    export_features(config, RecordingContext())
    for path in files_below(out.parent):
        data = path.read_bytes()
        data = gzip.decompress(data) if path.suffix == ".gz" else data
        assert not [place for place in told if place in data], path.name


def test_package__carries_no_path_and_finds_the_model_by_its_identity(
    small_project: Path, told: list[bytes], tmp_path: Path, toy_model_folder: Path
) -> None:
    file = tmp_path / "p.saepack"
    export_package(
        ExportPackageConfig(
            project=str(small_project), dictionary="dict", index="idx", path=str(file)
        ),
        RecordingContext(),
    )
    with zipfile.ZipFile(file) as archive:
        for name in archive.namelist():
            assert not [place for place in told if place in archive.read(name)], name
    card = read_card(file)
    lm = load_model(str(toy_model_folder))
    assert (card.model, card.model_revision) == (toy_model_folder.name, lm.revision)
    assert not list(tmp_path.glob(".package-*"))
    other = Project.open_or_create(tmp_path / "other")
    import_package(ImportPackageConfig(project=str(other.path), file=str(file)), RecordingContext())
    ours = FeatureIndex(Project.open(small_project).index_path("idx"))
    theirs = FeatureIndex(other.index_path("dict"))
    np.testing.assert_array_equal(theirs.tokens, ours.tokens)
    assert theirs.documents["source"][0] == b"texts.txt"
    # The model is on this machine, under a name that the package does not know.
    assert open_index(str(other.path), "dict").lm.revision == lm.revision
    weights = Project.open(small_project).dictionary_path("dict")
    assert (load(other.dictionary_path("dict")).W_dec == load(weights).W_dec).all()


def test_places__are_told_from_texts() -> None:
    data = {
        "model_name": "/data/models--owner--toy/snapshots/ab", "dataset_path": "C:\\texts\\a.txt",
        "config": '{"corpus":"/home/anna/x.csv","project":""}', "k": 3, "note": "a/b and ~c",
        "sites": ["blocks.0.hook_resid_post", "~/dicts/one"],
    }  # fmt: skip
    assert without_places(data) == {
        "model_name": "owner/toy", "dataset_path": "a.txt",
        "config": '{"corpus":"x.csv","project":""}', "k": 3, "note": "a/b and ~c",
        "sites": ["blocks.0.hook_resid_post", "one"],
    }  # fmt: skip
