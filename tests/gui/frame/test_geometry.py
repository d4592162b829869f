"""Nothing is cut: buttons have room for their texts, drop-downs for their entries."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, QObject, QPoint, QSize, Qt
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QCheckBox,
    QComboBox,
    QRadioButton,
    QTabBar,
    QWidget,
)
from pytestqt.qtbot import QtBot

from sae_desktop.gui.frame.main_window import MainWindow
from sae_desktop.gui.frame.menus import WORKSPACES
from sae_desktop.gui.parts import theme
from sae_desktop.gui.parts.workspace import DockInfo, Workspace
from sae_desktop.gui.state.session import Session
from sae_desktop.gui.state.settings import Settings
from sae_desktop.project import Project


@pytest.mark.parametrize("count", [1, 2, 5, 10])
@pytest.mark.parametrize("mode", ["light", "dark"])
def test_drop_down__shows_every_entry(qtbot: QtBot, count: int, mode: str) -> None:
    theme.manager().apply(mode)
    page = QWidget()
    qtbot.addWidget(page)
    box = QComboBox(page)
    box.addItems([f"Entry {n}" for n in range(count)])
    page.resize(300, 100)
    page.show()
    qtbot.waitExposed(page)
    box.showPopup()
    view = box.view()
    qtbot.waitUntil(view.isVisible)
    last = view.visualRect(view.model().index(count - 1, 0))
    assert view.viewport().rect().contains(last)
    assert view.verticalScrollBar().maximum() == 0
    # Nothing lies over it, such as the arrows of a list that has no room.
    bottom = view.viewport().mapTo(view.window(), last.bottomLeft() + QPoint(2, 0))
    assert view.window().childAt(bottom) is view.viewport()
    box.hidePopup()
    theme.manager().apply("light")


@pytest.mark.parametrize("width", [1200, 1280])
def test_buttons__have_room_for_their_texts_in_a_small_window(
    window: MainWindow, project: Project, qtbot: QtBot, width: int
) -> None:
    window.session.open_project(project.path)
    window.resize(width, 680)
    cut = []
    for name, _, _ in WORKSPACES:
        window.show_workspace(name)
        qtbot.wait(50)
        assert window.size() == QSize(width, 680), f"{name} makes the window larger"
        for button in window.findChildren(QAbstractButton):
            if (
                button.isVisible()
                and button.text()
                and not isinstance(button, QCheckBox | QRadioButton)
            ):
                room, needed = button.width(), button.sizeHint().width()
                cut += [(name, button.text(), room, needed)] if room < needed - 1 else []
    assert not cut


def test_first_window__fits_its_screen(
    session: Session, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    class SmallScreen:
        def availableSize(self) -> QSize:
            return QSize(1280, 720)

    monkeypatch.setattr(MainWindow, "screen", lambda _self: SmallScreen())
    window = MainWindow(session, Settings(), lambda _settings: None)
    qtbot.addWidget(window)
    assert window.width() <= 1280
    assert window.height() <= 720 - 40
    assert window.minimumHeight() <= 680


def test_tabs_of_panels__stand_where_their_panels_are_and_nowhere_else(
    window: MainWindow, project: Project, qtbot: QtBot
) -> None:
    window.session.open_project(project.path)
    for name, _, _ in WORKSPACES:
        window.show_workspace(name)
        space = window.workspace(name)
        qtbot.waitUntil(lambda space=space: not space._settling.isActive(), timeout=5000)
        direct = Qt.FindChildOption.FindDirectChildrenOnly
        bars = [bar for bar in space.findChildren(QTabBar, options=direct) if bar.isVisible()]
        shown = [tuple(bar.tabText(n) for n in range(bar.count())) for bar in bars]
        assert len(set(shown)) == len(shown), name


def test_workspaces__with_every_panel_open_fit_a_small_window(
    window: MainWindow, project: Project, qtbot: QtBot
) -> None:
    """1280×720 less the rail, the bars and a banner; a larger one would be painted over."""
    window.session.open_project(project.path)
    for name, _, _ in WORKSPACES:
        window.show_workspace(name)
        space = window.workspace(name)
        for dock in space.docks():
            dock.show()
        qtbot.wait(20)
        least = space.minimumSizeHint()
        assert (least.width() <= 1204, least.height() <= 579) == (True, True), (name, least)


class _Shown(QObject):
    """Notes every widget that is shown as a window of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.windows: list[str] = []

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Show and isinstance(watched, QWidget) and watched.isWindow():
            self.windows.append(f"{type(watched).__name__} {watched.accessibleName()}")
        return False


def test_workspaces__open_inside_the_window_and_nothing_beside_it(
    window: MainWindow, small_project: Path, qtbot: QtBot
) -> None:
    """A widget shown before it has a place flashes as a window and takes the keyboard."""
    shown = _Shown()
    QApplication.instance().installEventFilter(shown)
    window.session.open_project(small_project)
    for name, _, _ in WORKSPACES:
        window.show_workspace(name)
        for dock in window.workspace(name).docks():
            dock.show()
        qtbot.wait(20)
    QApplication.instance().removeEventFilter(shown)
    assert shown.windows == []


def _space(qtbot: QtBot) -> Workspace:
    main = QWidget()
    main.action_infos = list  # type: ignore[attr-defined]
    left = Qt.DockWidgetArea.LeftDockWidgetArea
    space = Workspace("s", main, [DockInfo("side", "Side", QWidget(), left, 200)])
    qtbot.addWidget(space)
    return space


def test_docks__are_as_wide_as_they_were_once_the_window_has_its_size(qtbot: QtBot) -> None:
    """A maximised window gets its size after it is shown."""
    first = _space(qtbot)
    first.resize(1500, 600)
    first.show()
    qtbot.waitExposed(first)
    qtbot.wait(20)
    first.resizeDocks(first.docks(), [900], Qt.Orientation.Horizontal)
    qtbot.wait(20)
    assert first.docks()[0].width() == 900
    again = _space(qtbot)
    again.resize(500, 400)
    assert again.restore_layout(first.layout_state())
    again.show()
    qtbot.waitExposed(again)
    again.resize(1500, 600)
    qtbot.wait(20)
    assert again.docks()[0].width() == pytest.approx(900, abs=8)
