"""Tests of the workspace Explore have a session on a project with a small index."""

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

from sae_desktop.gui.explore.explore import ExplorePanel
from sae_desktop.gui.state.session import Session


@pytest.fixture
def panel(qtbot: QtBot, session: Session) -> ExplorePanel:  # noqa: F811
    return shown(qtbot, ExplorePanel(session))
