"""A panel of the Explore workspace in a window of its own."""

from __future__ import annotations

from pytestqt.qtbot import QtBot

from sae_desktop.gui.explore.explore import ExplorePanel
from sae_desktop.gui.parts.workspace import Workspace


def shown(qtbot: QtBot, panel: ExplorePanel) -> ExplorePanel:
    workspace = Workspace("explore", panel, panel.docks())
    qtbot.addWidget(workspace)
    workspace.resize(1280, 720)
    workspace.show()
    qtbot.waitExposed(workspace)
    panel.workspace = workspace  # kept alive with the panel
    return panel
