"""Automatic names stand quietly in the label's place with their score; a label shows its own."""

from __future__ import annotations

import pytest
from made_names import write_made_names
from made_scores import write_made_scores
from PySide6.QtCore import Qt
from PySide6.QtGui import QImage, QPainter, QTextDocument
from PySide6.QtWidgets import QStyleOptionViewItem
from pytestqt.qtbot import QtBot
from sample_index import write_sample_index

from sae_desktop.features.reading.filter import FeatureFilter, NameKind, matching
from sae_desktop.gui.explore.labels.candidate_rows import said_of
from sae_desktop.gui.explore.list.feature_table import LABEL, FeatureTableModel
from sae_desktop.gui.explore.page.feature_title import FeatureTitle
from sae_desktop.gui.parts.elided_label import ElidedLabel
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.parts.quiet_words import SCORE_ROLE, WORDS_ROLE, QuietWordsDelegate
from sae_desktop.gui.state import name_order
from sae_desktop.gui.state.feature_notes import FeatureNotes
from sae_desktop.gui.state.label_actions import AUTOMATIC, LabelActions
from sae_desktop.gui.state.session import Session
from sae_desktop.label_words import step_sentence
from sae_desktop.project import Project
from sae_desktop.project_labels import (
    AGREED,
    DETECTION,
    MODEL,
    REJECTED,
    STATISTICS,
    Label,
    LabelStep,
)
from sae_desktop.project_notes import Notes

BY_MODEL = 8


@pytest.fixture
def notes(session: Session, project: Project) -> FeatureNotes:
    write_made_names(write_sample_index(project.index_path("main")))
    kept = Notes(project.notes_path)
    label = Label(
        feature=BY_MODEL, text="kings of France", method=MODEL, author="a model", score=0.9,
        score_low=0.8, score_high=0.95, measure="detection AUROC",
    )  # fmt: skip
    kept.add_labels("dict", [label])
    kept.close()
    session.open_project(project.path)
    assert session.open_index("main")
    session.person = "Anna"
    return FeatureNotes.of(session)


def test_automatic_name__stands_in_grey_with_its_score_and_is_no_label(
    session: Session, notes: FeatureNotes
) -> None:
    assert notes.said(7) == ("name of 7 · 0.78", True)
    assert notes.described(7) == "#7 name of 7 · 0.78"
    assert notes.title(7) == "#7"
    tip = notes.tip(7)
    assert tip.startswith("name of 7\n0.78: of 100 pairs of texts, ")
    assert "right one in 78 (95% interval 73 to 83; guessing: 50)." in tip.replace("\n", " ")
    assert "\n\nAn automatic name" in tip
    assert notes.labelled_features().tolist() == [BY_MODEL]
    assert session.index is not None
    listed = matching(FeatureFilter(labelled_only=True), session.index, notes)
    assert listed.tolist() == [BY_MODEL]


def test_model_label__shows_its_score_and_who_made_it(notes: FeatureNotes) -> None:
    assert notes.said(BY_MODEL) == ("kings of France · 0.90", False)
    assert notes.tip(BY_MODEL).splitlines()[2].startswith("By a model")
    assert "95% interval 80 to 95" in notes.tip(BY_MODEL)


def test_list__paints_the_score_small_behind_the_label_and_the_name(
    qtbot: QtBot, session: Session, notes: FeatureNotes
) -> None:
    model = FeatureTableModel(notes)
    model.set_index(session.index)
    told = [(model.index(row, LABEL).data(WORDS_ROLE), model.index(row, LABEL).data(SCORE_ROLE))
            for row in (7, BY_MODEL)]  # fmt: skip
    assert told[0][0].name == "name of 7"
    assert (told[0][1], told[1]) == ("0.78", (None, "0.90"))
    delegate = QuietWordsDelegate()

    def painted(row: int) -> QImage:
        image = QImage(400, 24, QImage.Format.Format_RGB32)
        image.fill(Qt.GlobalColor.white)
        painter, option = QPainter(image), QStyleOptionViewItem()
        option.rect = image.rect()
        delegate.paint(painter, option, model.index(row, LABEL))
        painter.end()
        return image

    before = [painted(7), painted(BY_MODEL)]
    notes.score_text = lambda _feature: ""  # type: ignore[method-assign]
    words = told[0][0]
    object.__setattr__(words, "score", None)
    vars(words).pop("score_text", None)
    assert before[0] != painted(7)
    assert before[1] != painted(BY_MODEL)


