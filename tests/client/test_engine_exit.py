"""What the person reads of an engine that ended unasked."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from imported_rows import import_rows, toy_rows
from safetensors.torch import save_file

from sae_desktop.activations.config import HarvestConfig
from sae_desktop.client.engine_exit import describe_exit
from sae_desktop.client.lost_files import cut_files, names_file
from sae_desktop.features.config import IndexConfig
from sae_desktop.project import Project
from sae_desktop.training.config import TrainConfig
from sae_desktop.training.run_log import RunLogWriter


@pytest.mark.skipif(not hasattr(signal, "SIGBUS"), reason="this system has no SIGBUS")
def test_lost_file__is_told_as_cut_short_or_out_of_reach() -> None:
    exit_ = describe_exit(signal.SIGBUS, crashed=True, stderr_tail="", running_jobs=["Train “a”"])
    assert exit_.signal_name == "SIGBUS"
    assert "cut short by another program" in exit_.reason
    assert "drive is full or disconnected" in exit_.reason
    assert exit_.running_jobs == ["Train “a”"]


@pytest.mark.skipif(not hasattr(signal, "SIGBUS"), reason="this system has no SIGBUS")
def test_lost_file__is_named_where_one_was_cut_short(tmp_path: Path) -> None:
    exit_ = describe_exit(
        signal.SIGBUS, crashed=True, stderr_tail="", running_jobs=["Train “a”"],
        find_cut=lambda: [(tmp_path / "000.h5", ["Train “a”"])],
    )  # fmt: skip
    assert f"“{tmp_path / '000.h5'}” (used by Train “a”) was cut short" in exit_.reason
    assert "from a copy" in exit_.reason

    def asked() -> list[tuple[Path, list[str]]]:
        raise AssertionError("only a SIGBUS tells of files")

    describe_exit(signal.SIGKILL, crashed=True, stderr_tail="", running_jobs=[], find_cut=asked)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project with a store, a run and a dictionary's weights, beside a model's."""
    made = Project.open_or_create(tmp_path / "p.saeproj")
    import_rows(made, toy_rows(6))
    folder = made.dictionary_path("d")
    folder.mkdir(parents=True)
    log = RunLogWriter.create(folder / "run.h5", "{}", points=2, snapshots=1)
    log.append_snapshot(1, np.ones(6))
    log.close()
    (tmp_path / "model").mkdir()
    for path in (folder / "sae_weights.safetensors", tmp_path / "model" / "a.safetensors"):
        save_file({"W": torch.ones(50, 50)}, path)
    return made


@pytest.mark.parametrize(
    "name",
    [
        "p.saeproj/activations/acts/000.h5", "p.saeproj/dictionaries/d/run.h5",
        "p.saeproj/dictionaries/d/sae_weights.safetensors", "model/a.safetensors",
    ],
)  # fmt: skip
def test_file_cut_short__is_found_among_those_of_the_jobs(
    project: Project, tmp_path: Path, name: str
) -> None:
    train = TrainConfig(project=str(project.path), name="d", activations="acts")
    harvest = HarvestConfig(project=str(project.path), name="n", model=str(tmp_path / "model"))
    streamed = TrainConfig(project=str(project.path), name="s", stream=harvest)
    for configs in ([train, harvest], [streamed]):
        assert cut_files(configs) == []
    path = tmp_path / name
    os.truncate(path, path.stat().st_size - 8)
    for configs in ([train, harvest], [streamed]):
        assert cut_files(configs) == [path]
    assert cut_files([]) == []


def test_file_cut_short__belongs_to_the_jobs_whose_settings_name_it(
    project: Project, tmp_path: Path
) -> None:
    own, other = str(project.path), str(tmp_path / "other.saeproj")
    model = str(tmp_path / "model")
    rows = project.store_path("acts") / "000.h5"
    weights = project.dictionary_path("d") / "sae_weights.safetensors"
    assert names_file(TrainConfig(project=own, name="n", activations="acts"), rows)
    assert not names_file(TrainConfig(project=own, name="n", activations="large"), rows)
    assert not names_file(TrainConfig(project=other, name="n", activations="acts"), rows)
    assert names_file(IndexConfig(project=own, dictionary="d", name="i"), weights)
    assert names_file(IndexConfig(project=own, dictionary="x", name="i"), project.index_path("i"))
    harvest = HarvestConfig(project=other, name="n", model=model)
    assert names_file(harvest, tmp_path / "model" / "a.safetensors")
    streamed = TrainConfig(project=other, name="n", stream=harvest)
    assert names_file(streamed, tmp_path / "model" / "a.safetensors")
