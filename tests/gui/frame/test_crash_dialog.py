"""Crash reports in the window: what failed, read, kept and deleted."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from PySide6.QtGui import QGuiApplication
from pytestqt.qtbot import QtBot

from sae_desktop.client.engine_exit import EngineExit
from sae_desktop.errors import UserError
from sae_desktop.gui.frame.crash_reports import CrashReportsDialog
from sae_desktop.gui.frame.main_window import MainWindow
from sae_desktop.gui.state.error_hook import ErrorHook


@pytest.fixture(autouse=True)
def kept_here(window: MainWindow, tmp_path: Path) -> None:
    window.session.crashes.folder = tmp_path / "crashes"


def opened(window: MainWindow) -> CrashReportsDialog:
    window.open_crash_reports()
    dialog = window.findChild(CrashReportsDialog)
    assert dialog is not None
    return dialog


def raised(hook: ErrorHook, error: Exception) -> None:
    try:
        raise error
    except type(error):
        hook._on_exception(*sys.exc_info())  # type: ignore[arg-type]


def test_dialog__says_that_there_is_nothing(window: MainWindow, qtbot: QtBot) -> None:
    dialog = opened(window)
    assert dialog.nothing.isVisible()
    assert not dialog.copy_button.isEnabled()
    assert not dialog.delete_button.isEnabled()
    dialog.close()


def test_dialog__takes_a_fault_of_the_program_and_no_refusal(
    window: MainWindow, qtbot: QtBot
) -> None:
    hook = ErrorHook()
    hook.faulted.connect(window.session.take_crash)
    dialog = opened(window)
    raised(hook, UserError("The disk is full."))
    assert dialog.list.count() == 0
    raised(hook, ValueError("seven"))
    assert dialog.list.count() == 1
    assert "ValueError: seven" in dialog.text.toPlainText()
    assert "Traceback" in dialog.text.toPlainText()
    assert "(not kept)" in dialog.list.item(0).text()
    dialog.copy()
    assert QGuiApplication.clipboard().text() == dialog.text.toPlainText()
    dialog.keep_button.click()
    assert "(not kept)" not in dialog.list.item(0).text()
    assert not dialog.keep_button.isEnabled()
    assert len(list(window.session.crashes.folder.iterdir())) == 1
    dialog.delete_button.click()
    assert dialog.nothing.isVisible()
    assert list(window.session.crashes.folder.iterdir()) == []
    dialog.close()


def test_dialog__keeps_every_report_once_it_is_asked_to(window: MainWindow, qtbot: QtBot) -> None:
    dialog = opened(window)
    dialog.always.click()
    assert window.settings.keep_crashes
    exit_ = EngineExit("The engine was killed (SIGKILL).", "SIGKILL", 9, "last words")
    window._on_engine_crashed(exit_)
    assert "(not kept)" not in dialog.list.item(0).text()
    assert "last words" in dialog.text.toPlainText()
    assert len(window.session.crashes.kept()) == 1
    window.preferences.choose("keep_crashes", False)
    assert not dialog.always.isChecked()
    dialog.close()
