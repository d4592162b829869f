"""What is missing, damaged or strange in what an index is made of; and the same text probed."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from job_contexts import RecordingContext
from toy_index import SITE, make_toy_index

from sae_desktop.activations.config import HarvestConfig
from sae_desktop.activations.harvest import harvest
from sae_desktop.activations.store import ActivationStore
from sae_desktop.errors import UserError
from sae_desktop.features.asking.probe import probe
from sae_desktop.features.building.index import build_index
from sae_desktop.features.building.merge import merge_indexes
from sae_desktop.features.config import IndexConfig, MergeIndexesConfig, ProbeConfig
from sae_desktop.features.reading.firing_files import unfinished_folder
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.jobs import SilentContext
from sae_desktop.project import Project

SILENT = SilentContext()
STRANGE = "A\u202eb\u2066c\u200f \x1b[31m red \x07 \ufeff \u2028 end"


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory, toy_model_folder: Path) -> Project:
    return make_toy_index(tmp_path_factory.mktemp("bad"), toy_model_folder)


@pytest.fixture
def project(toy: Project, tmp_path: Path) -> Project:
    shutil.copytree(toy.path, tmp_path / "p")
    return Project.open(tmp_path / "p")


def index(project: Project, name: str = "new", **settings: object) -> FeatureIndex:
    config = IndexConfig(
        project=str(project.path), dictionary="d", name=name, map=False, neuron_rows=0, **settings
    )
    build_index(config, SILENT)
    return FeatureIndex(project.index_path(name))


def harvest_text(project: Project, model: Path, text: str) -> None:
    """Harvest one document into a store “one”."""
    corpus = project.path.parent / "one.jsonl"
    corpus.write_text(json.dumps({"text": text}))
    config = HarvestConfig(
        project=str(project.path), name="one", model=str(model), corpus=str(corpus), site=SITE,
        tokens=1000, context_size=64, batch_tokens=128,
    )  # fmt: skip
    harvest(config, SILENT)


def assert_nothing_new(project: Project, name: str = "new") -> None:
    path = project.index_path(name)
    assert not path.exists()
    assert not unfinished_folder(path).exists()


@pytest.mark.parametrize("trained_with_bos", [False, None, True])
def test_windows_that_began_otherwise__are_told(
    project: Project, trained_with_bos: bool | None
) -> None:
    store = ActivationStore.open(project.store_path("acts"))
    path = project.dictionary_path("d") / "cfg.json"
    cfg = json.loads(path.read_text())
    cfg["metadata"]["prepend_bos"] = trained_with_bos
    path.write_text(json.dumps(cfg))
    config = IndexConfig(
        project=str(project.path), dictionary="d", name="new", map=False, neuron_rows=0
    )
    context = RecordingContext()
    build_index(config, context)
    told = [line for line in context.lines if "BOS" in line]
    differs = trained_with_bos not in (None, store.info.bos_prepended)
    assert len(told) == differs
    assert not differs or "trained on windows without BOS" in told[0]


def test_probe__finds_what_an_index_of_the_same_text_holds(
    project: Project, toy_model_folder: Path
) -> None:
    text = "In the beginning: 人 def add(x)"
    harvest_text(project, toy_model_folder, text)
    firings = index(project, "one", activations="one").firings()
    assert firings is not None
    (block,) = firings.by_row(firings.rows)
    rows = np.repeat(np.arange(firings.rows), np.diff(block.offsets))
    held = dict(zip(zip(rows, block.features, strict=True), block.values, strict=True))
    asked = ProbeConfig(project=str(project.path), index="one", text=text, per_token=0)
    result = probe(asked, SILENT)
    probed = {(position, feature): value for position, feature, value in result.entries()}
    assert len(result.tokens) == firings.rows
    assert probed.keys() == held.keys()
    assert len(probed) > firings.rows
    for place, activation in probed.items():
        assert activation == pytest.approx(held[place], rel=5e-3, abs=1e-3)


def test_index__of_a_text_with_control_and_bidirectional_characters_is_read(
    project: Project, toy_model_folder: Path
) -> None:
    harvest_text(project, toy_model_folder, STRANGE)
    found = index(project, "one", activations="one")
    alive = np.flatnonzero(found.columns["firings"])
    assert len(alive)
    for feature in alive:
        assert found.contexts(int(feature))


def test_index__names_the_store_that_is_gone(project: Project) -> None:
    shutil.rmtree(project.store_path("acts"))
    with pytest.raises(UserError, match="acts"):
        index(project)
    assert_nothing_new(project)


def test_index__names_the_dictionary_that_is_gone(project: Project) -> None:
    shutil.rmtree(project.dictionary_path("d"))
    with pytest.raises(UserError, match="“d”"):
        index(project)
    assert_nothing_new(project)


@pytest.mark.parametrize("left", [0, 100, 5000])
def test_truncated_index__is_not_added_to_or_merged(project: Project, left: int) -> None:
    half = index(project, "half", shard="1/2")
    assert half.info.rows
    os.truncate(project.index_path("i"), left)
    with pytest.raises(UserError, match="damaged"):
        index(project, "i", add=True)
    config = MergeIndexesConfig(project=str(project.path), name="new", indexes=["half", "i"])
    with pytest.raises(UserError):
        merge_indexes(config, SILENT)
    assert_nothing_new(project)
    assert project.index_path("i").stat().st_size == left


def test_merge__of_two_dictionaries_is_refused(project: Project) -> None:
    shutil.copytree(project.dictionary_path("d"), project.dictionary_path("e"))
    weights = project.dictionary_path("e") / "sae_weights.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(bytes(data))
    index(project, "one", shard="1/2")
    config = IndexConfig(
        project=str(project.path), dictionary="e", name="two", shard="2/2", map=False,
        neuron_rows=0,
    )  # fmt: skip
    build_index(config, SILENT)
    merged = MergeIndexesConfig(project=str(project.path), name="new", indexes=["one", "two"])
    with pytest.raises(UserError, match="dictionar"):
        merge_indexes(merged, SILENT)
    assert_nothing_new(project)
