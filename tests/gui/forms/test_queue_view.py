"""Requests to a model are seen while they are made, and can be paused, stopped and limited."""

from __future__ import annotations

import msgspec
import pytest
from frame_client import FakeClient
from PySide6.QtCore import QPoint
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from sae_desktop.client.job import Job
from sae_desktop.engine.job_kind import JobKind, Output
from sae_desktop.engine.protocol import (
    AdjustJob,
    CancelJob,
    ErrorInfo,
    JobCancelled,
    JobFailed,
    JobFinished,
    JobLog,
    JobMetrics,
    JobPaused,
    JobStarted,
    PauseJob,
    ResumeJob,
    StopJob,
)
from sae_desktop.engine.registry import JOB_KINDS
from sae_desktop.gui.forms.queue_view import QueueView
from sae_desktop.gui.state.session import Session
from sae_desktop.labels.queue.limits import QueueLimits
from sae_desktop.labels.queue.progress import QueueProgress, to_metrics


class AskConfig(msgspec.Struct, frozen=True, kw_only=True, tag="ask"):
    project: str = ""
    index: str = "demo"
    limits: QueueLimits = QueueLimits()


class AskResult(msgspec.Struct, frozen=True):
    asked: int = 0


KIND = JobKind(
    "nowhere:ask", AskResult, "Ask about", "index", Output("labels", "index"), resumes=True,
    stops="Stop and keep what was answered",
)  # fmt: skip
PRICED = QueueLimits(price_in=1.0, price_out=2.0, most_cost=2.0)
PROGRESS = QueueProgress(
    total=1000, answered=400, kept=9, failed=3, prompt_tokens=300_000, answer_tokens=40_000,
    cost=0.31, most_cost=2.0, rate=1.4, held_seconds=11.2, failures={"server": 2, "timeout": 1},
)  # fmt: skip


@pytest.fixture
def view(session: Session, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> QueueView:
    monkeypatch.setitem(JOB_KINDS, AskConfig, KIND)
    shown = QueueView(session)
    qtbot.addWidget(shown)
    shown.resize(520, 420)
    shown.show()
    return shown


def _start(client: FakeClient, limits: QueueLimits = PRICED) -> Job:
    job = client.start_job(AskConfig(limits=limits))  # type: ignore[arg-type]
    job.receive(JobStarted(job_id=job.id))
    return job


def _tell(view: QueueView, job: Job, progress: QueueProgress = PROGRESS) -> None:
    job.receive(JobMetrics(job_id=job.id, steps=[1], values=[to_metrics(progress)]))
    view.refresh()


def test_view__says_what_it_will_show_before_there_is_anything(view: QueueView) -> None:
    assert view._nothing.isVisible()
    assert not view._card.isVisible()


def test_view__shows_a_job_that_asks_a_model_and_no_other(
    view: QueueView, client: FakeClient, training: Job
) -> None:
    assert view.job is None
    job = _start(client)
    assert view.job is job
    assert view.title.text() == job.title


def test_view__shows_counts_speed_cost_and_why_requests_failed(
    view: QueueView, client: FakeClient
) -> None:
    _tell(view, _start(client))
    figures = {name: value.text() for name, value in view.figures.items()}
    assert figures == {
        "Answered": "400", "Failed": "3", "Waiting": "588", "Answered before": "9",
        "Tokens": "340k", "Cost": "0.31 of 2.00", "Speed": "1.4 per second",
        "Time left": "about 7 min",
    }  # fmt: skip
    assert (view.bar.value(), view.bar.maximum()) == (412, 1000)
    assert "2 because the server failed" in view.failures.text()
    assert "asks to wait 12 s" in view.notes.text()


def test_buttons__pause_resume_stop_and_cancel_the_job(view: QueueView, client: FakeClient) -> None:
    job = _start(client)
    view.refresh()
    view.show()
    QApplication.processEvents()
    at = view.pause.mapTo(view, QPoint())
    view.pause.click()
    job.receive(JobPaused(job_id=job.id))
    view.refresh()
    assert view.pause.text() == "Resume"
    assert "nothing more is sent" in view.said.text()
    QApplication.processEvents()
    assert view.pause.mapTo(view, QPoint()) == at  # a second click finds it there
    assert view.figures["Time left"].text() == "–"
    view.pause.click()
    view.stop.click()
    view.cancel.click()
    assert [type(c) for c in client.sent] == [PauseJob, ResumeJob, StopJob, CancelJob]


def test_limit__is_changed_while_it_runs_and_hidden_where_nothing_is_paid(
    view: QueueView, client: FakeClient
) -> None:
    job = _start(client)
    _tell(view, job)
    assert view.cap.value() == 2.0
    assert not view.change_cap.isEnabled()
    view.cap.setValue(5.0)
    view.change_cap.click()
    assert client.sent == [AdjustJob(job_id=job.id, values={"most_cost": 5.0})]
    _start(client, QueueLimits())
    assert not view._cap_row.isVisible()


def test_end__is_summed_up_and_what_is_unfinished_can_be_resumed(
    view: QueueView, client: FakeClient
) -> None:
    job = _start(client)
    _tell(view, job, msgspec.structs.replace(PROGRESS, ended="cap"))
    job.receive(JobFinished(job_id=job.id, result=msgspec.Raw(b'{"asked": 1}')))
    view.refresh()
    assert "spending limit of 2.00 was reached" in view.said.text()
    assert view.again.isVisible()
    assert not view.pause.isVisible()
    assert not view.bar.isVisible()
    job = _start(client)
    _tell(view, job, msgspec.structs.replace(PROGRESS, ended="all"))
    job.receive(JobFinished(job_id=job.id, result=msgspec.Raw(b'{"asked": 1}')))
    view.refresh()
    assert not view.again.isVisible()


def test_failure__is_told_with_what_was_kept_and_the_way_out(
    view: QueueView, client: FakeClient
) -> None:
    job = _start(client)
    error = ErrorInfo(what="The <b>key</b> is wrong.", kept="All is kept.", next_step="Mend it.")
    job.receive(JobLog(job_id=job.id, message="<i>a line</i>"))
    job.receive(JobFailed(job_id=job.id, error=error))
    view.refresh()
    assert view.said.text() == "The <b>key</b> is wrong. All is kept. Mend it."
    assert view.said.textFormat().name == "PlainText"
    assert view.again.isVisible()
    view.show_log.click()
    assert view.log.toPlainText() == "<i>a line</i>"


def test_cancel__says_that_answers_are_kept(view: QueueView, client: FakeClient) -> None:
    job = _start(client)
    job.receive(JobCancelled(job_id=job.id))
    view.refresh()
    assert "All answers that had come are kept" in view.said.text()


def test_view__of_another_job_no_longer_hears_the_first(
    view: QueueView, client: FakeClient
) -> None:
    first = _start(client)
    _start(client)
    _tell(view, first)
    assert view.progress.answered == 0
