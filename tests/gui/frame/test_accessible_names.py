"""Every control that Tab reaches has a name for a screen reader, in the window and its dialogs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAccessible
from PySide6.QtWidgets import (
    QAbstractScrollArea,
    QAbstractSpinBox,
    QComboBox,
    QDialog,
    QMenu,
    QPushButton,
    QTabBar,
    QVBoxLayout,
    QWidget,
)
from pytestqt.qtbot import QtBot
from test_default_buttons import DIALOGS, filled  # noqa: F401

from sae_desktop.gui.frame.main_window import MainWindow
from sae_desktop.gui.frame.menus import WORKSPACES
from sae_desktop.gui.state.session import Session
from sae_desktop.project import Project


def nameless(top: QWidget) -> list[str]:
    """Return where the controls are that Tab may reach and that have no name."""
    return [
        " in ".join(_way(widget))
        for widget in top.findChildren(QWidget)
        if widget.focusPolicy() & Qt.FocusPolicy.TabFocus
        and not _is_part_of_another(widget)
        and not _waits_for_words(widget)
        and not _name(widget)
    ]


def _name(widget: QWidget) -> str:
    read_out = QAccessible.queryAccessibleInterface(widget)
    return read_out.text(QAccessible.Text.Name).strip() if read_out is not None else ""


def _is_part_of_another(widget: QWidget) -> bool:
    """Tell whether it is read out as what it is in: the line of a number, a drop-down's list."""
    above = widget.parentWidget()
    if isinstance(above, QAbstractScrollArea) and widget is above.viewport():
        return True
    while above is not None:
        if isinstance(above, QAbstractSpinBox | QComboBox | QMenu):
            return True
        above = above.parentWidget()
    return False


def _waits_for_words(widget: QWidget) -> bool:
    """Tell whether it is shown once there is something to say on it: a button, a bar of tabs."""
    if isinstance(widget, QTabBar):
        return widget.count() == 0
    return isinstance(widget, QPushButton) and not widget.text() and not widget.isVisible()


def _way(widget: QWidget | None) -> Iterator[str]:
    while widget is not None:
        yield widget.objectName() or type(widget).__name__
        widget = widget.parentWidget()


def test_nameless__are_told_and_those_with_a_name_are_not(qtbot: QtBot) -> None:
    page = QWidget()
    qtbot.addWidget(page)
    layout = QVBoxLayout(page)
    shown, hidden, named = QPushButton(), QPushButton(), QPushButton("Train")
    for one in (shown, hidden, named, QComboBox()):
        layout.addWidget(one)
    shown.setObjectName("without")
    page.show()
    hidden.hide()
    assert nameless(page) == ["without in QWidget", "QComboBox in QWidget"]


@pytest.mark.parametrize("place", [name for name, _, _ in WORKSPACES])
def test_controls_of_a_workspace__have_names(
    window: MainWindow, project: Project, qtbot: QtBot, place: str
) -> None:
    window.session.open_project(project.path)
    window.show_workspace(place)
    qtbot.wait(50)
    assert nameless(window) == []


@pytest.mark.parametrize("kind", DIALOGS, ids=lambda kind: kind.__name__)
def test_controls_of_a_dialog__have_names(
    kind: type[QDialog],
    filled: Session,  # noqa: F811
    qtbot: QtBot,
) -> None:
    parent = QWidget()
    qtbot.addWidget(parent)
    make, _ = DIALOGS[kind]
    dialog = make(filled, parent)
    qtbot.addWidget(dialog)
    dialog.show()
    assert nameless(dialog) == []
