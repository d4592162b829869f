"""The window's end of the pipe, against a real engine process that runs toy jobs."""

from __future__ import annotations

import os
import signal
import sys

import h5py
import numpy as np
import psutil
import pytest
from pytestqt.qtbot import QtBot
from toy_jobs import TOY_ENGINE

from sae_desktop.activations.config import HarvestConfig, HarvestResult
from sae_desktop.client.engine_client import EngineClient
from sae_desktop.client.engine_exit import EngineExit, EngineState
from sae_desktop.client.engine_log import EngineLog
from sae_desktop.client.job import Job, JobState
from sae_desktop.engine.protocol import ErrorInfo, JobCancelled, ProjectOpened
from sae_desktop.language_model.config import DescribeModelConfig
from sae_desktop.project import Project
from sae_desktop.reports.logs import engine_log

pytestmark = pytest.mark.gui

WAIT = 60_000
FOREVER = 10**9


def harvest(project: Project, tokens: int = FOREVER) -> HarvestConfig:
    return HarvestConfig(project=str(project.path), name="acts", tokens=tokens)


def start(client: EngineClient, qtbot: QtBot, project: Project | None = None) -> None:
    with qtbot.waitSignal(
        client.stateChanged, timeout=WAIT, check_params_cb=lambda s: s is EngineState.READY
    ):
        client.start()
    if project is not None:
        with qtbot.waitSignal(client.projectOpened, timeout=WAIT):
            client.open_project(str(project.path))


def running(client: EngineClient, qtbot: QtBot, project: Project) -> Job:
    """Start the engine and a harvest without end, and wait until it counts."""
    start(client, qtbot, project)
    job = client.start_job(harvest(project))
    qtbot.waitSignal(job.progressed, timeout=WAIT).wait()
    return job


def pid(client: EngineClient) -> int:
    assert client._process is not None
    return client._process.processId()


def test_client__runs_a_job_asked_for_before_the_engine_was_ready(
    client: EngineClient, qtbot: QtBot, project: Project
) -> None:
    client.open_project(str(project.path))
    client.start()
    job = client.start_job(harvest(project, tokens=20))
    assert job.state is JobState.QUEUED
    assert job.title == "Harvest “acts”"
    states: list[JobState] = []
    job.stateChanged.connect(states.append)
    with qtbot.waitSignal(job.finished, timeout=WAIT) as finished:
        pass
    assert states == [JobState.RUNNING, JobState.FINISHED]
    assert isinstance(finished.args[0], HarvestResult)
    assert finished.args[0].rows == 20
    assert job.progress is not None
    assert job.progress.done == 20
    assert client.jobs == [job]


def test_client__pauses_resumes_and_cancels(
    client: EngineClient, qtbot: QtBot, project: Project
) -> None:
    job = running(client, qtbot, project)
    job.pause()
    qtbot.waitUntil(lambda: job.state is JobState.PAUSED, timeout=WAIT)
    job.resume()
    qtbot.waitUntil(lambda: job.state is JobState.RUNNING, timeout=WAIT)
    with qtbot.waitSignal(job.cancelled, timeout=WAIT) as cancelled:
        job.cancel()
    assert isinstance(cancelled.args[0], JobCancelled)
    assert job.state is JobState.CANCELLED


def test_client__stops_and_keeps(client: EngineClient, qtbot: QtBot, project: Project) -> None:
    job = running(client, qtbot, project)
    with qtbot.waitSignal(job.finished, timeout=WAIT) as finished:
        job.stop_and_keep()
    assert 0 < finished.args[0].rows < FOREVER


def test_client__hands_over_the_error_of_a_job(client: EngineClient, qtbot: QtBot) -> None:
    start(client, qtbot)
    job = client.start_job(DescribeModelConfig(model="user error"))
    with qtbot.waitSignal(job.failed, timeout=WAIT) as failed:
        pass
    assert failed.args[0].what == "It broke."
    assert job.error == failed.args[0]
    assert client.jobs == []


def test_client__cancels_a_queued_job_without_an_engine(client: EngineClient) -> None:
    client.start()
    job = client.start_job(DescribeModelConfig(model="fine"))
    job.cancel()
    assert job.state is JobState.CANCELLED


def test_client__says_how_the_engine_died_and_restarts_it(
    client: EngineClient, qtbot: QtBot, project: Project
) -> None:
    job = running(client, qtbot, project)
    errors: list[ErrorInfo] = []
    job.failed.connect(errors.append)
    with qtbot.waitSignal(client.engineCrashed, timeout=WAIT) as crashed:
        os.kill(pid(client), signal.SIGKILL)
    exit_ = crashed.args[0]
    assert isinstance(exit_, EngineExit)
    assert exit_.signal_name == "SIGKILL"
    assert "killed" in exit_.reason
    assert exit_.running_jobs == ["Harvest “acts”"]
    assert client.state is EngineState.CRASHED
    assert job.state is JobState.FAILED
    assert "All rows saved so far are kept" in errors[0].kept

    with qtbot.waitSignal(client.projectOpened, timeout=WAIT) as opened:
        client.restart()
    assert opened.args[0] == ProjectOpened(path=str(project.path))
    again = client.start_job(harvest(project, tokens=3))
    qtbot.waitUntil(lambda: again.state is JobState.FINISHED, timeout=WAIT)


