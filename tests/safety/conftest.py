"""A small project that monitors, mitigations and the server share."""

from __future__ import annotations

from pathlib import Path

import pytest
from toy_index import make_toy_index

from sae_desktop.features.asking.opened import OpenedIndex, open_index
from sae_desktop.project import Project


@pytest.fixture(scope="package")
def watched(tmp_path_factory: pytest.TempPathFactory, toy_model_folder: Path) -> Project:
    """A toy model with the index “i”, made in a moment."""
    folder = tmp_path_factory.mktemp("watched")
    return make_toy_index(folder, toy_model_folder, tokens=500, training=2500)


@pytest.fixture(scope="package")
def opened(watched: Project) -> OpenedIndex:
    return open_index(str(watched.path), "i", "cpu")


@pytest.fixture(scope="package")
def feature(opened: OpenedIndex) -> int:
    """The one that fires most."""
    return int(opened.index.columns["density"].argmax())
