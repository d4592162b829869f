"""Tests of the place Labels have an index whose features have automatic names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from index_session import FakeClient
from made_names import write_made_names
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot
from shown_panel import SIZE

from sae_desktop.gui.explore.labels.labels_panel import DESK, LabelsPanel
from sae_desktop.gui.explore.labels.reading_desk import ReadingDesk
from sae_desktop.gui.state.session import Session
from sae_desktop.project import Project


@pytest.fixture
def session(empty_session: Session, project: Project, index_file: Path) -> Iterator[Session]:
    """A session with the index “main” open, its features named by statistics."""
    folder = project.path / "features"
    folder.mkdir()
    (folder / "main.h5").write_bytes(index_file.read_bytes())
    write_made_names(folder / "main.h5")
    assert empty_session.open_project(project.path)
    yield empty_session
    empty_session.close_project()


@pytest.fixture
def labels(qtbot: QtBot, session: Session, client: FakeClient) -> LabelsPanel:
    """The place Labels in a window of its own; the list would show features 9, 3 and 7."""
    panel = LabelsPanel(session, lambda: np.array([9, 3, 7]))
    show_alone(qtbot, panel)
    return panel


def show_alone(qtbot: QtBot, widget: QWidget) -> None:
    qtbot.addWidget(widget)
    widget.resize(SIZE)
    widget.show()
    widget.activateWindow()
    qtbot.waitActive(widget)


@pytest.fixture
def desk(labels: LabelsPanel) -> ReadingDesk:
    """The reading desk in front, at the first of its features."""
    labels.show_place(DESK)
    labels.read()
    return labels.desk
