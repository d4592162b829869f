"""Training of every architecture, killed again and again, ends with the same weights."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from imported_rows import assert_same_weights, import_rows, run_config, toy_rows

from sae_desktop.dictionary.architectures import ARCHITECTURES
from sae_desktop.jobs import SilentContext
from sae_desktop.project import Project
from sae_desktop.training.config import TrainConfig
from sae_desktop.training.job import train_together
from sae_desktop.training.run_log import read_run

_TESTS = Path(__file__).resolve().parent.parent
_STEPS = 40
_TIMED = {"seconds", "rows_per_second", "waited_share"}
_PROGRAM = """
import sys
import torch
from sae_desktop.jobs import SilentContext
from sae_desktop.project import Project
from sae_desktop.training.job import train_together
from test_kill_training import configs

torch.set_num_threads(1)
train_together(configs(Project.open(sys.argv[1]), "victim"), SilentContext())
"""


def configs(project: Project, prefix: str) -> list[TrainConfig]:
    """One run of each architecture, a checkpoint every few steps."""
    return [
        run_config(
            project, name=f"{prefix}-{name}", architecture=name, tokens=_STEPS * 256,
            resample=True, checkpoint_seconds=0.05, keep_checkpoints=2,
        )
        for name in sorted(ARCHITECTURES)
    ]  # fmt: skip


def _last_steps(project: Project) -> list[int]:
    """The newest checkpoint of each run; 0 where there is none."""
    folders = [project.dictionary_path(c.name) / "checkpoint" for c in configs(project, "victim")]
    return [
        max((int(path.stem) for path in folder.glob("*.safetensors")), default=0)
        for folder in folders
    ]


def _kill_after(project: Project, step: int) -> None:
    """Train in a process of its own, and kill it once every run has been saved so far on."""
    paths = [str(_TESTS / "fault"), str(_TESTS), str(_TESTS.parent)]
    process = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, str(project.path)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
    )
    try:
        while min(_last_steps(project)) < step:
            assert process.poll() is None, "the training ended before it was killed"
            time.sleep(0.01)
    finally:
        process.send_signal(getattr(signal, "SIGKILL", signal.SIGTERM))
        process.wait()


@pytest.mark.timeout(900)
def test_training__killed_twice_ends_with_the_same_weights_for_every_architecture(
    project: Project,
) -> None:
    torch.set_num_threads(1)
    import_rows(project, toy_rows(5000))
    train_together(configs(project, "whole"), SilentContext())
    for step in (2, 15):
        _kill_after(project, step)
        assert max(_last_steps(project)) < _STEPS
    train_together(configs(project, "victim"), SilentContext())
    for name in sorted(ARCHITECTURES):
        assert_same_weights(project, f"victim-{name}", f"whole-{name}")
        found, right = (
            read_run(project.dictionary_path(f"{prefix}-{name}") / "run.h5")
            for prefix in ("victim", "whole")
        )
        for column in set(right.columns) - _TIMED:
            assert np.array_equal(found.columns[column], right.columns[column], equal_nan=True)
        assert np.array_equal(found.density_counts, right.density_counts)
