"""A session whose engine is the test, and the window on it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from frame_client import FakeClient, Heard
from PySide6.QtWidgets import QApplication

from sae_desktop.gui import theme
from sae_desktop.gui.app import make_application
from sae_desktop.gui.main_window import MainWindow
from sae_desktop.gui.session import Session
from sae_desktop.gui.settings import Settings


@pytest.fixture
def client(qapp: QApplication) -> FakeClient:
    make_application()
    theme.manager().apply("light")
    return FakeClient()


@pytest.fixture
def session(client: FakeClient) -> Iterator[Session]:
    session = Session(client)  # type: ignore[arg-type]
    yield session
    session.close_project()


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
def window(session: Session, saved: list[Settings]) -> Iterator[MainWindow]:
    window = MainWindow(session, Settings(), saved.append)
    window.resize(1280, 800)
    window.show()
    yield window
    window.close()
    window.deleteLater()
