"""A project, a corpus of short texts, and harvests of a toy model on them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from toy_models import TEXT

from sae_desktop.activations.config import HarvestConfig
from sae_desktop.project import Project

SITE = "blocks.2.hook_resid_post"


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    path = tmp_path / "corpus.jsonl"
    with path.open("w") as file:
        for number in range(40):
            row = {"text": TEXT[number : number + 20 + 5 * number], "title": f"T{number}"}
            file.write(json.dumps(row) + "\n")
    return path


@pytest.fixture
def make(tmp_path: Path, toy_model_folder: Path, corpus: Path) -> Any:
    """Return a function that makes the config of a harvest of 700 rows."""
    Project.open_or_create(tmp_path / "p.saeproj")

    def config(**changes: Any) -> HarvestConfig:
        settings = {
            "project": str(tmp_path / "p.saeproj"),
            "name": "acts",
            "model": str(toy_model_folder),
            "site": SITE,
            "corpus": str(corpus),
            "order": "files",
            "tokens": 700,
            "context_size": 16,
            "batch_tokens": 16,
        }
        return HarvestConfig(**(settings | changes))

    return config
