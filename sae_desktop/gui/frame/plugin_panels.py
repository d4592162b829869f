"""The panels of plug-ins, put into the workspaces once the window has been shown."""

from __future__ import annotations

from collections import Counter
from typing import Protocol

from PySide6.QtCore import QObject, Qt
from PySide6.QtWidgets import QDockWidget

from sae_desktop.errors import UserError
from sae_desktop.gui.parts.plugged_panel import PanelHost, builtin_names, made_panel
from sae_desktop.gui.parts.workspace import DockInfo, Workspace
from sae_desktop.gui.state.session import Session
from sae_desktop.plugins import kept
from sae_desktop.plugins.installed import Plugin, usable
from sae_desktop.plugins.loading import fault, load

_WIDTH = 280
MOST_FAULTS = 3
"""Exceptions in one panel after which it is closed: one that cannot be painted fails for ever."""


class Frame(Protocol):
    """What is asked of the window."""

    session: Session

    def workspace(self, name: str) -> Workspace: ...


class PluginPanels(QObject):
    """Makes each panel once; one that fails is told of, and left out or closed."""

    def __init__(self, window: Frame, parent: QObject) -> None:
        super().__init__(parent)
        self._window, self._host = window, PanelHost(window.session, parent)
        self._docks: dict[Plugin, QDockWidget] = {}
        self._faults: Counter[Plugin] = Counter()
        self._added = False

    def add(self) -> None:
        """Make the panels of all plug-ins that are on; later calls do nothing."""
        if self._added:
            return
        self._added = True
        for plugin in usable("panels", builtin_names()).values():
            try:
                self._add(plugin)
            except UserError as error:
                self._window.session.show_error(error)

    def _add(self, plugin: Plugin) -> None:
        try:
            found = load(plugin)
        except UserError as error:
            raise UserError(
                f"The panel of the plug-in {plugin.called} is left out. {error.what}",
                next_step=error.next_step,
            ) from error
        try:
            # What ends the process here must not do so at every start.
            with kept.loading(plugin.key, plugin.version):
                widget = made_panel(found, self._host)
        except Exception as error:
            raise fault(plugin, error) from error
        info = DockInfo(
            f"plugin.{plugin.name}", found.title, widget, Qt.DockWidgetArea.RightDockWidgetArea,
            _WIDTH,
        )  # fmt: skip
        self._docks[plugin] = self._window.workspace(found.workspace).add_dock(info)

    def on_failed(self, plugin: Plugin) -> None:
        """Count an exception that a plug-in raised in the window; close a panel of too many."""
        dock = self._docks.get(plugin)
        self._faults[plugin] += 1
        if dock is not None and dock.isVisible() and self._faults[plugin] >= MOST_FAULTS:
            self._faults[plugin] = 0
            dock.close()
            self._window.session.notify(
                f"The panel “{dock.windowTitle()}” was closed: it failed {MOST_FAULTS} times. The "
                "Panel menu opens it again."
            )
