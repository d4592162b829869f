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
from other_dictionary import add_dictionaries
from pytestqt.qtbot import QtBot
from shown_panel import shown

from sae_desktop.gui.explore.explore import ExplorePanel
from sae_desktop.gui.state.session import Session
from sae_desktop.words.inventory import take_inventory


@pytest.fixture
def panel(qtbot: QtBot, session: Session) -> ExplorePanel:  # noqa: F811
    panel = ExplorePanel(session)
    shown(qtbot, "explore", panel)
    return panel


@pytest.fixture
def with_dictionaries(session: Session) -> Session:  # noqa: F811
    assert session.project is not None
    add_dictionaries(session.project)
    session.inventory = take_inventory(session.project)
    return session
