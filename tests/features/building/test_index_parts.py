"""Indexes built in parts, merged, added to, interrupted: all equal the one built at once."""

import itertools
import shutil
from pathlib import Path

import h5py
import msgspec
import numpy as np
import pytest
from job_contexts import RecordingContext
from toy_index import make_toy_index

from sae_desktop.deletion import delete_item
from sae_desktop.errors import UserError
from sae_desktop.features.building import collect
from sae_desktop.features.building.index import build_index
from sae_desktop.features.building.merge import merge_indexes
from sae_desktop.features.config import IndexConfig, MergeIndexesConfig
from sae_desktop.features.reading.firing_files import StoredFirings, group_paths
from sae_desktop.features.reading.firing_paths import firings_folder, unfinished_folder
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.jobs import SilentContext
from sae_desktop.project import Project

SILENT = SilentContext()


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory, toy_model_folder: Path) -> Project:
    return make_toy_index(tmp_path_factory.mktemp("parts"), toy_model_folder)


@pytest.fixture
def project(toy: Project, tmp_path: Path) -> Project:
    shutil.copytree(toy.path, tmp_path / "p")
    return Project.open(tmp_path / "p")


def asked(project: Project, name: str, **changes: object) -> IndexConfig:
    config = IndexConfig(project=str(project.path), dictionary="d", name=name, context_tokens=12)
    return msgspec.structs.replace(config, **changes)


def arrays_of(path: Path) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}
    with h5py.File(path) as file:
        file.visititems(
            lambda name, item: found.update({name: item[...]}) if hasattr(item, "shape") else None
        )
    return found


def assert_same_index(project: Project, name: str, other: str = "i") -> None:
    found, right = arrays_of(project.index_path(name)), arrays_of(project.index_path(other))
    assert found.keys() == right.keys()
    for key, values in right.items():
        if "neuron" in key:  # the model's own last bits differ from pass to pass
            assert np.allclose(found[key], values, atol=1e-5), key
        else:
            assert np.array_equal(found[key], values, equal_nan=values.dtype.kind == "f"), key
    infos = [FeatureIndex(project.index_path(n)).info for n in (name, other)]
    assert infos[0].texts == infos[1].texts
    assert infos[0].massive_rows == infos[1].massive_rows


@pytest.mark.parametrize("parts", [2, 3, 5])
def test_merged__equals_the_whole_array_for_array(project: Project, parts: int) -> None:
    names = [f"part{n}" for n in range(1, parts + 1)]
    for number, name in enumerate(names, start=1):
        build_index(asked(project, name, shard=f"{number}/{parts}"), SILENT)
    config = MergeIndexesConfig(project=str(project.path), name="all", indexes=names[::-1])
    merge_indexes(config, SILENT)
    assert_same_index(project, "all")
    assert FeatureIndex(project.index_path("all")).firings() is not None


def test_small_groups__give_the_index_of_one_group(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collect, "ENTRIES", 500)
    monkeypatch.setattr(collect, "_ROWS", 64)
    build_index(asked(project, "small"), SILENT)
    assert len(group_paths(firings_folder(project.index_path("small")))) > 5
    build_index(asked(project, "again"), SILENT)
    assert_same_index(project, "small", "again")


def test_added__equals_the_whole(project: Project) -> None:
    build_index(asked(project, "grown", rows=700), SILENT)
    assert FeatureIndex(project.index_path("grown")).info.rows <= 700
    build_index(asked(project, "grown", add=True), SILENT)
    assert_same_index(project, "grown")
    with pytest.raises(UserError, match="already"):
        build_index(asked(project, "grown", add=True), SILENT)
    assert FeatureIndex(project.index_path("grown")).firings() is not None


