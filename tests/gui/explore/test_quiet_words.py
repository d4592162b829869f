"""A feature without a label shows in grey what it fires on; that is never taken for a label."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QImage
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from sae_desktop.features.reading.export import export_features
from sae_desktop.features.reading.filter import FeatureFilter
from sae_desktop.gui.explore.explore import ExplorePanel
from sae_desktop.gui.explore.feature_links import FeatureLinks, FeatureRow
from sae_desktop.gui.explore.list.feature_lists import FeatureListsPanel
from sae_desktop.gui.explore.list.feature_table import LABEL, FeatureTableModel
from sae_desktop.gui.explore.map.feature_map import FeatureMapPanel
from sae_desktop.gui.explore.other_dictionaries import OtherDictionaries
from sae_desktop.gui.frame.palette_sources import sources
from sae_desktop.gui.parts import theme
from sae_desktop.gui.parts.actions import ActionRegistry
from sae_desktop.gui.parts.elided_label import ElidedLabel
from sae_desktop.gui.parts.quiet_words import WORDS_ROLE, words_that_fit
from sae_desktop.gui.state.feature_notes import FeatureNotes
from sae_desktop.gui.state.kept_lists import KeptLists
from sae_desktop.gui.state.session import Session
from sae_desktop.gui.steer.rack import RackEntry
from sae_desktop.gui.steer.slider_card import SliderCard
from sae_desktop.words.feature_words import WIDE, FeatureWords, feature_words

LORD, LABELLED, DEAD = 0, 9, 5


@pytest.fixture
def notes(session: Session) -> FeatureNotes:
    notes = FeatureNotes.of(session)
    notes.set_label(LABELLED, "royal persons")
    return notes


def words_of(session: Session, feature: int) -> FeatureWords:
    assert session.index is not None
    return feature_words(session.index, feature)


def colours_in(image: QImage) -> set[str]:
    return {
        image.pixelColor(x, y).name() for x in range(image.width()) for y in range(image.height())
    }


# ---------------------------------------------------------------- notes
def test_words__are_said_of_features_without_a_label(session: Session, notes: FeatureNotes) -> None:
    assert notes.words(LABELLED) is None
    assert notes.words(LORD) == words_of(session, LORD)
    assert notes.said(LABELLED) == ("royal persons", False)
    assert notes.said(LORD, 40) == (words_of(session, LORD).line(40), True)
    assert notes.described(LABELLED) == "#9 royal persons"
    assert notes.described(LORD).startswith("#0 ")
    assert "[Lord]" in notes.described(LORD)


def test_words__come_back_when_a_label_is_taken_away(session: Session, notes: FeatureNotes) -> None:
    notes.set_label(LABELLED, "")
    assert notes.words(LABELLED) == words_of(session, LABELLED)


def test_words__are_of_the_index_that_is_open(session: Session, notes: FeatureNotes) -> None:
    assert notes.words(LORD) is not None
    session.close_index()
    assert notes.words(LORD) is None
    assert notes.described(LORD) == "#0"


# ---------------------------------------------------------------- the list
@pytest.fixture
def model(session: Session, notes: FeatureNotes) -> FeatureTableModel:
    model = FeatureTableModel(notes)
    model.set_index(session.index)
    return model


def test_table__keeps_the_words_apart_from_the_label(
    session: Session, model: FeatureTableModel
) -> None:
    cell, labelled = (model.index(feature, LABEL) for feature in (LORD, LABELLED))
    assert cell.data() == ""
    assert cell.data(Qt.ItemDataRole.EditRole) == ""
    assert cell.data(WORDS_ROLE) == words_of(session, LORD)
    assert labelled.data() == "royal persons"
    assert labelled.data(WORDS_ROLE) is None
    assert model.index(LORD, LABEL + 1).data(WORDS_ROLE) is None


def test_table__says_the_words_to_those_who_listen_and_in_the_tip(
    session: Session, model: FeatureTableModel
) -> None:
    cell, spoken = model.index(LORD, LABEL), words_of(session, LORD).spoken
    assert cell.data(Qt.ItemDataRole.AccessibleTextRole) == f"No label; {spoken}"
    tip = cell.data(Qt.ItemDataRole.ToolTipRole)
    assert tip == words_of(session, LORD).tip
    assert tip.startswith("No label yet.\nStrongest in “")
    assert max(map(len, tip.splitlines())) <= WIDE
    assert "The brackets mark the token" in tip
    labelled = model.index(LABELLED, LABEL)
    assert labelled.data(Qt.ItemDataRole.AccessibleTextRole) == "Label royal persons"


def test_table__sorts_and_filters_as_without_a_label(model: FeatureTableModel) -> None:
    model.sort(LABEL)
    assert model.feature_at(0) == LABELLED
    assert model.listed[1:].tolist() == [f for f in range(model.total) if f != LABELLED]
    model.set_filter(FeatureFilter(labelled_only=True))
    assert model.listed.tolist() == [LABELLED]
    model.set_filter(FeatureFilter(text="Lord"))
    assert model.listed.tolist() == []


def test_export__holds_no_words(session: Session, notes: FeatureNotes, tmp_path: Path) -> None:
    export_features(tmp_path / "f.csv", session.index, np.array([LORD]), session.notes)
    assert "[Lord]" not in (tmp_path / "f.csv").read_text(encoding="utf-8")


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_list__paints_the_words_in_grey(
    panel: ExplorePanel, notes: FeatureNotes, mode: str
) -> None:
    theme.manager().apply(mode)
    try:
        table, model = panel.list.table, panel.list.model
        table.setCurrentIndex(model.index(20, 1))
        table.scrollToTop()
        grey, text = (QColor(c).name() for c in (theme.palette().muted_text, theme.palette().text))
        for feature, wanted, other in ((LORD, grey, text), (LABELLED, text, grey)):
            box = table.visualRect(model.index(model.row_of(feature) or 0, LABEL))
            found = colours_in(table.viewport().grab(box).toImage())
            assert wanted in found
            assert other not in found
    finally:
        theme.manager().apply("light")


# ---------------------------------------------------------------- links, lists, map
def test_link__shows_and_says_the_words(
    qtbot: QtBot, session: Session, notes: FeatureNotes
) -> None:
    links = FeatureLinks(session, "Nearest")
    qtbot.addWidget(links)
    links.set_rows([FeatureRow(LORD, "0.50", 0.5), FeatureRow(LABELLED, "0.40", 0.4)])
    bare, labelled = links.links()
    spoken = words_of(session, LORD).spoken
    assert bare.text() == "#0"
    assert bare.accessibleName() == f"Feature 0, {spoken}, 0.50"
    assert words_of(session, LORD).tip in bare.toolTip()
    assert labelled.accessibleName() == "Feature 9 royal persons, 0.40"
    links.resize(360, 60)
    grey = theme.palette().muted_text.name()
    assert grey in colours_in(bare.grab().toImage())
    assert grey not in colours_in(labelled.grab().toImage())
    notes.set_label(LORD, "the Lord")
    assert bare.text() == "#0 the Lord"
    assert grey not in colours_in(bare.grab().toImage())


def test_kept_list__shows_the_words_of_members_in_sight(
    qtbot: QtBot, session: Session, notes: FeatureNotes
) -> None:
    KeptLists.of(session).add("mine", [LORD, LABELLED])
    lists = FeatureListsPanel(session)
    qtbot.addWidget(lists)
    lists.choose("mine")
    bare, labelled = (lists.members.item(row) for row in range(2))
    assert bare.text() == "#0"
    assert bare.data(WORDS_ROLE) == words_of(session, LORD)
    assert words_of(session, LORD).spoken in bare.data(Qt.ItemDataRole.AccessibleTextRole)
    assert labelled.data(WORDS_ROLE) is None
    assert labelled.data(Qt.ItemDataRole.AccessibleTextRole) == "#9 · royal persons"


def test_map__names_features_by_their_tokens(
    qtbot: QtBot, session: Session, notes: FeatureNotes
) -> None:
    panel = FeatureMapPanel(session)
    qtbot.addWidget(panel)
    names = panel.map.names(np.array([LORD, LABELLED]))
    assert names == {LORD: "Lord", LABELLED: "royal persons"}


def test_slider__shows_the_words_until_there_is_a_label(
    qtbot: QtBot, session: Session, notes: FeatureNotes
) -> None:
    card = SliderCard(session, RackEntry(feature=LORD), 0)
    qtbot.addWidget(card)
    assert card.label.text() == words_of(session, LORD).line()
    assert card.label.property("quiet") == "true"
    notes.set_label(LORD, "the Lord")
    assert card.label.text() == "the Lord"
    assert not card.label.property("quiet")


def test_palette__shows_the_words_beside_a_number(session: Session, notes: FeatureNotes) -> None:
    provider = sources(session, ActionRegistry(), print, print)[0]
    (entry,) = [e for e in provider.find("5") if e.title == f"Feature {DEAD}"]
    assert entry.aside.startswith("never fired")
    (entry,) = [e for e in provider.find("9") if e.title == f"Feature {LABELLED}"]
    assert entry.aside == "royal persons"


# ---------------------------------------------------------------- in a narrow place
def test_words__fit_a_width_with_their_token_in_sight(session: Session, qtbot: QtBot) -> None:
    widget = QWidget()
    qtbot.addWidget(widget)
    metrics, words = widget.fontMetrics(), words_of(session, LORD)
    for width in (90, 140, 240, 500):
        text = words_that_fit(words, metrics, width)
        assert metrics.horizontalAdvance(text) <= width
        assert "[Lord]" in text


def test_label__of_a_feature_is_quiet_only_without_one(qtbot: QtBot, session: Session) -> None:
    named = ElidedLabel()
    qtbot.addWidget(named)
    named.show()
    named.name_feature("", words_of(session, LORD), "#0 ")
    assert named.text() == f"#0 {words_of(session, LORD).line()}"
    assert named.property("quiet") == "true"
    assert named.palette().windowText().color() == theme.palette().muted_text
    named.name_feature("the Lord", None, "#0 ")
    assert named.text() == "#0 the Lord"
    assert named.palette().windowText().color() == theme.palette().text


def test_link__of_another_dictionary_shows_the_words_of_its_index(
    qtbot: QtBot, with_dictionaries: Session
) -> None:
    session = with_dictionaries
    links = FeatureLinks(session, "Elsewhere")
    qtbot.addWidget(links)
    links.set_rows([FeatureRow(7, "0.9", 0.9)], "large")
    other = OtherDictionaries.of(session).index("large")
    assert other is not None
    assert links.links()[0].accessibleName() == f"Feature 7, {feature_words(other, 7).spoken}, 0.9"
    assert feature_words(other, 7) != words_of(session, 7)
    FeatureNotes.of(session).set_label(7, "numbers", "large")
    links.set_rows([FeatureRow(7, "0.9", 0.9)], "large")
    assert links.links()[0].accessibleName() == "Feature 7 numbers, 0.9"
