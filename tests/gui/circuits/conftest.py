"""A project with made graphs, and the Circuits panel on it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from made_graphs import save_made_graph
from pytestqt.qtbot import QtBot

from sae_desktop.gui.circuits.circuits import CircuitsPanel
from sae_desktop.gui.parts.workspace import Workspace
from sae_desktop.gui.state.session import Session
from sae_desktop.project import Project


@pytest.fixture
def graphs(project: Project) -> Project:
    """A project with the graphs “one” and “two”."""
    folder = project.path / "graphs"
    folder.mkdir()
    save_made_graph(folder / "one.h5", name="one", features=80, layers=4, seed=1)
    save_made_graph(folder / "two.h5", name="two", features=60, layers=4, seed=2)
    return project


@pytest.fixture
def circuits(session: Session, graphs: Project, qtbot: QtBot) -> Iterator[CircuitsPanel]:
    """The panel with the graph “one” open, in its workspace."""
    session.open_project(graphs.path)
    panel = CircuitsPanel(session)
    workspace = Workspace("circuits", panel, panel.docks(), places=panel.places)
    qtbot.addWidget(workspace)
    workspace.resize(1200, 640)
    workspace.show()
    qtbot.waitExposed(workspace)
    panel.workspace = workspace  # type: ignore[attr-defined]
    assert panel.opened.open("one")
    yield panel
    workspace.hide()
