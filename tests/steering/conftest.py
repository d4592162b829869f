"""Fixtures that several of these tests share."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from toy_index import make_toy_index
from transcoder_world import SKIP, TRANSCODERS, World, make_world

from sae_desktop.features.asking.opened import OpenedIndex, open_index
from sae_desktop.project import Project


@pytest.fixture(scope="module", params=TRANSCODERS)
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(tmp_path_factory.mktemp("transcoder"), request.param)


@pytest.fixture(scope="module")
def skipping(tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(tmp_path_factory.mktemp("skip"), SKIP)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, toy_model_folder: Path) -> Project:
    return make_toy_index(tmp_path_factory.mktemp("steer"), toy_model_folder)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, trained: Project) -> Project:
    """A copy of its own for each module: what one writes into it, no other finds."""
    path = tmp_path_factory.mktemp("steered") / "p"
    shutil.copytree(trained.path, path)
    return Project.open(str(path))


@pytest.fixture
def opened(project: Project) -> OpenedIndex:
    return open_index(str(project.path), "i", "cpu")


@pytest.fixture
def feature(opened: OpenedIndex) -> int:
    return int(opened.index.columns["density"].argmax())
