"""The places of the middle of Explore: how one comes to each, and what stays while it is away."""

from __future__ import annotations

import msgspec
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from sae_desktop.gui.explore.explore import ExplorePanel
from sae_desktop.gui.parts.actions import ActionRegistry
from sae_desktop.gui.state.session import Session


def test_tabs__lead_to_every_place_and_are_walked_by_keys(panel: ExplorePanel) -> None:
    places = panel.places
    titles = ["Feature", "Your text", "Text sets", "Map", "Compare", "Labels"]
    assert [info.title for info in places.infos] == titles
    widgets = (panel.page, panel.probe, panel.text_sets, panel.map, panel.compare, panel.labels)
    for number, widget in enumerate(widgets):
        QTest.mouseClick(
            places.bar, Qt.MouseButton.LeftButton, pos=places.bar.tabRect(number).center()
        )
        assert widget.isVisible()
        assert sum(info.widget.isVisible() for info in places.infos) == 1
    places.bar.setFocus()
    QTest.keyClick(places.bar, Qt.Key.Key_Left)
    assert places.place == "compare"


def test_actions__bring_their_place_and_put_the_keyboard_there(
    qtbot: QtBot, panel: ExplorePanel, session: Session
) -> None:
    registry = ActionRegistry()
    registry.add(panel.action_infos(), panel)
    session.select_feature(3)
    for action, place, focused in (
        ("explore.probe", "text", panel.probe.text),
        ("explore.sets", "sets", panel.text_sets.on),
        ("explore.map", "map", panel.map.map),
        ("explore.page", "feature", panel.page.contexts),
    ):
        registry.trigger(action)
        assert panel.places.place == place
        qtbot.waitUntil(focused.hasFocus, timeout=5000)


def test_feature_chosen_in_the_list__leaves_the_place_and_return_reads_it(
    qtbot: QtBot, panel: ExplorePanel, session: Session
) -> None:
    panel.places.show_place("map")
    session.select_feature(9)
    assert panel.places.place == "map"
    panel.list.table.setFocus()
    QTest.keyClick(panel.list.table, Qt.Key.Key_Return)
    assert panel.places.place == "feature"
    qtbot.waitUntil(panel.page.contexts.hasFocus, timeout=5000)


def test_page_behind_another_place__is_filled_once_it_is_seen(
    panel: ExplorePanel, session: Session
) -> None:
    session.select_feature(3)
    panel.places.show_place("map")
    session.select_feature(9)
    assert panel.page.title.number.text() == "#3"
    panel.places.show_place("feature")
    assert panel.page.title.number.text() == "#9"


def test_context__is_tried_in_the_place_for_texts(panel: ExplorePanel) -> None:
    panel.page.contexts.textChosen.emit("And the Lord said")
    assert panel.places.place == "text"
    assert panel.probe.text.toPlainText() == "And the Lord said"
    panel.places.show_place("map")
    panel.places.show_place("text")
    assert panel.probe.text.toPlainText() == "And the Lord said"
    panel.places.show_place("nowhere")
    assert panel.places.place == "text"


def test_desk__is_opened_at_the_feature_by_its_button_and_by_its_action(
    qtbot: QtBot, panel: ExplorePanel, session: Session
) -> None:
    registry = ActionRegistry()
    registry.add(panel.action_infos(), panel)
    session.select_feature(3)
    QTest.mouseClick(panel.page.read, Qt.MouseButton.LeftButton)
    assert panel.places.place == "labels"
    assert panel.labels.desk.feature == 3
    panel.places.show_place("feature")
    session.select_feature(9)
    registry.trigger("explore.read")
    assert panel.labels.desk.feature == 9
    qtbot.waitUntil(panel.labels.desk.text.view.hasFocus, timeout=5000)


def test_dictionary__is_trained_further_from_here(
    panel: ExplorePanel, with_dictionaries: Session
) -> None:
    session = with_dictionaries
    registry = ActionRegistry()
    registry.add(panel.action_infos(), panel)
    assert session.index is not None
    name = session.index.info.dictionary
    asked: list[tuple[str, ...]] = []
    session.workspaceRequested.connect(lambda workspace: asked.append((workspace,)))
    session.changeRequested.connect(lambda *what: asked.append(what))
    registry.trigger("explore.further")
    assert asked == [("train",), ("further", name)]
    session.index.info = msgspec.structs.replace(session.index.info, dictionary="gone")
    registry.refresh()
    assert not registry.action("explore.further").isEnabled()
