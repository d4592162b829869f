"""Ordinary text to calibrate monitors on."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from toy_models import TEXT


@pytest.fixture(scope="package")
def ordinary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fifty pieces of the toy text, 12 to 90 characters long."""
    chance = random.Random(0)
    path = tmp_path_factory.mktemp("ordinary") / "ordinary.jsonl"
    with path.open("w") as file:
        for number in range(50):
            first = chance.randrange(len(TEXT) - 90)
            text = f"{number} {TEXT[first : first + chance.randrange(12, 90)]}"
            file.write(json.dumps({"text": text}) + "\n")
    return path
