"""A panel in the middle of its workspace, in a window of its own."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QSize
from pytestqt.qtbot import QtBot

from sae_desktop.gui.parts.workspace import Workspace

SIZE = QSize(1280, 720)


def shown(qtbot: QtBot, name: str, panel: Any, size: QSize = SIZE) -> Workspace:
    """Show a panel with its docks; the workspace lives as long as the panel."""
    workspace = in_workspace(qtbot, name, panel)
    workspace.resize(size)
    workspace.show()
    qtbot.waitExposed(workspace)
    return workspace


def in_workspace(qtbot: QtBot, name: str, panel: Any) -> Workspace:
    """Put a panel and its docks into a workspace, with which they are deleted."""
    workspace = Workspace(name, panel, panel.docks())
    qtbot.addWidget(workspace)
    panel.workspace = workspace
    return workspace
