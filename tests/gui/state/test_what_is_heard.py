"""Nothing fails in silence: computations beside the window, threads, stale and lost answers."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator

import pytest
from frame_client import FakeClient, Heard
from PySide6.QtCore import QEvent, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from sae_desktop.activations.config import DescribeStoreConfig
from sae_desktop.client.engine_client import EngineClient
from sae_desktop.client.job import JobState
from sae_desktop.engine.protocol import ErrorInfo
from sae_desktop.errors import UserError
from sae_desktop.gui.frame.app import _WarmUp
from sae_desktop.gui.frame.main_window import MainWindow
from sae_desktop.gui.harvest.harvest import HarvestPanel
from sae_desktop.gui.parts import toasts as toasts_module
from sae_desktop.gui.parts.said import MessagesDialog
from sae_desktop.gui.state.background import Background
from sae_desktop.gui.state.error_hook import ErrorHook
from sae_desktop.gui.state.latest_job import LatestJob
from sae_desktop.gui.state.session import Session
from sae_desktop.language_model.config import DescribeModelConfig
from sae_desktop.project import Project


@pytest.fixture
def hook(qapp: object) -> Iterator[list[ErrorInfo]]:
    """What the error hook told."""
    hook, told = ErrorHook(), []
    hook.raised.connect(told.append)
    hook.install()
    yield told
    hook.remove()


def fail() -> None:
    raise ZeroDivisionError("a fault")


def refuse() -> None:
    raise UserError("The file is damaged.")


# ---------------------------------------------------------------------- beside the window
def test_computation_that_fails__is_told_and_the_next_is_run(qtbot: QtBot) -> None:
    work, refused, answered = Background(), [], []
    work.refused.connect(refused.append)
    work.answered.connect(answered.append)
    work.run("a", fail)
    qtbot.waitUntil(lambda: bool(refused), timeout=5_000)
    assert refused[0][0] == "a"
    assert "ZeroDivisionError" in refused[0][1].what
    assert not work.busy
    work.run("b", lambda: 3)
    qtbot.waitUntil(lambda: answered == [("b", 3)], timeout=5_000)


@pytest.mark.parametrize("computation", [fail, refuse])
def test_computation_whose_failure_nobody_hears__is_told_by_the_window(
    computation: object, hook: list[ErrorInfo], qtbot: QtBot
) -> None:
    work = Background()
    work.run("a", computation)  # type: ignore[arg-type]
    qtbot.waitUntil(lambda: bool(hook), timeout=5_000)
    assert not work.busy


def test_thread_that_dies__is_told_by_the_window(hook: list[ErrorInfo], qtbot: QtBot) -> None:
    thread = threading.Thread(target=fail)
    thread.start()
    qtbot.waitUntil(lambda: bool(hook), timeout=5_000)
    assert "Something went wrong in the window: ZeroDivisionError" in hook[0].what
    assert "fail" in hook[0].details


def test_warm_up__goes_on_when_a_library_is_broken(
    hook: list[ErrorInfo], qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sae_desktop.training.run_log", None)
    warm_up = _WarmUp()
    with qtbot.waitSignal(warm_up.done, timeout=20_000):
        warm_up.start()
    qtbot.waitUntil(lambda: bool(hook), timeout=5_000)


# ---------------------------------------------------------------------- answers
def question(name: str) -> DescribeStoreConfig:
    return DescribeStoreConfig(project="p", name=name)


def test_answer_to_an_older_question__is_not_shown(
    session: Session, client: FakeClient, qtbot: QtBot
) -> None:
    latest, answers = LatestJob(session, 0), []
    latest.answered.connect(answers.append)
    latest.failed.connect(answers.append)
    latest.ask(question("first"))
    qtbot.waitUntil(lambda: len(client.jobs) == 1, timeout=5_000)
    latest.ask(question("second"))
    client.fail(client.jobs[0], "of the first")  # it comes before the cancel is heard
    qtbot.waitUntil(lambda: len(client.jobs) == 2, timeout=5_000)
    assert answers == []
    client.fail(client.jobs[1], "of the second")
    assert [error.what for error in answers] == ["of the second"]


def test_finished_answer_to_an_older_question__is_not_shown(
    harvest: HarvestPanel, session: Session, client: FakeClient, qtbot: QtBot
) -> None:
    latest, answers = LatestJob(session, 0), []
    latest.answered.connect(answers.append)
    model = harvest.model.description
    assert model is not None
    before = len(client.jobs)
    latest.ask(DescribeModelConfig(model="one"))
    qtbot.waitUntil(lambda: len(client.jobs) == before + 1, timeout=5_000)
    latest.ask(DescribeModelConfig(model="two"))
    client.finish(client.jobs[before], model)
    assert answers == []
    qtbot.waitUntil(lambda: len(client.jobs) == before + 2, timeout=5_000)
    client.finish(client.jobs[before + 1], model)
    assert len(answers) == 1


def test_question_the_engine_was_not_there_for__is_asked_again_when_it_is(
    session: Session, client: FakeClient, qtbot: QtBot
) -> None:
    latest = LatestJob(session, 0)
    client.state = "stopped"
    latest.ask(question("store"))
    qtbot.waitUntil(lambda: len(client.jobs) == 1, timeout=5_000)
    client.fail(client.jobs[0], "needs the engine, which is not running")
    client.restart()
    qtbot.waitUntil(lambda: len(client.jobs) == 2, timeout=5_000)
    client.fail(client.jobs[1], "The store is damaged.")  # an answer: not asked for ever
    client.restart()
    qtbot.wait(50)
    assert len(client.jobs) == 2


def test_cancelled_job__takes_no_other_out_of_the_queue(qtbot: QtBot) -> None:
    client = EngineClient(command=["/nowhere/python"])
    jobs = [client.start_job(question(name)) for name in ("a", "b", "c")]
    jobs[1].cancel()
    assert [job.state for job in jobs] == [JobState.QUEUED, JobState.CANCELLED, JobState.QUEUED]
    assert [command.job_id for command in client._waiting] == [jobs[0].id, jobs[2].id]
    client.shutdown()


def test_harvest__lives_again_once_the_engine_runs(
    session: Session, client: FakeClient, project: Project, qtbot: QtBot
) -> None:
    client.state = "stopped"
    session.open_project(project.path)
    panel = HarvestPanel(session)
    qtbot.addWidget(panel)
    panel.show()
    client.fail(client.last(DescribeModelConfig), "needs the engine, which is not running.")
    offer = next(b for b in panel.findChildren(QPushButton) if b.text() == "Start the engine")
    assert not offer.isHidden()
    asked = len(client.started(DescribeModelConfig))
    offer.click()
    assert len(client.started(DescribeModelConfig)) == asked + 1
    panel.hide()


# ---------------------------------------------------------------------- toasts
def test_toasts__go_with_escape_and_with_time_and_stay_in_the_list(
    window: MainWindow, session: Session, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    session.show_error(UserError("The disk is full.", next_step="Free some."))
    session.notify("Written.")
    assert len(window.toasts.toasts()) == 2
    QTest.keyClick(window, Qt.Key.Key_Escape)
    (left,) = window.toasts.toasts()
    assert left.error.what == "The disk is full."
    QTest.keyClick(window, Qt.Key.Key_Escape)
    assert window.toasts.toasts() == []
    monkeypatch.setattr(toasts_module, "ERROR_MS", 10)
    session.show_error(UserError("Another failure."))
    window.toasts.toasts()[-1].leaveEvent(QEvent(QEvent.Type.Leave))  # nobody is reading it
    qtbot.waitUntil(lambda: window.toasts.toasts() == [], timeout=5_000)
    assert window.status.said.text() == "2"
    window.status.said.click()
    dialog = window.findChild(MessagesDialog)
    assert dialog is not None
    texts = [dialog.list.item(row).text()[8:] for row in range(dialog.list.count())]
    assert texts == ["Another failure.", "Written.", "The disk is full. Free some."]
    assert window.status.said.text() == ""
    dialog.close()


def test_toast__lets_a_click_through_to_what_lies_under_it(
    window: MainWindow, session: Session, qtbot: QtBot
) -> None:
    session.notify("Saved to a rather long path to some file that was written just now")
    (toast,) = window.toasts.toasts()
    clicked: list[None] = []
    button = QPushButton("under", window)
    button.setGeometry(toast.geometry())
    button.clicked.connect(lambda: clicked.append(None))
    button.show()
    toast.raise_()
    QTest.mouseClick(toast, Qt.MouseButton.LeftButton)
    assert clicked == [None]


def test_error_without_the_engine__offers_to_start_it(
    window: MainWindow, session: Session, client: FakeClient, heard: Heard
) -> None:
    client.crash("The engine was killed.")
    session.show_error(UserError("Match dictionaries needs the engine, which is not running."))
    toast = window.toasts.toasts()[-1]
    start = next(b for b in toast.findChildren(QPushButton) if b.text() == "Start the engine")
    start.click()
    assert client.restarts == 1
    assert start.isHidden()
