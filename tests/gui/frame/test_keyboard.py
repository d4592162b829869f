"""Tab reaches every control that is seen, in the order in which one reads, and no other."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QApplication,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QTableView,
    QVBoxLayout,
    QWidget,
)
from pytestqt.qtbot import QtBot

import sae_desktop
from sae_desktop.gui.frame.main_window import MainWindow
from sae_desktop.gui.frame.menus import WORKSPACES
from sae_desktop.gui.parts.tab_order import hands_on, move_focus, tab_order
from sae_desktop.project import Project


def _walk(window: MainWindow, key: Qt.Key) -> list[QWidget]:
    """Press a key until the keyboard is somewhere for the second time."""
    stops: list[QWidget] = []
    present = QApplication.focusWidget()
    while present is not None and present not in stops:
        stops.append(present)
        QTest.keyClick(present, key)
        present = QApplication.focusWidget()
    assert present is stops[0], "the keyboard is caught in a part of the window"
    return stops


@pytest.mark.parametrize("name", [name for name, _, _ in WORKSPACES])
def test_tab__reaches_every_control_of_a_workspace_and_comes_back(
    window: MainWindow, project: Project, qtbot: QtBot, name: str
) -> None:
    window.session.open_project(project.path)
    window.activateWindow()
    window.show_workspace(name)
    qtbot.wait(50)
    tab_order(window)[0].setFocus()
    forward = _walk(window, Qt.Key.Key_Tab)
    assert forward == tab_order(window)
    assert all(stop.accessibleName() or stop.property("text") for stop in forward)
    backward = _walk(window, Qt.Key.Key_Backtab)
    assert backward == [forward[0], *reversed(forward[1:])]
    # What is not reached has no place in sight, or takes no keyboard.
    tab = Qt.FocusPolicy.TabFocus
    for widget in window.findChildren(QWidget):
        takes = (widget.focusPolicy() & tab) == tab and not hands_on(widget)
        if takes and widget.isEnabled() and not widget.visibleRegion().isEmpty():
            assert widget in forward or widget.isWindow()


def test_tab__passes_panels_behind_others_and_stops_at_those_in_front(
    window: MainWindow, project: Project, qtbot: QtBot
) -> None:
    window.session.open_project(project.path)
    window.show_workspace("train")
    qtbot.wait(50)
    names = {stop.accessibleName() for stop in tab_order(window)}
    assert {"Target", "Architecture", "Runs"} <= names
    assert "Seed for the sweep" not in names


def test_nothing__asks_for_a_focus_proxy() -> None:
    """PySide makes the one it returns a child of the one that was asked, and deletes it so."""
    root = Path(sae_desktop.__file__).parent
    asking = [p for p in root.rglob("*.py") if ".focusProxy()" in p.read_text(encoding="utf-8")]
    assert not asking


def test_tab__leaves_every_table(window: MainWindow, project: Project) -> None:
    window.session.open_project(project.path)
    for name, _, _ in WORKSPACES:
        for table in window.workspace(name).findChildren(QTableView):
            assert not table.tabKeyNavigation(), table.accessibleName()


def test_order__goes_through_a_column_before_the_next_and_scrolls_to_what_is_out_of_sight(
    qtbot: QtBot,
) -> None:
    page = QWidget()
    qtbot.addWidget(page)
    columns = {side: QVBoxLayout() for side in ("left", "right")}
    row = QHBoxLayout(page)
    names = {}
    inner = QWidget()
    last = QPushButton("last")
    for side in ("right", "left"):  # made in another order than they stand in
        holder = inner if side == "right" else QWidget()
        holder.setLayout(columns[side])
        for number in (1, 2):
            names[f"{side} {number}"] = field = QLineEdit()
            columns[side].addWidget(field)
        if side == "left":
            row.insertWidget(0, holder)
        else:
            columns[side].addSpacing(2000)
            columns[side].addWidget(last)
            scroll = QScrollArea()
            scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            scroll.setWidgetResizable(True)
            scroll.setWidget(holder)
            row.addWidget(scroll)
    page.resize(600, 300)
    page.show()
    qtbot.waitExposed(page)
    wanted = [names[name] for name in ("left 1", "left 2", "right 1", "right 2")]
    assert tab_order(page) == [*wanted, last]
    assert last.visibleRegion().isEmpty()
    names["right 2"].setFocus()
    move_focus(page, forward=True)
    assert not last.visibleRegion().isEmpty()
    names["left 2"].setEnabled(False)
    assert tab_order(page) == [wanted[0], *wanted[2:], last]
