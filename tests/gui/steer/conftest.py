"""Tests of the workspace Steer have a session on a project with a small index."""

import pytest
from index_session import (  # noqa: F401
    _light_theme,
    client,
    empty_session,
    heard,
    index_file,
    session,
)
from pytestqt.qtbot import QtBot
from shown_panel import shown

from sae_desktop.gui.state.session import Session
from sae_desktop.gui.steer.steering import SteeringPanel


@pytest.fixture
def panel(qtbot: QtBot, session: Session) -> SteeringPanel:  # noqa: F811
    panel = SteeringPanel(session)
    shown(qtbot, "steer", panel)
    return panel
