"""A short form of kill_engine.py; the script itself runs twenty rounds."""

from __future__ import annotations

from pathlib import Path

import pytest
from kill_engine import torment


@pytest.mark.timeout(900)
def test_engine__killed_at_random_moments_loses_nothing_committed(
    tmp_path: Path, toy_model_folder: Path
) -> None:
    kills = torment(tmp_path, str(toy_model_folder), rounds=2, seed=1, tokens=100_000, rows=100_000)
    assert [kill.job for kill in kills] == ["harvest"] * 2 + ["train"] * 2 + ["index"] * 2
