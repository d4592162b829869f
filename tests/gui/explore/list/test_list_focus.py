"""The keyboard comes to the list while the open feature is not on it."""

from __future__ import annotations

from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from sae_desktop.features.reading.filter import FeatureFilter
from sae_desktop.gui.explore.explore import ExplorePanel
from sae_desktop.gui.state.session import Session


def test_list__leaves_the_open_feature_when_it_gets_the_keyboard(
    panel: ExplorePanel, session: Session, qtbot: QtBot
) -> None:
    session.select_feature(0)
    panel.list.set_conditions(FeatureFilter(languages=("zh",)))
    assert panel.list.model.row_of(0) is None
    panel.page.setFocus()
    panel.list.table.setFocus()
    assert session.feature == 0
    qtbot.keyClick(panel.list.table, Qt.Key.Key_Down)
    assert session.feature == panel.list.model.feature_at(0)
