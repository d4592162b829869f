"""A project with three dictionaries of one toy site, each with an index of the same text."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from toy_index import make_toy_index
from toy_models import TEXT

from sae_desktop.features.building.index import build_index
from sae_desktop.features.config import IndexConfig
from sae_desktop.jobs import SilentContext
from sae_desktop.project import Project
from sae_desktop.training.config import TrainConfig
from sae_desktop.training.job import train

SIZES = {"small": 16, "d": 48, "large": 96}


def different_texts() -> list[str]:
    """Documents of the same words, each in an order of its own: none is like another."""
    order = np.random.default_rng(0)
    words = TEXT.split()
    return [" ".join(w for _ in range(3) for w in order.permutation(words)) for _ in range(8)]


@pytest.fixture(scope="session")
def _three(tmp_path_factory: pytest.TempPathFactory, toy_model_folder: Path) -> Project:
    project = make_toy_index(tmp_path_factory.mktemp("three"), toy_model_folder, different_texts())
    path, context = str(project.path), SilentContext()
    for name in ("small", "large"):
        train(
            TrainConfig(
                project=path, name=name, activations="acts", features=SIZES[name], k=4,
                tokens=15_000, batch=256,
            ),
            context,
        )  # fmt: skip
        build_index(
            IndexConfig(project=path, dictionary=name, name=f"{name}-index", map=False), context
        )
    return project


@pytest.fixture
def three(_three: Project, tmp_path: Path) -> Project:
    """A copy; the indexes are `small-index`, `i` and `large-index`."""
    shutil.copytree(_three.path, tmp_path / "p")
    return Project.open(tmp_path / "p")
