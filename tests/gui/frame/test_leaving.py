"""Closing the window while jobs run."""

from __future__ import annotations

import pytest
from frame_client import FakeClient
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from sae_desktop.activations.config import HarvestConfig
from sae_desktop.client.job import Job
from sae_desktop.engine.detached import (
    DetachedJob,
    DetachedState,
    own_state,
    read_state,
    write_state,
)
from sae_desktop.engine.protocol import JobFinished, JobProgress
from sae_desktop.gui.frame.leaving import LeavingDialog
from sae_desktop.gui.frame.main_window import MainWindow
from sae_desktop.gui.state.session import Session
from sae_desktop.project import Project
from sae_desktop.training.config import TrainConfig


@pytest.fixture
def job(window: MainWindow, session: Session, client: FakeClient, project: Project) -> Job:
    """A training at 40%."""
    session.open_project(project.path)
    job = client.start_job(
        TrainConfig(project=str(project.path), name="t", activations="acts", features=16)
    )
    client.run(job)
    client.progress(job, 40, 100)
    return job


def asked(window: MainWindow) -> LeavingDialog:
    window.close()
    assert window.isVisible()
    dialog = window.findChild(LeavingDialog)
    assert isinstance(dialog, LeavingDialog)
    return dialog


def test_close__without_jobs_asks_nothing(
    window: MainWindow, client: FakeClient, session: Session
) -> None:
    window.close()
    assert not window.isVisible()
    assert client.state == "stopped"


@pytest.mark.parametrize("key", [Qt.Key.Key_Return, Qt.Key.Key_Escape])
def test_close__with_a_job_asks_and_return_stays(
    window: MainWindow, client: FakeClient, job: Job, key: Qt.Key
) -> None:
    dialog = asked(window)
    assert dialog.text() == "Train “t” (40% done) is still running."
    QTest.keyClick(dialog, key)
    assert not dialog.isVisible()
    assert window.isVisible()
    assert client.state == "ready"
    assert client.left_alone is None


def test_close__stops_the_engine_when_told_to(
    window: MainWindow, client: FakeClient, job: Job
) -> None:
    asked(window).stop.click()
    assert not window.isVisible()
    assert client.state == "stopped"


def test_close__leaves_the_engine_at_work_when_told_to(
    window: MainWindow, client: FakeClient, session: Session, job: Job
) -> None:
    keep = asked(window).keep
    assert keep is not None
    keep.click()
    assert client.left_alone == [job]
    assert window.isVisible()  # until the engine has heard it
    client.detached.emit(True)
    assert not window.isVisible()


def test_close__that_cannot_leave_the_engine_stays_and_says_so(
    window: MainWindow, client: FakeClient, job: Job
) -> None:
    keep = asked(window).keep
    assert keep is not None
    keep.click()
    client.detached.emit(False)
    assert window.isVisible()
    assert window.isEnabled()
    assert "could not keep running" in window.toasts.toasts()[-1].error.what


def test_close__without_a_project_cannot_leave_the_engine(
    window: MainWindow, client: FakeClient
) -> None:
    client.start_job(HarvestConfig(project="", name="acts"))
    assert asked(window).keep is None


def test_project_of_an_engine_without_a_window__is_read_only_in_words_until_it_ends(
    window: MainWindow,
    session: Session,
    client: FakeClient,
    project: Project,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = HarvestConfig(project=str(project.path), name="acts")
    progress = JobProgress(
        job_id="1", done=1, total=4, unit="tokens", message="", rate=1.0, seconds_left=3.0
    )
    kept = DetachedJob(id="1", config=config, started=True, progress=progress)
    state = own_state([kept])
    write_state(project.path, state)
    session.open_project(project.path)
    client.refuse_project("The project is already open.")
    assert session.refusal is not None
    assert "on this project without a window: Harvest “acts”" in session.refusal.what
    (row,) = window.job_list.rows()
    assert row.job.progress == progress
    assert session.running_jobs() == []  # closing the window has nothing to ask

    result = JobFinished(job_id="1", result=b'{"name":"acts","rows":4,"sites":[],"tokens":4}')
    kept.outcome = JobFinished(job_id="1", result=result.result)
    write_state(project.path, state)
    monkeypatch.setattr(DetachedState, "alive", False)
    before = len(client.opened)
    session.detached.look()
    assert row.job.ended
    assert read_state(project.path) is None
    assert len(client.opened) == before + 1  # the lock is asked for again
    client.accept_project()
    assert not session.read_only
