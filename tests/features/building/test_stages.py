"""How long each stage of an index took: told by the job, kept in the file."""

from __future__ import annotations

import time
from pathlib import Path

import h5py
import pytest
from job_contexts import RecordingContext

from sae_desktop.cli import render
from sae_desktop.features.config import IndexResult
from sae_desktop.features.reading.layout import stages_of, write_stages
from sae_desktop.features.stages import StageClock, StageTime

STAGES = (
    StageTime(name="Reading the activations", seconds=2.0, processor_seconds=3.5),
    StageTime(name="Naming the features", seconds=6.0, processor_seconds=6.0),
)


class _Clock:
    now = 0.0

    def read(self) -> float:
        return self.now


def test_stages__last_until_another_is_named_and_leave_out_a_pause(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wall, processor, context = _Clock(), _Clock(), RecordingContext()
    monkeypatch.setattr(time, "perf_counter", wall.read)
    monkeypatch.setattr(time, "process_time", processor.read)
    clock = StageClock(context, "Opening")
    wall.now = 1.0
    clock.progress(0, 2, "rows", "Reading")
    context.on_check = lambda _: setattr(wall, "now", wall.now + 100.0)  # paused
    clock.check_cancelled()
    wall.now, processor.now = 104.0, 7.0
    clock.progress(2, 2, "rows", "Reading")
    clock.progress(0, 1, "steps", "Naming")
    wall.now = 105.0
    clock.progress(0, 2, "rows", "Reading")
    wall.now = 107.5
    found = clock.stages()
    assert [(s.name, s.seconds, s.processor_seconds) for s in found] == [
        ("Opening", 1.0, 0.0), ("Reading", 5.5, 7.0), ("Naming", 1.0, 0.0),
    ]  # fmt: skip
    assert len(context.steps) == 4


def test_stages__are_kept_in_the_file_and_none_are_told_of_an_earlier_one(tmp_path: Path) -> None:
    path = tmp_path / "i.h5"
    h5py.File(path, "w").close()
    with h5py.File(path) as file:
        assert stages_of(file) == ()
    write_stages(path, STAGES)
    with h5py.File(path) as file:
        assert stages_of(file) == STAGES


def test_command__shows_the_stages_below_the_figures() -> None:
    result = IndexResult(
        name="i", features=8, rows=100, alive=7, bytes=1_000, seconds=8.0, stages=STAGES
    )
    lines = render.index(result).splitlines()
    assert lines[-2].split() == ["Naming", "the", "features", "6.0", "s", "75%", "6.0", "s"]
    assert lines[-1].split()[-3:] == ["25%", "3.5", "s"]