def test_elided_label__keeps_room_for_the_score(qtbot: QtBot, notes: FeatureNotes) -> None:
    plain, scored = ElidedLabel(), ElidedLabel()
    for widget in (plain, scored):
        qtbot.addWidget(widget)
        widget.resize(120, 20)
    plain.name_feature("a label that is much too long for its room", None)
    scored.name_feature("a label that is much too long for its room", None, score="0.92")
    assert plain.grab().toImage() != scored.grab().toImage()
    assert len(scored._elided()) < len(plain._elided())


def test_page__offers_to_agree_with_the_automatic_name(
    qtbot: QtBot, session: Session, notes: FeatureNotes
) -> None:
    title = FeatureTitle(session)
    qtbot.addWidget(title)
    title.set_feature(7)
    assert title.label.text() == ""
    assert title.label.placeholderText() == "name of 7"
    assert title.source.score.text() == "0.78"
    assert title.source.button.text() == "Automatic"
    assert title.source.agree.isVisibleTo(title)
    title.source.agree.click()
    assert title.label.text() == "name of 7"
    assert title.source.button.text() == "Automatic, you agreed"
    (agreed,) = LabelActions.of(session).labels(7)
    assert said_of(agreed, session.person) == "automatic, you agreed · 0.78"
    assert "Automatic, you agreed" in notes.tip(7)
    assert not title.source.agree.isVisibleTo(title)
    shown = session.notes.note("dict", 7).shown  # type: ignore[union-attr]
    assert shown is not None
    assert (shown.method, shown.state, shown.score) == (STATISTICS, AGREED, pytest.approx(0.78))
    session.undo_stack.undo()
    assert title.label.text() == ""
    assert [one.number for one in LabelActions.of(session).labels(7)] == [AUTOMATIC]


def test_rejected_name__is_not_shown_again_until_that_is_undone(
    qtbot: QtBot, session: Session, notes: FeatureNotes
) -> None:
    title = FeatureTitle(session)
    qtbot.addWidget(title)
    title.set_feature(7)
    title.source.reject_shown()
    assert title.label.placeholderText() == "Add a label"
    words = notes.words(7)
    assert words is not None
    assert words.name == ""
    assert [one.state for one in LabelActions.of(session).labels(7)] == [REJECTED]
    notes.reload()
    assert "name of 7" not in notes.said(7)[0]
    session.undo_stack.undo()
    assert notes.said(7)[0] == "name of 7 · 0.78"


def test_menu__lists_the_labels_and_what_can_be_done(
    qtbot: QtBot, session: Session, notes: FeatureNotes
) -> None:
    title = FeatureTitle(session)
    qtbot.addWidget(title)
    title.set_feature(BY_MODEL)
    assert title.source.button.text() == "By a model · 1 other"
    copy, reject = "Edit a copy as your own…", "Reject it: do not propose it again"
    menu = title.source.menu()
    offered = {
        action.text().split("   ")[0]: [entry.text() for entry in action.menu().actions()]
        for action in menu.actions()
        if action.menu() is not None
    }
    assert offered == {
        "kings of France": ["Agree with it", copy, reject],
        "name of 8": ["Agree with it and show it", copy, reject],
    }
    notes.set_label(BY_MODEL, "my own")
    LabelActions.of(session).agree(BY_MODEL, LabelActions.of(session).labels(BY_MODEL)[1])
    again = [action for action in title.source.menu().actions() if action.menu() is not None]
    mine = next(action for action in again if action.text().startswith("my own"))
    told = [entry.text() for entry in mine.menu().actions()]
    assert told == ["Show it instead", "Edit it…", "Set it aside"]


def test_menu__opens_where_it_covers_no_name(
    qtbot: QtBot, session: Session, notes: FeatureNotes
) -> None:
    title = FeatureTitle(session)
    qtbot.addWidget(title)
    title.set_feature(BY_MODEL)
    screen = title.screen().availableGeometry()
    title.resize(300, 40)
    title.move(screen.right() - 300, screen.top() + 50)
    title.show()
    button, menu = title.source.button, title.source.menu()
    place = title.source.place_of(menu)
    widest = max(a.menu().sizeHint().width() for a in menu.actions() if a.menu() is not None)
    assert place.y() == button.mapToGlobal(button.rect().bottomLeft()).y() + 1
    assert place.x() + menu.sizeHint().width() + widest <= screen.right()
    title.move(screen.topLeft())
    assert title.source.place_of(menu).x() <= button.mapToGlobal(button.rect().topLeft()).x()


