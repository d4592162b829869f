"""“Copy as command” and “Copy as Python” beside every Start: the same button, the same words."""

from __future__ import annotations

import shlex

import pytest
from frame_client import FakeClient
from frame_project import add_run, add_store
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QToolButton, QWidget
from pytestqt.qtbot import QtBot

from sae_desktop.gui.forms.job_forms import EvaluateForm, ImportForm
from sae_desktop.gui.parts.copy_code import COMMAND, PYTHON, copy_code_button
from sae_desktop.gui.parts.job_list import JobRow
from sae_desktop.gui.safety.monitor_naming import RenameMonitorForm
from sae_desktop.gui.state.session import Session
from sae_desktop.project import Project
from sae_desktop.training.config import TrainConfig
from sae_desktop.words import as_code


def copied(button: QToolButton, text: str) -> str:
    """Choose an entry of the button's menu and return what is on the clipboard."""
    menu = button.menu()
    assert menu is not None
    next(action for action in menu.actions() if action.text() == text).trigger()
    return QGuiApplication.clipboard().text()


def buttons_in(widget: QWidget) -> list[QToolButton]:
    return [b for b in widget.findChildren(QToolButton) if b.text() == "Copy as…"]


@pytest.fixture
def opened(session: Session, project: Project) -> Session:
    add_store(project, "acts", rows=20, wanted=20)
    add_run(project, "done")
    session.open_project(project.path)
    return session


def test_form__copies_what_it_would_start(opened: Session, project: Project, qtbot: QtBot) -> None:
    form = EvaluateForm(opened, "done")
    qtbot.addWidget(form)
    form.rows.setValue(64)
    [button] = buttons_in(form)
    assert copied(button, COMMAND) == as_code.command(form.config())
    words = shlex.split(copied(button, COMMAND))
    assert words[:3] == ["sae-desktop", "evaluate", str(project.path)]
    assert words[words.index("--rows") + 1] == "64"
    code = copied(button, PYTHON)
    assert code == as_code.python(form.config())
    assert "rows=64" in code
    assert "from sae_desktop.api import EvaluateConfig, open_project" in code


def test_form__that_cannot_start_copies_nothing(
    opened: Session, project: Project, qtbot: QtBot
) -> None:
    form = ImportForm(opened, project.path / "x.npy")
    qtbot.addWidget(form)
    [button] = buttons_in(form)
    assert button.isEnabled()
    form.name.setText("acts")  # is there
    assert not button.isEnabled()


def test_form__that_starts_no_job_has_no_such_button(opened: Session, qtbot: QtBot) -> None:
    form = RenameMonitorForm(opened, "m", [], lambda old, new: None)
    qtbot.addWidget(form)
    assert buttons_in(form) == []


def test_row__of_any_job_copies_its_config(
    opened: Session, client: FakeClient, project: Project, qtbot: QtBot
) -> None:
    config = TrainConfig(project=str(project.path), name="d", activations="acts")
    job = opened.run(config)
    assert job is not None
    row = JobRow(job, opened)
    qtbot.addWidget(row)
    assert copied(row.copy, PYTHON) == as_code.python(config)


def test_button__says_what_is_missing(opened: Session, qtbot: QtBot) -> None:
    button = copy_code_button(opened, lambda: None)
    qtbot.addWidget(button)
    QGuiApplication.clipboard().setText("before")
    said: list[str] = []
    opened.noticeRaised.connect(said.append)
    assert copied(button, COMMAND) == "before"
    assert said == ["Nothing was copied: not everything is filled in yet."]
