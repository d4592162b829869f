"""A monkey at the window for some seconds; `monkey.py` lets one loose by hand."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import monkey
import pytest


@pytest.mark.gui
@pytest.mark.parametrize(
    ("minutes", "seed"),
    [
        (0.1, 3),
        *(pytest.param(10, seed, marks=[pytest.mark.nightly, pytest.mark.timeout(1200)])
          for seed in range(6)),
    ],
)  # fmt: skip
def test_window__survives_a_monkey(tmp_path: Path, minutes: float, seed: int) -> None:
    done = subprocess.run(
        [sys.executable, monkey.__file__, str(tmp_path), "--minutes", str(minutes),
         "--seed", str(seed)],
        capture_output=True, text=True, check=False, env={**os.environ, "PYTHONUTF8": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr[-4_000:]
    acts = len((tmp_path / "acts.log").read_text(encoding="utf-8").splitlines())
    assert acts > 5
    assert f"Seed {seed}: " in done.stdout


def test_monkey__tells_of_an_error_nobody_caught_and_of_a_freeze() -> None:
    found = monkey.Found(acts=7)
    found.faults["ValueError: odd"] += 2
    found.freezes.append((512.3, "click QPushButton “Go”", "  File a, line 1\n"))
    text = monkey.report(found, 4)
    assert text.startswith("Seed 4: 7 acts, 1 faults, 1 freezes of more than 200 ms.")
    assert "2 times:\nValueError: odd" in text
    assert "512 ms at “click QPushButton “Go””" in text