def test_list__sorts_by_the_shown_name_and_filters_by_whose_it_is(
    session: Session, notes: FeatureNotes
) -> None:
    notes.set_label(3, "aardvarks")
    notes.set_label(60, "“zebras”")
    model = FeatureTableModel(notes)
    model.set_index(session.index)
    model.sort(LABEL)
    names = [notes.label(f) or f"name of {f}" for f in model.listed.tolist()]
    assert names[:2] == ["aardvarks", "kings of France"]
    assert names[-1] == "“zebras”"
    assert names[2:-1] == sorted(names[2:-1])
    assert len(names) == 64

    def shown(kind: NameKind) -> list[int]:
        return matching(FeatureFilter(named=kind), session.index, notes).tolist()  # type: ignore[arg-type]

    assert shown("mine") == [3, 60]
    assert shown("model") == [BY_MODEL]
    assert shown("imported") == []
    assert len(shown("automatic")) == 64 - 3
    notes.actions.agree(5, notes.actions.labels(5)[0])
    assert shown("mine") == [3, 5, 60]
    assert 5 not in shown("automatic")


def test_order_of_very_many_names__is_found_beside_the_window(
    qtbot: QtBot, session: Session, notes: FeatureNotes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(name_order, "AT_ONCE", 10)
    assert session.index is not None
    with qtbot.waitSignal(notes.reloaded, timeout=5_000):
        assert notes.named_features(session.index).tolist() == [BY_MODEL]
    assert len(notes.named_features(session.index)) == 64


def test_label_scored_beside_the_index__shows_that_score_until_it_is_edited(
    session: Session, notes: FeatureNotes, project: Project
) -> None:
    notes.set_label(2, "label of 2")
    write_made_scores(project.index_path("main"))
    assert notes.score_text(2) == ""
    assert session.index is not None
    session.index.read_scores()
    assert notes.score_text(2) == "0.75"
    assert "right one in 75 (95% interval 62 to 88" in notes.tip(2).replace("\n", " ")
    notes.set_label(2, "another text")
    assert notes.score_text(2) == ""


def test_right_to_left_label__does_not_turn_the_sentence_around_it(notes: FeatureNotes) -> None:
    hebrew = "מלכים"
    notes.set_label(5, hebrew)
    first, second = notes.tip(5).splitlines()
    assert first == f"\u2068{hebrew}\u2069"
    assert second.startswith("Yours, ")
    assert notes.title(5) == f"#5 \u2068{hebrew}\u2069"
    assert notes.said(5)[0].startswith(f"\u2068{hebrew}\u2069")
    document = QTextDocument()
    document.setHtml(plain_tip(notes.tip(5)))
    assert document.firstBlock().textDirection() == Qt.LayoutDirection.LeftToRight
    step = LabelStep(
        at="", who="Anna", what="written", number=0, text=hebrew, method="", author="Anna"
    )
    assert step_sentence(step, me="Anna") == f"You wrote “\u2068{hebrew}\u2069”."


def test_one_score__stands_beside_a_name_wherever_it_is_shown(
    session: Session, notes: FeatureNotes, project: Project
) -> None:
    assert session.index is not None
    path = project.index_path("main")
    given = {7: "name of 7", 6: "an earlier name", BY_MODEL: "kings of France"}
    write_made_scores(path, given.__getitem__, list(given), value=0.625)
    assert notes.score_text(7) == "0.78"  # read before the scores came
    session.index.read_scores()
    session.columnMade.emit("label_score")
    assert session.index.columns["label_score"][7] == 0.625
    assert notes.score_text(7) == "0.62"
    assert notes.said(7)[0] == "name of 7 · 0.62"
    words = notes.words(7)
    assert words is not None
    assert words.score == 0.625
    (automatic,) = LabelActions.of(session).labels(7)
    assert (automatic.score, automatic.measure) == (0.625, DETECTION)
    assert "label score" in " ".join(notes.tip(7).split())
    assert notes.score_text(BY_MODEL) == "0.62"  # before that its own, 0.90
    assert LabelActions.of(session).labels(BY_MODEL)[0].score == 0.625
    assert notes.score_text(6) == "0.74"  # another text was scored
    assert "name score, from when the name was made" in " ".join(notes.tip(6).split())


def test_header__says_which_names_are_automatic(session: Session, notes: FeatureNotes) -> None:
    model = FeatureTableModel(notes)
    model.set_index(session.index)
    header = model.headerData(LABEL, Qt.Orientation.Horizontal)
    assert header == "Name · automatic in grey"
    model.set_index(None)
    assert model.headerData(LABEL, Qt.Orientation.Horizontal) == "Name"
