"""One goes up and down the layers of a set, and what is asked of the list comes along."""

from __future__ import annotations

import pytest
from pytestqt.qtbot import QtBot
from set_project import add_set
from shown_panel import shown

from sae_desktop.gui.explore.explore import ExplorePanel
from sae_desktop.gui.state.session import Session


@pytest.fixture
def panel(qtbot: QtBot, session: Session) -> ExplorePanel:
    assert session.project is not None
    add_set(session.project, "whole", layers=4, indexed=(0, 1, 3))
    session.look_again()
    panel = ExplorePanel(session)
    shown(qtbot, "explore", panel)
    return panel


def test_layers__are_offered_only_where_the_open_dictionary_is_one(
    panel: ExplorePanel, session: Session
) -> None:
    assert not panel.layer.isVisible()
    session.open_index("whole.L01")
    assert panel.layer.isVisible()
    box = panel.layer.layers
    texts = [box.itemText(place) for place in range(box.count())]
    assert texts == ["Layer 0", "Layer 1", "Layer 2  —  no index yet", "Layer 3"]
    assert box.currentText() == "Layer 1"
    assert not box.model().item(2).isEnabled()
    session.open_index("main")
    assert not panel.layer.isVisible()


def test_layers__are_walked_over_those_without_an_index(
    panel: ExplorePanel, session: Session
) -> None:
    session.open_index("whole.L01")
    panel.places.show_place("map")
    panel.list.bar.alive.setChecked(True)
    panel.layer.go(1)
    assert session.index_name == "whole.L03"
    assert panel.places.place == "map"
    assert panel.list.conditions().alive_only
    assert panel.list.model.rowCount() < panel.list.model.total
    assert panel.layer.next(1) is None
    assert not panel.layer.up.isEnabled()
    panel.layer.go(-1)
    assert session.index_name == "whole.L01"


def test_layer__is_opened_from_the_list_of_layers(panel: ExplorePanel, session: Session) -> None:
    session.open_index("whole.L01")
    panel.layer.layers.setCurrentIndex(3)
    panel.layer.layers.activated.emit(3)
    assert session.index_name == "whole.L03"
