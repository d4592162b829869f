"""The demonstration's set of transcoders: whole, named, and as good as it says."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
import torch
from shipped import demonstration

from sae_desktop.activations.config import HarvestConfig
from sae_desktop.activations.harvest import harvest
from sae_desktop.activations.store import ActivationStore
from sae_desktop.dictionary.sets import DictionarySet, load_set
from sae_desktop.features.reading.names_file import read_names
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.jobs import SilentContext
from sae_desktop.project import Project
from sae_desktop.training.measuring.metrics import measure_fit
from sae_desktop.training.set_config import SET_RESULT, TrainSetResult

NAME, LAYERS = "circuits", 6


@pytest.fixture(scope="module")
def shipped() -> Project:
    return demonstration()


@pytest.fixture(scope="module")
def opened(shipped: Project) -> DictionarySet:
    return load_set(shipped.set_path(NAME))


@pytest.fixture(scope="module")
def told(shipped: Project) -> TrainSetResult:
    data = (shipped.set_path(NAME) / SET_RESULT).read_bytes()
    return msgspec.json.decode(data, type=TrainSetResult)


def test_set__has_a_named_index_of_every_layer(shipped: Project, opened: DictionarySet) -> None:
    assert shipped.sets() == [NAME]
    assert opened.layers == list(range(LAYERS))
    assert opened.info.skip
    for member in opened.info.members:
        index = FeatureIndex(shipped.index_path(f"{NAME}.{member.name}"))
        assert index.info.dictionary_hash == member.digest
        assert index.info.site == member.reads
        assert index.features == member.features
        names = read_names(shipped.index_path(f"{NAME}.{member.name}"), index.info)
        assert names is not None


def test_set__rebuilds_what_the_mlps_write(
    opened: DictionarySet, told: TrainSetResult, tmp_path: Path
) -> None:
    torch.set_num_threads(1)
    layer = 3
    read, written = (f"blocks.{layer}.{hook}" for hook in ("mlp.hook_in", "hook_mlp_out"))
    project = Project.open_or_create(tmp_path / "p")
    harvest(
        HarvestConfig(
            project=str(project.path), name="a", site=read, sites=(written,), tokens=2000
        ),
        SilentContext(),
    )
    store = ActivationStore.open(project.store_path("a"))
    x, y = (torch.tensor(store.read(0, 2000, site)).float() for site in (read, written))
    fit = measure_fit(opened.dictionary(layer), [(x, y)])
    own = told.figures[layer]
    assert fit.fvu == pytest.approx(own.fvu, abs=0.1)
    assert fit.l0 == pytest.approx(own.l0, rel=0.3)