@pytest.mark.skipif(not hasattr(signal, "SIGBUS"), reason="this system has no SIGBUS")
def test_client__names_the_file_that_the_engine_lost(
    client: EngineClient, qtbot: QtBot, project: Project
) -> None:
    running(client, qtbot, project)
    lost = project.path / "matches" / "a~b.h5"
    lost.parent.mkdir()
    with h5py.File(lost, "w") as file:
        file["values"] = np.ones(1000)
    os.truncate(lost, 2000)
    with qtbot.waitSignal(client.engineCrashed, timeout=WAIT) as crashed:
        os.kill(pid(client), signal.SIGBUS)
    assert f"“{lost}” was cut short by another program" in crashed.args[0].reason


def test_client__keeps_the_last_words_of_a_crash(client: EngineClient, qtbot: QtBot) -> None:
    start(client, qtbot)
    with qtbot.waitSignal(client.engineCrashed, timeout=WAIT) as crashed:
        client.start_job(DescribeModelConfig(model="segfault"))
    exit_ = crashed.args[0]
    assert exit_.signal_name == "SIGSEGV"
    assert "last words" in exit_.stderr_tail
    assert "toy_jobs.py" in exit_.stderr_tail, "faulthandler's traceback"
    assert "last words" in engine_log().read_text()


def test_client__says_that_the_engine_cannot_be_started(qapp: object, qtbot: QtBot) -> None:
    client = EngineClient(command=["/nowhere/python"])
    with qtbot.waitSignal(client.engineCrashed, timeout=WAIT) as crashed:
        client.start()
        job = client.start_job(DescribeModelConfig())
    assert "could not be started" in crashed.args[0].reason
    assert job.state is JobState.FAILED
    client.shutdown()


def test_client__gives_up_an_engine_that_says_nothing(qapp: object, qtbot: QtBot) -> None:
    mute = EngineClient(
        command=[sys.executable, "-c", "import time; time.sleep(600)"], starting_ms=300
    )
    job = None
    with qtbot.waitSignal(mute.engineCrashed, timeout=WAIT) as crashed:
        mute.start()
        job = mute.start_job(DescribeModelConfig(model="builtin"))
    exit_: EngineExit = crashed.args[0]
    assert "did not start" in exit_.reason
    assert mute.state is EngineState.CRASHED
    assert job is not None
    assert job.state is JobState.FAILED
    assert mute._process is None
    mute.shutdown()


def test_client__is_patient_no_longer_once_the_engine_has_spoken(
    qapp: object, qtbot: QtBot
) -> None:
    del qapp
    client = EngineClient(command=TOY_ENGINE, starting_ms=WAIT)
    start(client, qtbot)
    assert not client._patience.isActive()
    client.shutdown()


def test_client__refuses_an_engine_of_another_version(qapp: object, qtbot: QtBot) -> None:
    speech = '{"type":"ready","protocol_version":0,"pid":1,"device":"cpu"}'
    script = f"import time; print('{speech}', flush=True); time.sleep(60)"
    client = EngineClient(command=[sys.executable, "-c", script])
    with qtbot.waitSignal(client.engineCrashed, timeout=WAIT) as crashed:
        client.start()
    assert "different versions" in crashed.args[0].reason
    client.shutdown()


def test_client__fails_a_job_that_finds_no_engine(client: EngineClient, qtbot: QtBot) -> None:
    client.shutdown()
    job = client.start_job(DescribeModelConfig())
    assert job.state is JobState.QUEUED
    with qtbot.waitSignal(job.failed, timeout=WAIT) as failed:
        pass
    assert "needs the engine" in failed.args[0].what


def test_client__runs_a_job_asked_for_before_the_engine_was_started(
    client: EngineClient, qtbot: QtBot
) -> None:
    job = client.start_job(DescribeModelConfig(model="fine"))
    with qtbot.waitSignal(job.stateChanged, timeout=WAIT):
        client.start()
    assert job.state is JobState.RUNNING


def test_client__restarts_without_waiting_for_the_engine_before(
    client: EngineClient, qtbot: QtBot, project: Project
) -> None:
    job = running(client, qtbot, project)
    before = pid(client)
    client.restart()
    assert client.state is EngineState.STARTING
    assert psutil.pid_exists(before), "it still writes its checkpoints"
    assert client._process is None
    assert job.state is JobState.FAILED
    again = client.start_job(harvest(project, tokens=3))
    qtbot.waitUntil(lambda: again.state is JobState.FINISHED, timeout=WAIT)
    assert pid(client) != before


def test_client__lets_jobs_checkpoint_at_shutdown(
    client: EngineClient, qtbot: QtBot, project: Project
) -> None:
    job = running(client, qtbot, project)
    client.shutdown()
    assert client.state is EngineState.STOPPED
    assert job.state is JobState.FAILED
    assert (project.path / "acts.count").read_text().startswith("cancelled")


def test_engine_log__keeps_the_last_state_of_a_progress_bar() -> None:
    log = EngineLog()
    log.feed(b"a\nloading 1%\rloading 100%\nh")
    log.feed("é".encode()[:1])
    log.feed("é".encode()[1:])
    log.end()
    log.close()
    assert log.tail() == "a\nloading 100%\nhé"
