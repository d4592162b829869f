"""A small project with monitors' texts."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from toy_index import make_toy_index
from toy_models import TEXT

from sae_desktop.features.asking.opened import OpenedIndex, open_index
from sae_desktop.project import Project


@pytest.fixture(scope="package")
def watched(tmp_path_factory: pytest.TempPathFactory, toy_model_folder: Path) -> Project:
    return make_toy_index(tmp_path_factory.mktemp("watched"), toy_model_folder)


@pytest.fixture(scope="package")
def opened(watched: Project) -> OpenedIndex:
    return open_index(str(watched.path), "i", "cpu")


@pytest.fixture(scope="package")
def feature(opened: OpenedIndex) -> int:
    """The one that fires most."""
    return int(opened.index.columns["density"].argmax())


@pytest.fixture(scope="package")
def ordinary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eighty pieces of the toy text, 12 to 90 characters long."""
    chance = random.Random(0)
    path = tmp_path_factory.mktemp("ordinary") / "ordinary.jsonl"
    with path.open("w") as file:
        for number in range(80):
            first = chance.randrange(len(TEXT) - 90)
            text = f"{number} {TEXT[first : first + chance.randrange(12, 90)]}"
            file.write(json.dumps({"text": text}) + "\n")
    return path