class _Interrupting(RecordingContext):
    """Ends the job as a kill would, at the n-th look for a cancel."""

    def __init__(self, looks: int) -> None:
        super().__init__()
        self._left = looks

    def check_cancelled(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise KeyboardInterrupt


class _InterruptingTheSecondPass(RecordingContext):
    def progress(self, done: float, total: float, unit: str, message: str = "") -> None:
        if unit == "features":
            raise KeyboardInterrupt


def test_interrupted__goes_on_behind_the_last_group(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collect, "ENTRIES", 500)
    monkeypatch.setattr(collect, "_ROWS", 64)
    build_index(asked(project, "right"), SILENT)
    for looks in (3, 4, 5, 6):
        with pytest.raises(KeyboardInterrupt):
            build_index(asked(project, "broken"), _Interrupting(looks))
        assert not project.index_path("broken").exists()
    path = unfinished_folder(project.index_path("broken"))
    before = {p: p.stat().st_mtime_ns for p in group_paths(path)}
    assert len(before) > 2
    with pytest.raises(KeyboardInterrupt):
        build_index(asked(project, "broken"), _Interrupting(1))
    assert all(p.stat().st_mtime_ns == t for p, t in before.items())
    rows = FeatureIndex(project.index_path("right")).info.rows
    for context in (_InterruptingTheSecondPass(), _Interrupting(0)):
        with pytest.raises(KeyboardInterrupt):
            build_index(asked(project, "broken"), context)
        assert StoredFirings.open(group_paths(path)).rows == rows
    build_index(asked(project, "broken"), SILENT)
    assert_same_index(project, "broken", "right")


def test_without_firings__an_index_is_read_but_not_added_to(project: Project) -> None:
    build_index(asked(project, "bare", rows=700, keep_firings=False), SILENT)
    path = project.index_path("bare")
    assert FeatureIndex(path).firings() is None
    assert not firings_folder(path).exists()
    with pytest.raises(UserError, match="did not keep its firings"):
        build_index(asked(project, "bare", add=True), SILENT)
    config = MergeIndexesConfig(project=str(project.path), name="x", indexes=["i", "bare"])
    with pytest.raises(UserError, match="did not keep its firings"):
        merge_indexes(config, SILENT)


def test_merge__refuses_the_same_rows_twice(project: Project) -> None:
    build_index(asked(project, "half", shard="1/2"), SILENT)
    config = MergeIndexesConfig(project=str(project.path), name="x", indexes=["i", "half"])
    with pytest.raises(UserError, match="same rows"):
        merge_indexes(config, SILENT)
    with pytest.raises(UserError, match="at least two"):
        merge_indexes(msgspec.structs.replace(config, indexes=["i", "i"]), SILENT)


def test_retrained_dictionary__is_told_from_the_one_that_was_indexed(project: Project) -> None:
    build_index(asked(project, "half", shard="1/2"), SILENT)
    weights = project.dictionary_path("d") / "sae_weights.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(bytes(data))
    with pytest.raises(UserError, match="trained again"):
        build_index(asked(project, "half", add=True), SILENT)


def test_truncated_firings__are_called_damaged(project: Project) -> None:
    path = group_paths(firings_folder(project.index_path("i")))[0]
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)
    with pytest.raises(UserError, match="damaged"):
        FeatureIndex(project.index_path("i")).firings()


@pytest.mark.parametrize("shard", ["0/2", "3/2", "1", "a/b", "1/2/3"])
def test_shard__that_is_none_is_refused(project: Project, shard: str) -> None:
    with pytest.raises(UserError, match="not part of a store"):
        build_index(asked(project, "x", shard=shard), SILENT)


def test_deleting__takes_the_firings_along(project: Project) -> None:
    delete_item(project, "index", "i")
    assert not firings_folder(project.index_path("i")).exists()
    assert project.indexes() == []


def test_quantile_buckets__hold_equally_many_firings(project: Project) -> None:
    build_index(asked(project, "q", bucket_scheme="quantile"), SILENT)
    index = FeatureIndex(project.index_path("q"))
    firings = index.firings()
    assert index.info.bucket_scheme == "quantile"
    assert firings is not None
    for block in firings.by_feature(1):
        values = np.sort(block.values)
        if len(values) < 20 or len(np.unique(values)) < len(values):
            continue
        edges = index.bucket_edges(block.first)
        counts = [((values > a) & (values <= b)).sum() for a, b in itertools.pairwise(edges)]
        assert max(counts) - min(counts) <= 1
