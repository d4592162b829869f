"""An engine that goes on without its window, and is found again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psutil
import pytest
from engine_driver import engine_environment
from pytestqt.qtbot import QtBot
from toy_jobs import TOY_ENGINE

from sae_desktop.activations.config import HarvestConfig
from sae_desktop.client.detached_jobs import DetachedJobs
from sae_desktop.client.engine_client import EngineClient
from sae_desktop.client.job import Job, JobState
from sae_desktop.engine.detached import (
    REQUESTS_FOLDER,
    STATE_FILE,
    DetachedJob,
    forget_state,
    own_state,
    read_state,
    take_requests,
    write_state,
)
from sae_desktop.engine.protocol import ErrorInfo, JobProgress
from sae_desktop.project import Project

pytestmark = pytest.mark.gui

WAIT = 60_000
FOREVER = 10**9

_WINDOW = """
import sys
from PySide6.QtCore import QCoreApplication
from sae_desktop.activations.config import HarvestConfig
from sae_desktop.client.engine_client import EngineClient

application = QCoreApplication([])
project, command = sys.argv[1], sys.argv[2:]
client = EngineClient(command=command)
client.open_project(project)
kept = client.start_job(HarvestConfig(project=project, name="kept", tokens=10**9))
dropped = client.start_job(HarvestConfig(project=project, name="dropped", tokens=10**9))
client.detached.connect(lambda alone: application.exit(0 if alone else 1))
kept.progressed.connect(lambda _: dropped.progress and client.detach([kept]))
client.start()
status = application.exec()
print(status, flush=True)
sys.exit(status)
"""


@pytest.fixture
def alone(project: Project) -> Iterator[psutil.Process]:
    """An engine at work on the project; the window that started it is gone."""
    done = subprocess.run(
        [sys.executable, "-c", _WINDOW, str(project.path), *TOY_ENGINE],
        env=engine_environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    state = read_state(project.path)
    assert state is not None
    process = psutil.Process(state.pid)
    yield process
    if process.is_running():
        process.kill()


def test_engine_left_alone__works_on_is_found_shows_progress_and_is_stopped(
    alone: psutil.Process, project: Project, qtbot: QtBot
) -> None:
    jobs = DetachedJobs()
    found: list[Job] = []
    jobs.found.connect(found.append)
    jobs.watch(project.path)
    (job,) = found
    assert job.title == "Harvest “kept”"
    assert job.elsewhere
    qtbot.waitUntil(lambda: job.progress is not None, timeout=WAIT)
    assert job.progress is not None
    before = job.progress.done
    qtbot.waitUntil(lambda: job.progress.done > before, timeout=WAIT)  # type: ignore[union-attr]
    assert (project.path / "dropped.count").read_text().startswith("cancelled")

    other = EngineClient(command=TOY_ENGINE)
    with qtbot.waitSignal(other.projectRefused, timeout=WAIT):
        other.open_project(str(project.path))
        other.start()

    job.pause()
    qtbot.waitUntil(lambda: job.state is JobState.PAUSED, timeout=WAIT)
    job.resume()
    qtbot.waitUntil(lambda: job.state is JobState.RUNNING, timeout=WAIT)
    with qtbot.waitSignals([job.finished, jobs.ended], timeout=WAIT):
        job.stop_and_keep()
    assert not alone.is_running()
    assert not (project.path / STATE_FILE).exists()
    assert not (project.path / REQUESTS_FOLDER).exists()
    with qtbot.waitSignal(other.projectOpened, timeout=WAIT):
        other.open_project(str(project.path))
    other.shutdown()


@pytest.mark.skipif(os.name != "posix", reason="kill -9")
def test_engine_left_alone_and_killed__is_told_as_such(
    alone: psutil.Process, project: Project, qtbot: QtBot
) -> None:
    jobs = DetachedJobs()
    found: list[Job] = []
    jobs.found.connect(found.append)
    jobs.watch(project.path)
    os.kill(alone.pid, signal.SIGHUP)  # as when its terminal closes
    time.sleep(0.2)
    assert alone.is_running()
    with qtbot.waitSignals([found[0].failed, jobs.ended], timeout=WAIT):
        alone.kill()
    error = found[0].error
    assert isinstance(error, ErrorInfo)
    assert "ended in the middle" in error.what


def test_state__of_another_machine_or_of_garbage_is_nothing_at_work(tmp_path: Path) -> None:
    config = HarvestConfig(project=str(tmp_path), name="acts")
    state = own_state([DetachedJob(id="1", config=config)])
    assert state.alive
    elsewhere = msgspec.structs.replace(state, host="another")
    assert not elsewhere.alive
    later = msgspec.structs.replace(state, began=state.began - 3600)
    assert not later.alive, "another process with the same number"
    (tmp_path / STATE_FILE).parent.mkdir()
    (tmp_path / STATE_FILE).write_bytes(b"{not json")
    assert read_state(tmp_path) is None
    write_state(tmp_path, state)
    assert read_state(tmp_path) == state


def _at_work(project: Path, *, done: int = 0) -> None:
    """Let this process be an engine without a window that has one job in a project."""
    config = HarvestConfig(project=str(project), name="acts")
    progress = JobProgress(
        job_id="1", done=done, total=10, unit="tokens", message="", rate=1.0, seconds_left=1.0
    )
    job = DetachedJob(id="1", config=config, started=True, progress=progress)
    write_state(project, own_state([job]))


def test_job_left_alone__is_listed_once_however_often_its_project_is_opened(
    project: Project, tmp_path: Path, qtbot: QtBot
) -> None:
    other = Project.open_or_create(tmp_path / "other")
    _at_work(project.path, done=1)
    jobs = DetachedJobs()
    found: list[Job] = []
    jobs.found.connect(found.append)
    jobs.watch(project.path)
    jobs.watch(None)
    assert jobs.at_work == []
    jobs.watch(other.path)
    assert jobs.at_work == []
    # It tells of its progress and can be asked while another project is open.
    _at_work(project.path, done=7)
    jobs.look()
    assert found[0].progress is not None
    assert found[0].progress.done == 7
    found[0].pause()
    (request,) = take_requests(project.path)
    assert request.job_id == "1"
    jobs.watch(project.path / ".." / project.path.name)
    assert jobs.at_work == found
    assert len(found) == 1
    _at_work(other.path)  # a job of the same name, of another project
    jobs.watch(other.path)
    assert jobs.at_work == found[1:]
    assert len(found) == 2
    for path in (project.path, other.path):
        (path / STATE_FILE).unlink()
    jobs.look()


def test_job_left_alone__whose_end_another_window_cleared_away_is_not_at_work_for_ever(
    project: Project, qtbot: QtBot
) -> None:
    _at_work(project.path)
    jobs = DetachedJobs()
    found: list[Job] = []
    jobs.found.connect(found.append)
    jobs.watch(project.path)
    forget_state(project.path)
    with qtbot.waitSignal(jobs.ended, timeout=WAIT):
        jobs.look()
    assert found[0].state is JobState.FAILED
    assert isinstance(found[0].error, ErrorInfo)
    assert "another window" in found[0].error.what
