"""Quitting in the middle of a training, and going on with it: two clicks, the engine for real."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ended_session import end
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QPushButton
from pytestqt.qtbot import QtBot

from sae_desktop.client.engine_client import EngineClient
from sae_desktop.gui.frame.app import make_application
from sae_desktop.gui.frame.leaving import LeavingDialog
from sae_desktop.gui.frame.main_window import MainWindow
from sae_desktop.gui.parts import theme
from sae_desktop.gui.state.session import Session
from sae_desktop.gui.state.settings import Settings
from sae_desktop.training.config import TrainConfig

_SECONDS = 120_000
Start = Callable[[], MainWindow]


@pytest.fixture
def start(qapp: QApplication, small_project: Path, tmp_path: Path, qtbot: QtBot) -> Iterator[Start]:
    make_application()
    theme.manager().apply("light")
    project = tmp_path / "mine.saeproj"
    shutil.copytree(small_project, project)
    windows: list[MainWindow] = []

    def begin() -> MainWindow:
        client = EngineClient()
        window = MainWindow(Session(client, tmp_path / "places"), Settings(), lambda _s: None)
        windows.append(window)
        window.resize(1280, 800)
        window.show()
        client.start()
        qtbot.waitUntil(lambda: client.state == "ready", timeout=_SECONDS)
        assert window.session.open_project(project)
        return window

    yield begin
    for window in windows:
        window.leave()
        window.deleteLater()
        end(window.session)


def click(button: QPushButton, qtbot: QtBot) -> None:
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def steps(window: MainWindow, name: str) -> int:
    job = next(j for j in window.session.client.jobs if isinstance(j.config, TrainConfig))
    assert job.config.name == name
    return 0 if job.progress is None else int(job.progress.done)


def test_training__is_left_with_one_click_and_resumed_with_another(
    start: Start, qtbot: QtBot
) -> None:
    window = start()
    window.show_workspace("train")
    training = window.workspace("train").main
    setup = training.setup
    qtbot.waitUntil(lambda: setup.form.fields["architecture"].count() > 1, timeout=_SECONDS)
    setup.form.choose_store("acts")
    setup.form.fields["features"].setValue(64)
    setup.form.fields["tokens"].setValue(50_000_000)
    qtbot.waitUntil(setup.start_button.isEnabled, timeout=_SECONDS)
    click(setup.start_button, qtbot)
    qtbot.waitUntil(lambda: bool(window.session.running_jobs()), timeout=_SECONDS)
    name = window.session.running_jobs()[0].config.name
    qtbot.waitUntil(lambda: steps(window, name) > 0, timeout=_SECONDS)

    window.close()
    dialog = window.findChild(LeavingDialog)
    assert dialog is not None
    click(dialog.stop, qtbot)  # the first click
    qtbot.waitUntil(lambda: not window.isVisible(), timeout=_SECONDS)

    again = start()
    assert again.session.workspace == "train"
    setup = again.workspace("train").main.setup
    qtbot.waitUntil(setup.start_button.isEnabled, timeout=_SECONDS)
    assert setup.start_button.text() == "Resume the training"
    board = again.workspace("train").main.board
    assert board.chosen == name, "its curves are in sight"
    assert name in board.curves.runs
    left = next(i for i in again.session.inventory.dictionaries if i.name == name)
    assert not left.complete
    click(setup.start_button, qtbot)  # and the second
    qtbot.waitUntil(lambda: steps(again, name) > 0, timeout=_SECONDS)
    job = again.session.running_jobs()[0]
    job.cancel()
    qtbot.waitUntil(lambda: job.ended, timeout=_SECONDS)
