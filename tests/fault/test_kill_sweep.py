"""A sample of the sweep of kills; all of it is nightly, and `kill_sweep.py` runs it by hand."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from kill_jobs import SCENARIOS, Place

from sae_desktop.engine.registry import JOB_KINDS
from sae_desktop.sizing.config import MeasureMachineConfig

_SWEEP = Path(__file__).with_name("kill_sweep.py")
_SLOW = (
    "completeness", "sweep", "harvest more", "output effect", "index again",
    "index without firings", "merge over",
)  # fmt: skip
"""Left to the night: seconds a trial."""
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="its trials are forks")


def _sweep(*arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, str(_SWEEP), *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr[-4000:]


def test_sweep__has_every_kind_of_job_that_writes(tmp_path: Path) -> None:
    place = Place(tmp_path, tmp_path)
    made = [scenario(place) for scenario in SCENARIOS.values()]
    swept = {type(config) for config in made if isinstance(config, msgspec.Struct)}
    writing = {config for config, kind in JOB_KINDS.items() if kind.writes or kind.elsewhere}
    # What it measures differs each time; it writes one file of the user's, at once.
    assert swept == writing - {MeasureMachineConfig}


@pytest.mark.timeout(900)
def test_jobs__killed_at_some_changes_of_files_come_to_the_same_end() -> None:
    jobs = [job for job in SCENARIOS if job not in _SLOW]
    _sweep("--sample", "1", "--seed", "1", *(part for job in jobs for part in ("--job", job)))


@pytest.mark.nightly
@pytest.mark.timeout(6 * 3600)
def test_jobs__killed_at_every_change_of_files_come_to_the_same_end() -> None:
    _sweep()
