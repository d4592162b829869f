"""One goes up and down the layers of a set, and what is asked of the list comes along."""

from __future__ import annotations

import pytest
from frame_project import add_run
from pytestqt.qtbot import QtBot
from sample_index import write_sample_index
from set_project import add_set
from shown_panel import shown

from sae_desktop.dictionary.set_info import SetInfo, SetMember, write_set_info
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


def test_map__of_an_index_without_one_does_not_ask_for_its_columns(
    panel: ExplorePanel, session: Session
) -> None:
    session.open_index("whole.L01")
    assert session.index is not None
    for column in ("map_x", "map_y", "cluster"):  # as in the indexes of a set, which are lean
        session.index.columns.pop(column, None)
    session.indexOpened.emit(session.index)
    panel.map._notes.reloaded.emit()
    assert "no map" in panel.map.empty.text()


def test_layer__is_opened_from_the_list_of_layers(panel: ExplorePanel, session: Session) -> None:
    session.open_index("whole.L01")
    panel.layer.layers.setCurrentIndex(3)
    panel.layer.layers.activated.emit(3)
    assert session.index_name == "whole.L03"


def test_layers__of_a_cross_layer_transcoder_are_parts_of_one_list(
    panel: ExplorePanel, session: Session
) -> None:
    assert session.project is not None
    folder = session.project.set_path("clt")
    (folder / "all").mkdir(parents=True)
    add_run(session.project, "clt.all")
    members = tuple(
        SetMember(name="all", layer=n, reads="r", writes="w", features=16, digest="d")
        for n in range(4)
    )
    info = SetInfo(name="clt", kind="cross_layer", model="m", members=members, features=64)
    write_set_info(folder, info)
    write_sample_index(session.project.index_path("clt.all"), dictionary="clt.all", repeats=2)
    session.look_again()
    session.open_index("clt.all")
    box = panel.layer.layers
    assert [box.itemText(n) for n in range(box.count())][:2] == ["All layers", "Layer 0"]
    panel.layer.go(1)
    panel.layer.go(1)
    assert box.currentText() == "Layer 1"
    assert sorted(panel.list.model.listed.tolist()) == list(range(16, 32))
    panel.list.bar.clear_all()
    assert box.currentText() == "All layers"
    assert panel.list.model.rowCount() == 64
