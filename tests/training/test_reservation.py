"""No run is written by two jobs at once: in one process, in two, or as part of a sweep."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from imported_rows import import_rows, run_config, toy_rows
from job_contexts import RecordingContext

from sae_desktop.errors import JobCancelledError, UserError
from sae_desktop.jobs import SilentContext
from sae_desktop.project import Project
from sae_desktop.training.job import train
from sae_desktop.training.reservation import reserved
from sae_desktop.training.sweeps.sweep import sweep
from sae_desktop.training.sweeps.sweep_config import SweepConfig, read_sweep

_HOLD = """
import sys
from sae_desktop.project import Project
from sae_desktop.training.reservation import reserved
with reserved(Project.open(sys.argv[1]), ["d"]):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def filled(project: Project) -> Project:
    torch.set_num_threads(1)
    import_rows(project, toy_rows(3000))
    return project


def test_reservation__is_given_once_and_given_back(project: Project) -> None:
    with reserved(project, ["d", "e"]):
        with (
            pytest.raises(UserError, match="“e” is being trained by another job"),
            reserved(project, ["f", "e"]),
        ):
            pass
        with reserved(project, ["f"]):
            pass
    with reserved(project, ["d", "e", "f"]):
        pass
    assert not (project.path / ".work").exists()


def test_reservation__of_another_process_is_respected(filled: Project) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(filled.path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as other:  # fmt: skip
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(UserError, match="“d” is being trained by another job"):
            train(run_config(filled), SilentContext())
        assert not filled.dictionary_path("d").exists()
        other.kill()
    train(run_config(filled), SilentContext())


def test_sweep__holds_the_runs_that_wait_while_others_are_trained(filled: Project) -> None:
    base = run_config(filled)
    config = SweepConfig(
        project=str(filled.path), name="s", base=base, features=(8, 16), together=1
    )
    refused: list[str] = []

    def train_members(check: int) -> None:
        if check != 8:
            return
        for row in read_sweep(filled.sweep_path("s")).rows:
            try:
                train(run_config(filled, name=row.dictionary), SilentContext())
            except UserError as error:
                refused.append(error.what)

    with pytest.raises(JobCancelledError):
        sweep(config, RecordingContext(on_check=train_members, cancel_after=9))
    assert len(refused) == 2
    assert all("being trained by another job" in what for what in refused)
    assert sweep(config, SilentContext()).done == 2
