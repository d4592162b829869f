"""An engine that goes on without its window, and is found again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psutil
import pytest
from engine_driver import EngineDriver, engine_environment
from pytestqt.qtbot import QtBot
from toy_jobs import TOY_ENGINE

from sae_desktop.activations.config import HarvestConfig
from sae_desktop.client.detached_jobs import DetachedJobs
from sae_desktop.client.engine_client import EngineClient
from sae_desktop.client.job import Job, JobState
from sae_desktop.engine.alone import Alone
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
from sae_desktop.engine.protocol import Detach, Detached, ErrorInfo, JobCancelled, JobProgress
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


def _runs(process: psutil.Process) -> bool:
    return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)


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
    assert not _runs(alone)
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
    assert _runs(alone)
    with qtbot.waitSignals([found[0].failed, jobs.ended], timeout=WAIT):
        alone.kill()
    error = found[0].error
    assert isinstance(error, ErrorInfo)
    assert "ended in the middle" in error.what


_SLOW_ENGINE = """
import sys, time
sys.path.insert(0, {tests!r})
import toy_jobs
from sae_desktop.engine import main
from sae_desktop.engine.alone import Alone

def late(do):
    def wrapped(*args):
        time.sleep(0.5)
        return do(*args)
    return wrapped

Alone.begin, main._leave_parent = late(Alone.begin), late(main._leave_parent)
toy_jobs.register()
main.main()
"""


@pytest.mark.skipif(os.name != "posix", reason="sessions of processes")
def test_engine__says_that_it_goes_on_alone_only_once_it_does(project: Project) -> None:
    code = _SLOW_ENGINE.format(tests=str(Path(__file__).parent.parent))
    with EngineDriver(["-c", code]) as engine:
        engine.open_project(project.path)
        engine.start("1", HarvestConfig(project=str(project.path), name="kept", tokens=FOREVER))
        engine.wait(JobProgress)
        engine.send(Detach(jobs=["1"]))
        engine.wait(Detached)
        # The window closes now: the job is told of, and the engine no longer ends with it.
        state = read_state(project.path)
        assert state is not None
        assert [job.id for job in state.at_work] == ["1"]
        assert os.getsid(engine.process.pid) == engine.process.pid


def test_job__that_ends_as_the_engine_ends_is_recorded_with_how_it_ended(project: Project) -> None:
    class Ended:
        """A job that has just left the running ones, and says how it ended a moment later."""

        def running(self) -> dict[str, HarvestConfig]:
            return next(left)

    config = HarvestConfig(project=str(project.path), name="kept")
    left = iter([{"1": config}, {}])
    alone = Alone(project.path, Ended())  # type: ignore[arg-type]
    alone.begin(["1"])
    timer = threading.Timer(0.2, alone.take, [[JobCancelled(job_id="1")]])
    timer.start()
    alone.work()
    state = read_state(project.path)
    assert state is not None
    assert isinstance(state.jobs[0].outcome, JobCancelled)


@pytest.mark.skipif(os.name != "posix", reason="zombies")
def test_state__of_a_process_that_nobody_has_collected_is_not_alive() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        began = psutil.Process(process.pid).create_time()
        state = msgspec.structs.replace(own_state([]), pid=process.pid, began=began)
        assert not state.alive


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
