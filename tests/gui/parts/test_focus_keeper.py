"""The keyboard stays at a button that is disabled by being pressed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLineEdit, QPushButton, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from sae_desktop.gui.parts.focus_keeper import FocusKeeper


@pytest.fixture(autouse=True)
def keeper(qapp: QApplication) -> Iterator[None]:
    there = qapp.findChild(FocusKeeper)
    made = None if there else FocusKeeper(qapp)
    yield
    if made is not None:
        qapp.removeEventFilter(made)
        qapp.focusChanged.disconnect(made._on_focus_changed)
        made.deleteLater()


class Page(QWidget):
    """A button that disables itself, and after it one that deletes and a field."""

    def __init__(self) -> None:
        super().__init__()
        self.run = QPushButton("Run")
        self.run.clicked.connect(lambda: self.run.setEnabled(False))
        self.pressed = 0
        self.other = QPushButton("Delete")
        self.other.clicked.connect(self._count)
        self.field = QLineEdit()
        column = QVBoxLayout(self)
        for widget in (self.run, self.other, self.field):
            column.addWidget(widget)

    def _count(self) -> None:
        self.pressed += 1


@pytest.fixture
def page(qtbot: QtBot) -> Page:
    page = Page()
    qtbot.addWidget(page)
    page.show()
    page.activateWindow()
    qtbot.waitActive(page)
    page.run.setFocus()
    return page


def press(page: Page, key: Qt.Key) -> None:
    """Send a key where the application would: to what has the focus, else to the window."""
    QTest.keyClick(QApplication.focusWidget() or page, key)


def test_pressing_twice__presses_nothing_else(page: Page) -> None:
    press(page, Qt.Key.Key_Space)
    assert not page.run.isEnabled()
    assert not page.other.hasFocus()
    press(page, Qt.Key.Key_Space)
    assert page.pressed == 0


def test_button__has_the_keyboard_again_once_it_can_be_pressed(page: Page) -> None:
    press(page, Qt.Key.Key_Space)
    page.run.setEnabled(True)
    assert page.run.hasFocus()


def test_tab__goes_on_from_there(page: Page) -> None:
    press(page, Qt.Key.Key_Space)
    press(page, Qt.Key.Key_Tab)
    assert page.other.hasFocus()


def test_who_went_elsewhere__is_left_there(page: Page) -> None:
    press(page, Qt.Key.Key_Space)
    page.field.setFocus()
    page.run.setEnabled(True)
    assert page.field.hasFocus()
