"""What grows as the window is used; `soak.py` goes on for as long as asked."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import soak


def _rounds(**growing: float) -> list[dict[str, float]]:
    usual = {"window MB": 300.0, "engine MB": 900.0, "window files": 18.0, "widgets": 5_000.0}
    return [
        {name: value + growing.get(name.replace(" ", "_"), 0.0) * number
         for name, value in usual.items()}
        for number in range(soak.WARM + 10)
    ]  # fmt: skip


def test_growing__names_what_grows_and_by_how_much() -> None:
    assert soak.growing(_rounds()) == {}
    assert soak.growing(_rounds(window_MB=0.5)) == {}  # memory comes back late
    found = soak.growing(_rounds(window_files=1.0, widgets=64.0, engine_MB=5.0))
    assert found == {
        "window files": pytest.approx(1), "widgets": pytest.approx(64),
        "engine MB": pytest.approx(5),
    }  # fmt: skip


def test_what_grew_at_first_and_no_more__is_not_told() -> None:
    rounds = _rounds()
    for number, one in enumerate(rounds[: soak.WARM]):
        one["widgets"] -= 100 * (soak.WARM - number)
    assert soak.growing(rounds) == {}


@pytest.mark.gui
@pytest.mark.nightly
@pytest.mark.timeout(3600)
def test_window__does_not_grow_as_it_is_used(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, soak.__file__, str(tmp_path), "--minutes", "20"],
        capture_output=True, text=True, check=False,
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4_000:]
