"""Panels of plug-ins are docks of a workspace; one that fails takes nothing else along."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from index_session import Heard
from plugin_packages import install_example, install_module, plugins_from
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QListWidget, QWidget
from pytestqt.qtbot import QtBot
from shown_panel import shown

from sae_desktop.gui.explore.explore import ExplorePanel
from sae_desktop.gui.frame.plugin_panels import MOST_FAULTS, PluginPanels
from sae_desktop.gui.parts.plugged_panel import PanelHost, problem_of
from sae_desktop.gui.parts.workspace import DockInfo, Workspace
from sae_desktop.gui.state.error_hook import ErrorHook
from sae_desktop.gui.state.session import Session
from sae_desktop.plugins import kept
from sae_desktop.plugins.installed import installed

GOOD = """
from PySide6.QtWidgets import QPushButton

class Panel:
    plugin_api = 1
    title = "A button"
    workspace = "explore"

    def make(self, host):
        made = QPushButton("Press")
        made.clicked.connect(lambda: 1 / 0)
        return made
"""


@pytest.fixture
def target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "packages"
    folder.mkdir()
    with plugins_from(folder, monkeypatch, tmp_path / "config"):
        yield folder


class Window:
    """A window of one workspace."""

    def __init__(self, session: Session, explore: Workspace) -> None:
        self.session, self.explore = session, explore

    def workspace(self, name: str) -> Workspace:
        assert name == "explore"
        return self.explore


@pytest.fixture
def window(qtbot: QtBot, session: Session) -> Window:
    return Window(session, shown(qtbot, "explore", ExplorePanel(session)))


def _install(target: Path, name: str, text: str) -> None:
    entries = {"sae_desktop.panels": {name: f"panel_{name}:Panel"}}
    install_module(target, f"panel-{name}", text, entries)


def test_example__follows_the_feature_that_is_shown(
    window: Window, target: Path, session: Session
) -> None:
    install_example(target)
    session.select_feature(0)
    PluginPanels(window, window.explore).add()
    (dock,) = [d for d in window.explore.docks() if d.windowTitle() == "Tokens as a list"]
    assert dock.objectName() == "explore.plugin.tokens"
    listed = dock.widget()
    assert isinstance(listed, QListWidget)
    assert session.index is not None
    for feature in (0, 1):
        session.select_feature(feature)
        told = [listed.item(row).text() for row in range(listed.count())]
        tokens = session.index.firing_tokens(feature)
        assert told == [f"{one.token!r}: {one.firings:,}" for one in tokens]
        assert told


def test_failing_maker__is_told_and_the_next_panel_is_made(
    window: Window, target: Path, heard: Heard
) -> None:
    _install(target, "bad", GOOD.replace('made = QPushButton("Press")', "raise KeyError('no')"))
    _install(target, "good", GOOD)
    _install(target, "odd", GOOD.replace("return made", "return 3"))
    _install(target, "shape", GOOD.replace('"explore"', '"elsewhere"'))
    before = len(window.explore.docks())
    panels = PluginPanels(window, window.explore)
    panels.add()
    panels.add()
    assert len(window.explore.docks()) == before + 1
    first, second, third = (error.what for error in heard.errors)
    assert first == "The plug-in “bad” of panel-bad 1.0 failed: KeyError: 'no'"
    assert second.endswith("failed: TypeError: it made a int instead of a QWidget")
    assert third.startswith("The panel of the plug-in “shape” of panel-shape 1.0 is left out.")
    assert "circuits, explore, safety, steer, train" in third
    bad = installed()[0]
    fault = kept.fault_of(bad.key, bad.version)
    assert fault is not None
    assert fault.what == "KeyError: 'no'"


def test_panel_that_keeps_failing__is_closed_and_can_be_opened_again(
    window: Window, target: Path, session: Session, qtbot: QtBot, qapp: QApplication
) -> None:
    _install(target, "good", GOOD)
    panels = PluginPanels(window, window.explore)
    panels.add()
    dock = window.explore.docks()[-1]
    dock.raise_()
    dock.show()
    hook, errors, notices = ErrorHook(), [], []
    hook.raised.connect(errors.append)
    hook.pluginFailed.connect(panels.on_failed)
    session.noticeRaised.connect(notices.append)
    with qtbot.captureExceptions():
        hook.install()
        try:
            for number in range(MOST_FAULTS):
                assert dock.isVisibleTo(window.explore), number
                dock.widget().click()
        finally:
            hook.remove()
    assert len(errors) == MOST_FAULTS
    assert errors[0].what.startswith("The plug-in “good” of panel-good 1.0 failed: ZeroDivision")
    assert not dock.isVisibleTo(window.explore)
    assert notices == ["The panel “A button” was closed: it failed 3 times. The Panel menu opens "
                       "it again."]  # fmt: skip
    dock.toggleViewAction().trigger()
    assert dock.isVisibleTo(window.explore)


def test_dock_added_later__comes_where_it_was_left(qtbot: QtBot) -> None:
    area = Qt.DockWidgetArea

    def made() -> Workspace:
        space = Workspace(
            "w", QWidget(), [DockInfo("a", "A", QWidget(), area.RightDockWidgetArea, 90)]
        )
        qtbot.addWidget(space)
        space.resize(600, 400)
        space.show()
        return space

    first = made()
    dock = first.add_dock(DockInfo("plugin.b", "B", QWidget(), area.RightDockWidgetArea, 90))
    qtbot.waitUntil(lambda: bool(first.tabifiedDockWidgets(dock)))
    first.addDockWidget(area.LeftDockWidgetArea, dock)
    state = first.layout_state()
    second = made()
    assert second.restore_layout(state)
    again = second.add_dock(DockInfo("plugin.b", "B", QWidget(), area.RightDockWidgetArea, 90))
    assert second.dockWidgetArea(again) is area.LeftDockWidgetArea
    second.reset_layout()
    assert second.dockWidgetArea(again) is area.RightDockWidgetArea


def test_host__is_what_the_window_shows(session: Session, qtbot: QtBot) -> None:
    host = PanelHost(session, session)
    assert session.project is not None
    assert (host.project, host.index) == (session.project.path, "main")
    told: list[int] = []
    host.featureChanged.connect(told.append)
    host.show_feature(1)
    assert (told, host.feature) == ([1], 1)


def test_problem__names_what_a_panel_lacks() -> None:
    class Panel:
        title = "Words"
        workspace = "explore"

        def make(self, host: PanelHost) -> QWidget:
            raise NotImplementedError

    assert problem_of(Panel) == ""
    assert problem_of(type("Bare", (Panel,), {"make": None})) == "has no method “make”"
    assert problem_of(type("Bare", (Panel,), {"title": ""})) == "has no “title”, a text"
