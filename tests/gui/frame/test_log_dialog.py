"""The log in the window: newest lines, filters, following, copying, and hostile text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from sae_desktop.gui.frame import log_dialog
from sae_desktop.gui.frame.log_dialog import LogDialog
from sae_desktop.gui.frame.main_window import MainWindow
from sae_desktop.reports.logs import engine_log, window_log
from sae_desktop.storage.own_folders import log_folder


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(log_dialog, "_FOLLOW_MS", 20)
    return tmp_path


@pytest.fixture
def opened(window: MainWindow, qtbot: QtBot) -> Iterator[LogDialog]:
    said("WARNING", "a: a pear")
    said("ERROR", "a: an apple")
    said("INFO", "b: of the engine", path=engine_log())
    window.registry.action("help.log").trigger()
    dialog = window.findChild(LogDialog)
    assert dialog is not None
    qtbot.waitUntil(lambda: "of the engine" in dialog.text.toPlainText())
    yield dialog
    dialog.close()


def said(level: str, text: str, path: Path | None = None) -> None:
    path = path or window_log()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(f"2026-11-30 10:00:00,000 {level} {text}\n")


def choose(dialog: LogDialog, name: str, value: str) -> None:
    box = getattr(dialog, name)
    box.setCurrentIndex(box.findData(value))


def lines(dialog: LogDialog) -> list[str]:
    return dialog.text.toPlainText().splitlines()


def test_log__is_filtered_by_level_source_and_text(opened: LogDialog) -> None:
    assert len(lines(opened)) == 3
    choose(opened, "level", "ERROR")
    assert len(lines(opened)) == 1
    assert "an apple" in lines(opened)[0]
    choose(opened, "level", "DEBUG")
    choose(opened, "source", "engine")
    assert ["of the engine" in line for line in lines(opened)] == [True]
    choose(opened, "source", "")
    opened.field.setText("PEAR")
    assert ["a pear" in line for line in lines(opened)] == [True]
    opened.field.setText("zebra")
    assert opened.text.isHidden()
    assert "No line fits" in opened.nothing.text()
    assert not opened.copy_button.isEnabled()


def test_log__follows_a_growing_file_until_it_is_told_not_to(
    opened: LogDialog, qtbot: QtBot
) -> None:
    said("INFO", "a: it goes on")
    qtbot.waitUntil(lambda: "it goes on" in opened.text.toPlainText())
    opened.follow.setChecked(False)
    qtbot.waitUntil(lambda: not opened._reading.busy)
    said("INFO", "a: unheard")
    qtbot.wait(150)
    assert "unheard" not in opened.text.toPlainText()
    opened.follow.setChecked(True)
    qtbot.waitUntil(lambda: "unheard" in opened.text.toPlainText())
    bar = opened.text.verticalScrollBar()
    assert bar.value() == bar.maximum()


def test_log__shows_hostile_lines_as_text_and_keeps_its_width(
    opened: LogDialog, qtbot: QtBot
) -> None:
    before = opened.width()
    said("ERROR", f"a: <img src='file:///etc/passwd'>\x1b[31m{'x' * 50_000}")
    qtbot.waitUntil(lambda: "img src" in opened.text.toPlainText())
    QApplication.processEvents()
    assert "<img src='file:///etc/passwd'>␛[31m" in opened.text.toPlainText()
    assert opened.width() == before
    assert opened.minimumSizeHint().width() < 900


def test_log__is_copied_as_it_is_shown(opened: LogDialog) -> None:
    choose(opened, "level", "ERROR")
    opened.copy_button.click()
    assert QApplication.clipboard().text() == lines(opened)[0]


def test_log__is_shown_in_its_folder(opened: LogDialog, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Path] = []
    monkeypatch.setattr(log_dialog, "reveal", shown.append)
    opened.folder_button.click()
    assert shown == [log_folder()]


def test_an_empty_log__says_what_will_be_written_where(window: MainWindow, qtbot: QtBot) -> None:
    window.registry.action("help.log").trigger()
    dialog = window.findChild(LogDialog)
    assert dialog is not None
    assert dialog.text.isHidden()
    assert str(log_folder()) in dialog.nothing.text()
    assert not dialog.folder_button.isEnabled()
    qtbot.waitUntil(lambda: not dialog._reading.busy)
    dialog.close()


def test_the_engines_log__is_the_same_dialog(opened: LogDialog, window: MainWindow) -> None:
    window.registry.action("engine.log").trigger()
    assert window.findChildren(LogDialog) == [opened]
    assert ["of the engine" in line for line in lines(opened)] == [True]
