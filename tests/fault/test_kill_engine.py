"""A short form of kill_engine.py; the script itself runs twenty rounds."""

from __future__ import annotations

from pathlib import Path

import pytest
from kill_engine import torment


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("rounds", "rows"), [(1, 15_000), pytest.param(20, 200_000, marks=pytest.mark.nightly)]
)
def test_engine__killed_at_random_moments_loses_nothing_committed(
    tmp_path: Path, toy_model_folder: Path, rounds: int, rows: int
) -> None:
    kills = torment(tmp_path, str(toy_model_folder), rounds=rounds, seed=1, tokens=rows, rows=rows)
    assert [kill.job for kill in kills] == [
        job for job in ("harvest", "train", "index") for _ in range(rounds)
    ]
