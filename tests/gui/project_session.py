"""A session whose engine is the test, and the window on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ended_session import end
from frame_client import FakeClient, Heard
from frame_harvest import model
from frame_project import ARCHITECTURES, add_run, add_store
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from sae_desktop.gui.frame.app import make_application
from sae_desktop.gui.frame.main_window import MainWindow
from sae_desktop.gui.harvest.harvest import HarvestPanel
from sae_desktop.gui.parts import theme
from sae_desktop.gui.state.session import Session
from sae_desktop.gui.state.settings import Settings
from sae_desktop.gui.train.training import TrainingPanel
from sae_desktop.language_model.config import DescribeModelConfig
from sae_desktop.project import Project
from sae_desktop.training.architecture_info import (
    ArchitecturesDescription,
    DescribeArchitecturesConfig,
)


@pytest.fixture
def client(qapp: QApplication) -> FakeClient:
    make_application()
    theme.manager().apply("light")
    return FakeClient()


@pytest.fixture
def session(client: FakeClient) -> Iterator[Session]:
    session = Session(client)  # type: ignore[arg-type]
    yield session
    end(session)


@pytest.fixture
def heard(session: Session) -> Heard:
    heard = Heard()
    session.errorRaised.connect(heard.errors.append)
    session.noticeRaised.connect(heard.notices.append)
    session.workspaceRequested.connect(heard.workspaces.append)
    return heard


@pytest.fixture
def saved() -> list[Settings]:
    """Settings the window saved."""
    return []


@pytest.fixture
def settings() -> Settings:
    """What the Training panel remembers."""
    return Settings()


@pytest.fixture
def training(
    session: Session, project: Project, qtbot: QtBot, client: FakeClient, settings: Settings
) -> Iterator[TrainingPanel]:
    """The Training panel on a store “acts” and a run “done”; the architectures are known."""
    add_store(project, "acts", rows=4_000, wanted=4_000)
    add_run(project, "done")
    session.open_project(project.path)
    panel = TrainingPanel(session, settings)
    for dock in panel.docks():
        qtbot.addWidget(dock.widget)
    qtbot.addWidget(panel)
    panel.resize(800, 700)
    panel.show()
    panel.setup.show()
    described = ArchitecturesDescription(architectures=ARCHITECTURES)
    client.finish(client.last(DescribeArchitecturesConfig), described)
    yield panel
    panel.hide()
    panel.setup.hide()


@pytest.fixture
def harvest(
    session: Session, client: FakeClient, project: Project, qtbot: QtBot
) -> Iterator[HarvestPanel]:
    """The Harvest panel in an empty project; the model is described."""
    session.open_project(project.path)
    panel = HarvestPanel(session)
    qtbot.addWidget(panel)
    panel.resize(1200, 660)
    panel.show()
    client.finish(client.last(DescribeModelConfig), model())
    yield panel
    panel.hide()


@pytest.fixture
def asked(client: FakeClient, qtbot: QtBot) -> Callable[[type], Any]:
    """Waits until a question of a kind is open, and returns its job."""

    def wait(kind: type) -> Any:
        qtbot.waitUntil(lambda: any(not job.ended for job in client.started(kind)), timeout=5_000)
        return client.last(kind)

    return wait


@pytest.fixture
def window(session: Session, saved: list[Settings]) -> Iterator[MainWindow]:
    window = MainWindow(session, Settings(), saved.append)
    window.resize(1280, 800)
    window.show()
    yield window
    window.leave()
    window.deleteLater()
