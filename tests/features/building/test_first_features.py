"""The first features of an index: readable early, and gone into the whole without a trace."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import h5py
import msgspec
import numpy as np
import pytest
from job_contexts import RecordingContext
from toy_index import make_toy_index

from sae_desktop.errors import JobCancelledError, UserError
from sae_desktop.exchange.config import ExportPackageConfig
from sae_desktop.exchange.package import export_package
from sae_desktop.features.building import first_features
from sae_desktop.features.building.index import build_index
from sae_desktop.features.building.material import Material
from sae_desktop.features.building.merge import merge_indexes
from sae_desktop.features.config import FirstFeatures, IndexConfig, MergeIndexesConfig
from sae_desktop.features.reading.beside import names_path
from sae_desktop.features.reading.firing_paths import firings_folder, unfinished_folder
from sae_desktop.features.reading.index_file import read_info
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.features.reading.unfinished import finishing
from sae_desktop.jobs import SilentContext
from sae_desktop.project import Project

SILENT = SilentContext()
FIRST = 500


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory, toy_model_folder: Path) -> Project:
    """Its index “i” was made at once; without what takes long and is made of all firings alike."""
    project = make_toy_index(tmp_path_factory.mktemp("first"), toy_model_folder, indexed=False)
    build_index(asked(project, "i", first_rows=0), SILENT)
    return project


@pytest.fixture(scope="module")
def halfway(toy: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project whose index “new” was cancelled after its first features."""
    folder = tmp_path_factory.mktemp("halfway") / "p"
    shutil.copytree(toy.path, folder)
    project = Project.open(folder)
    cancel(project)
    return project


@pytest.fixture
def project(halfway: Project, tmp_path: Path) -> Project:
    shutil.copytree(halfway.path, tmp_path / "p")
    return Project.open(tmp_path / "p")


def asked(project: Project, name: str = "new", **changes: object) -> IndexConfig:
    config = IndexConfig(
        project=str(project.path), dictionary="d", name=name, context_tokens=12, first_rows=FIRST,
        map=False, neuron_rows=0,
    )  # fmt: skip
    return msgspec.structs.replace(config, **changes)


def cancel(project: Project) -> None:
    """Build an index and cancel it as soon as its first features are there."""
    context = RecordingContext()

    def end(_: int) -> None:
        if context.outputs:
            raise JobCancelledError

    context.on_check = end
    with pytest.raises(JobCancelledError):
        build_index(asked(project), context)


def content(path: Path) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}
    with h5py.File(path) as file:
        file.visititems(
            lambda name, item: found.update({name: item[...]}) if hasattr(item, "shape") else None
        )
    return found


def assert_same(path: Path, other: Path) -> None:
    found, right = content(path), content(other)
    assert found.keys() == right.keys()
    for key, values in right.items():
        assert np.array_equal(found[key], values, equal_nan=values.dtype.kind == "f"), key


def test_first_features__are_the_index_of_the_rows_read_so_far(project: Project) -> None:
    index = FeatureIndex(project.index_path("new"))
    whole = read_info(project.index_path("i")).rows
    assert FIRST <= index.info.rows < whole == index.info.whole_rows
    build_index(asked(project, "part", rows=index.info.rows, first_rows=0), SILENT)
    right = content(project.index_path("part"))
    found = content(project.index_path("new"))
    assert {"contexts/row", "logits/top_ids", "vocabulary/bytes"} <= found.keys()
    for key, values in found.items():
        assert np.array_equal(values, right[key], equal_nan=values.dtype.kind == "f"), key
    busiest = int(np.argmax(index.columns["firings"]))
    assert index.contexts(busiest)
    assert index.top_logits(busiest)
    assert index.names is None
    assert index.neighbours(busiest) == []
    assert index.firings() is None


@pytest.mark.parametrize("keep", [True, False])
def test_finished__equals_the_index_made_at_once(project: Project, keep: bool) -> None:
    path, right = project.index_path("new"), project.index_path("i")
    config = msgspec.structs.replace(finishing(project.path, path), keep_firings=keep)
    assert config.project == str(project.path)
    build_index(config, SILENT)
    assert_same(path, right)
    assert_same(names_path(path), names_path(right))
    assert read_info(path).whole_rows == 0
    assert firings_folder(path).exists() == keep
    assert not unfinished_folder(path).exists()


def test_made_in_one_go__equals_the_index_without_first_features(toy: Project) -> None:
    context = RecordingContext()
    build_index(asked(toy, "one"), context)
    assert_same(toy.index_path("one"), toy.index_path("i"))
    assert_same(names_path(toy.index_path("one")), names_path(toy.index_path("i")))
    told = context.outputs[0]
    assert isinstance(told, FirstFeatures)
    assert (told.name, told.whole_rows) == ("one", read_info(toy.index_path("i")).rows)
    assert any(f"from {told.rows:,} of" in line for line in context.lines)


def test_other_rows__are_finished_without_those_read_before(project: Project) -> None:
    """What is asked for decides, not what is there."""
    build_index(asked(project, rows=1000), SILENT)
    build_index(asked(project, "right", rows=1000, first_rows=0), SILENT)
    assert_same(project.index_path("new"), project.index_path("right"))


def test_what_needs_all_of_an_index__refuses_it_and_says_how_to_finish(project: Project) -> None:
    path, at = project.index_path("new"), str(project.path)
    before = path.read_bytes()
    package = project.path.parent / "d.saepack"
    for attempt in (
        lambda: build_index(asked(project, add=True), SILENT),
        lambda: merge_indexes(
            MergeIndexesConfig(project=at, name="all", indexes=["i", "new"]), SILENT
        ),
        lambda: export_package(
            ExportPackageConfig(project=at, dictionary="d", index="new", path=str(package)), SILENT
        ),
    ):
        with pytest.raises(UserError, match="is not finished") as refused:
            attempt()
        assert "finish-index" in refused.value.next_step
    assert path.read_bytes() == before
    assert not package.exists()
    assert unfinished_folder(path).exists()


def test_finishing__a_finished_index_is_refused(toy: Project) -> None:
    with pytest.raises(UserError, match="is finished"):
        finishing(toy.path, toy.index_path("i"))


def test_first_features__are_not_written_over_an_index_or_of_a_short_text(toy: Project) -> None:
    text = read_info(toy.index_path("i")).texts[0]
    material = Material(toy, asked(toy), None, "", [])  # type: ignore[arg-type]
    assert first_features.rows_of_first(material, text) == FIRST
    for config in (
        asked(toy, "i"),
        asked(toy, add=True),
        asked(toy, first_rows=text.rows // 2 + 1),
        asked(toy, first_rows=0),
    ):
        assert first_features.rows_of_first(replace(material, config=config), text) == 0


def test_without_names__those_of_the_index_before_go(project: Project) -> None:
    assert names_path(project.index_path("i")).exists()
    build_index(asked(project, "i", names=False), SILENT)
    assert not names_path(project.index_path("i")).exists()
    assert FeatureIndex(project.index_path("i")).names is None
