"""The window's menus: from the table of menus, and what changes while the window is open."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from PySide6.QtWidgets import QMenu, QMenuBar, QWidget

from sae_desktop.gui.frame.menus import MENUS
from sae_desktop.gui.parts.actions import ActionRegistry
from sae_desktop.gui.parts.workspace import Workspace
from sae_desktop.gui.state.session import Session
from sae_desktop.gui.state.settings import Settings


class Frame(Protocol):
    """What the menus ask of the window."""

    session: Session
    settings: Settings
    registry: ActionRegistry

    def workspace(self, name: str) -> Workspace: ...
    def show_workspace(self, name: str) -> None: ...
    def current(self) -> QWidget | None: ...


class Menus:
    """Fills a menu bar and keeps it up to date."""

    file_menu: QMenu

    def __init__(self, window: Frame, bar: QMenuBar) -> None:
        self._window, self._bar = window, bar
        self._build()

    def _build(self) -> None:
        for title, ids in MENUS.items():
            menu = self._bar.addMenu(title)
            for action_id in ids:
                if not action_id:
                    menu.addSeparator()
                elif self._window.registry.has(action_id):
                    menu.addAction(self._window.registry.action(action_id))
            menu.aboutToShow.connect(self._window.registry.refresh)
            if title == "&File":
                self._recent = QMenu("Open recent", menu)
                self._recent.aboutToShow.connect(self._fill_recent)
                menu.insertMenu(
                    self._window.registry.action("project.open_demonstration"), self._recent
                )
                self._import = QMenu("Import", menu)
                self._import.aboutToShow.connect(self._fill_import)
                menu.insertMenu(self._window.registry.action("project.reveal"), self._import)
                menu.setToolTipsVisible(True)  # what each demonstration is
                self.file_menu = menu
        self._panel_menu = QMenu("&Panel", self._bar)
        self._panel_menu.aboutToShow.connect(self._fill_panel_menu)
        self._bar.insertMenu(self._bar.actions()[3], self._panel_menu)

    def _fill_recent(self) -> None:
        self._recent.clear()
        for path in self._window.settings.recent_projects:
            action = self._recent.addAction(path)
            action.triggered.connect(
                lambda _checked=False, path=path: self._window.session.open_project(Path(path))
            )
        if self._recent.isEmpty():
            self._recent.addAction("Nothing yet").setEnabled(False)

    def _fill_import(self) -> None:
        """Offer what the Project workspace can bring in; it is shown with its dialog."""
        self._import.clear()
        for info in self._window.workspace("project").action_infos():
            if info.id.startswith("project.import"):
                action = self._import.addAction(info.text)
                action.setEnabled(info.enabled_when is None or info.enabled_when())
                action.triggered.connect(
                    lambda _checked=False, info=info: self._run_in("project", info.id)
                )

    def _run_in(self, workspace: str, action_id: str) -> None:
        """Do what belongs to a workspace where it can be seen."""
        self._window.show_workspace(workspace)
        self._window.registry.trigger(action_id)

    def _fill_panel_menu(self) -> None:
        self._panel_menu.clear()
        workspace = self._window.current()
        if isinstance(workspace, Workspace):
            self._window.registry.refresh()
            for info in workspace.action_infos():
                self._panel_menu.addAction(self._window.registry.action(info.id))
            self._panel_menu.addSeparator()
            for dock in workspace.docks():
                self._panel_menu.addAction(dock.toggleViewAction())
