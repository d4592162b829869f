"""At the reading desk one reads and labels feature after feature, with the keys alone."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDialog, QToolButton
from pytestqt.qtbot import QtBot

from sae_desktop.gui.explore.labels import desk_keys
from sae_desktop.gui.explore.labels.labels_panel import DESK, OVERVIEW, LabelsPanel
from sae_desktop.gui.explore.labels.reading_desk import ReadingDesk
from sae_desktop.gui.explore.labels.reading_queue import DENSEST, LISTED, RANDOM, UNCERTAIN
from sae_desktop.gui.state.feature_notes import FeatureNotes
from sae_desktop.gui.state.session import Session
from sae_desktop.project_labels import AGREED, PROPOSED, REJECTED, STATISTICS

Key = Qt.Key


def press(*keys: Qt.Key) -> None:
    """Press keys where the keyboard is."""
    for key in keys:
        focused = QApplication.focusWidget()
        assert focused is not None
        QTest.keyClick(focused, key)


def type_text(text: str) -> None:
    QTest.keyClicks(QApplication.focusWidget(), text)


def label_of(session: Session, feature: int) -> str:
    return FeatureNotes.of(session).label(feature)


def choose_order(desk: ReadingDesk, order: str) -> None:
    desk.head.order.setCurrentIndex(desk.head.order.findData(order))


def test_desk__begins_with_the_unlabelled_feature_of_the_surest_name(
    qtbot: QtBot, desk: ReadingDesk, session: Session
) -> None:
    scores = np.array(session.index.columns["name_score"])
    assert desk.feature == int(np.nanargmax(scores))
    assert np.nanargmax(scores) != np.nanargmin(scores)
    qtbot.waitUntil(lambda: session.feature == desk.feature, timeout=5000)
    assert desk.text.view.hasFocus()
    assert desk.text.view.plain_text()
    assert [c.text for c in desk.candidates()] == [f"name of {desk.feature}"]


def test_ten_features__are_labelled_by_keys_alone(desk: ReadingDesk, session: Session) -> None:
    labelled = []
    for number in range(10):
        labelled.append(desk.feature)
        if number % 2:
            press(Key.Key_E)
            assert desk.foot.label.hasFocus()
            type_text(f"label {number}")
            press(Key.Key_Return)
        else:
            press(Key.Key_1)
    assert len(set(labelled)) == 10
    told = [label_of(session, feature) for feature in labelled]
    assert told == [
        f"label {n}" if n % 2 else f"name of {feature}" for n, feature in enumerate(labelled)
    ]
    assert desk.head.progress.text().startswith("10 read today")
    assert desk.feature not in labelled


def test_edit__begins_with_the_best_name_and_esc_leaves_it(
    desk: ReadingDesk, session: Session
) -> None:
    feature = desk.feature
    press(Key.Key_F2)
    assert desk.foot.label.text() == f"name of {feature}"
    assert desk.foot.label.selectedText() == f"name of {feature}"
    type_text("something else")
    press(Key.Key_Escape)
    assert desk.text.view.hasFocus()
    assert (desk.feature, desk.foot.label.text()) == (feature, "")
    press(Key.Key_E, Key.Key_Return)  # as it stands: that is to agree
    assert label_of(session, feature) == f"name of {feature}"


def test_back__returns_by_p_and_backspace(desk: ReadingDesk) -> None:
    first = desk.feature
    press(Key.Key_N)
    second = desk.feature
    assert second != first
    press(Key.Key_Backspace)
    assert desk.feature == first
    press(Key.Key_N, Key.Key_P)
    assert desk.feature == first
    press(Key.Key_P)  # there is none before
    assert desk.feature == first


def test_undo__leads_back_to_the_feature_it_changes(desk: ReadingDesk, session: Session) -> None:
    first = desk.feature
    press(Key.Key_1)
    assert desk.feature != first
    session.undo_stack.undo()
    assert desk.feature == first
    assert label_of(session, first) == ""
    session.undo_stack.redo()
    assert label_of(session, first) == f"name of {first}"


def test_reject__strikes_the_first_name_and_undo_brings_it_back(
    desk: ReadingDesk, session: Session
) -> None:
    feature = desk.feature
    press(Key.Key_X)
    assert desk.feature == feature
    assert [c.state for c in desk.candidates()] == [REJECTED]
    assert "rejected" in desk.side.rows.rows[0].accessibleName()
    assert not desk.foot.reject_button.isEnabled()
    press(Key.Key_E)
    assert desk.foot.label.text() == ""  # what was rejected is not offered again
    press(Key.Key_Escape)
    session.undo_stack.undo()
    assert [c.state for c in desk.candidates()] == [PROPOSED]


def test_agreed_name__stays_a_name_by_statistics(desk: ReadingDesk, session: Session) -> None:
    feature = desk.feature
    press(Key.Key_E, Key.Key_Return)
    note = FeatureNotes.of(session).note(feature)
    assert (note.method, note.state) == (STATISTICS, AGREED)
    assert desk.labels.settled_features().tolist() == [feature]
    press(Key.Key_P, Key.Key_E, Key.Key_Return)  # once more changes nothing
    assert FeatureNotes.of(session).note(feature).state == AGREED


def test_tab_of_the_desk__gives_its_keys(
    qtbot: QtBot, labels: LabelsPanel, session: Session
) -> None:
    labels.places.bar.setFocus()
    place = [info.id for info in labels.places.infos].index(DESK)
    tab = labels.places.bar.tabRect(place).center()
    QTest.mouseClick(labels.places.bar, Qt.MouseButton.LeftButton, pos=tab)
    qtbot.waitUntil(labels.desk.text.view.hasFocus, timeout=5000)
    feature = labels.desk.feature
    press(Key.Key_1)
    assert label_of(session, feature) == f"name of {feature}"


def test_keys__are_heard_on_the_tab_too(labels: LabelsPanel, desk: ReadingDesk) -> None:
    first = desk.feature
    labels.places.bar.setFocus()
    press(Key.Key_N)
    assert desk.feature != first


def test_rejected_name__has_no_digit(desk: ReadingDesk, session: Session) -> None:
    feature = desk.feature
    press(Key.Key_E)
    type_text("mine")
    press(Key.Key_Return, Key.Key_P, Key.Key_X)  # what one typed oneself
    assert [(row.number, row.candidate.text) for row in desk.side.rows.rows] == [
        (1, f"name of {feature}"),
        (0, "mine"),
    ]
    assert "1 takes the next name" in desk.foot.said.text()
    press(Key.Key_X)
    assert [row.number for row in desk.side.rows.rows] == [0, 0]
    press(Key.Key_1)
    assert label_of(session, feature) == ""
    assert desk.foot.said.text() == "There is no name with the number 1."
    QTest.mouseClick(desk.side.rows.rows[0], Qt.MouseButton.LeftButton)  # after all
    assert label_of(session, feature) != ""


def test_undo__is_said_with_what_went(desk: ReadingDesk, session: Session) -> None:
    feature = desk.feature
    press(Key.Key_1)
    assert desk.head.progress.text().startswith("1 read today")
    session.undo_stack.undo()
    said = desk.foot.said.text()
    assert said.startswith(f"Undone: #{feature} is no longer called “name of {feature}”.")
    assert desk.head.progress.text().startswith("0 read today")
    session.undo_stack.redo()
    said = desk.foot.said.text()
    assert said.startswith(f"Done again: #{feature} is now called “name of {feature}”.")
    press(Key.Key_S)  # a new step is neither
    assert desk.foot.said.text() == said
    press(Key.Key_P, Key.Key_X)
    session.undo_stack.undo()
    assert desk.foot.said.text().startswith("Undone: rejected label")


def test_quotes_in_a_name__are_single_in_what_is_said(desk: ReadingDesk) -> None:
    press(Key.Key_E)
    desk.foot.label.setText("code: “http”")
    press(Key.Key_Return)
    assert "“code: ‘http’”" in desk.foot.said.text()


def test_label_given_last__is_rated_by_r(desk: ReadingDesk, session: Session) -> None:
    first = desk.feature
    press(Key.Key_1, Key.Key_R, Key.Key_R)
    assert desk.feature != first  # one reads on
    assert FeatureNotes.of(session).note(first).rating == 2
    assert f"#{first} is rated 2 of 5" in desk.foot.said.text()
    press(Key.Key_1, Key.Key_R)
    assert FeatureNotes.of(session).note(first).rating == 2


def test_rating__goes_up_by_r_and_needs_a_label(desk: ReadingDesk, session: Session) -> None:
    feature = desk.feature
    press(Key.Key_R)
    assert FeatureNotes.of(session).note(feature).rating == 0
    assert "rated" in desk.foot.said.text()
    press(Key.Key_1, Key.Key_P, Key.Key_R, Key.Key_R)
    assert FeatureNotes.of(session).note(feature).rating == 2
    assert desk.foot.stars.text() == "★★☆☆☆"
    press(Key.Key_R, Key.Key_R, Key.Key_R, Key.Key_R)
    assert FeatureNotes.of(session).note(feature).rating == 0


def test_tags__are_typed_with_commas(desk: ReadingDesk, session: Session) -> None:
    feature = desk.feature
    press(Key.Key_T)
    type_text("names, french ,")
    press(Key.Key_Return)
    assert FeatureNotes.of(session).note(feature).tags == ("french", "names")
    assert desk.text.view.hasFocus()
    assert "is tagged french, names" in desk.foot.said.text()
    press(Key.Key_N, Key.Key_P)
    assert desk.foot.tags.text() == "french, names"


def test_star__is_set_by_s(desk: ReadingDesk, session: Session) -> None:
    press(Key.Key_S)
    assert FeatureNotes.of(session).starred(desk.feature)
    assert desk.head.star.isChecked()
    press(Key.Key_S)
    assert not FeatureNotes.of(session).starred(desk.feature)


def test_next__saves_a_label_that_is_being_typed(desk: ReadingDesk, session: Session) -> None:
    feature = desk.feature
    press(Key.Key_E)
    type_text("half")
    desk.foot.next_button.click()
    assert label_of(session, feature) == "half"
    assert desk.foot.label.text() == ""


def test_letters__are_text_while_a_label_is_typed(desk: ReadingDesk) -> None:
    feature = desk.feature
    press(Key.Key_E)
    type_text("snp1 ?")
    assert (desk.feature, desk.foot.label.text()) == (feature, "snp1 ?")


def test_names__are_hidden_until_one_has_typed(desk: ReadingDesk, session: Session) -> None:
    desk.head.blind.setChecked(True)
    feature = desk.feature
    assert desk.foot.said.text().startswith("E types a name of your own")
    assert desk.side.rows.rows == []
    assert desk.side.pieces == []
    press(Key.Key_1)
    assert label_of(session, feature) == ""
    press(Key.Key_E)
    assert desk.foot.label.text() == ""
    type_text("mine")
    press(Key.Key_Return)
    assert desk.feature == feature  # to compare
    assert [c.text for c in desk.candidates()] == ["mine", f"name of {feature}"]
    assert len(desk.side.rows.rows) == 2
    press(Key.Key_N)
    assert desk.feature != feature
    assert desk.hidden


def test_evidence__shows_the_texts_it_comes_from(desk: ReadingDesk, session: Session) -> None:
    everything = desk.text.view.plain_text()
    chip = desk.side.pieces[0]
    assert isinstance(chip, QToolButton)
    QTest.mouseClick(chip, Qt.MouseButton.LeftButton)
    assert len(desk.text.view.plain_text().splitlines()) < len(everything.splitlines())
    rows = session.index.name(desk.feature).pieces[0].rows
    texts = {
        "".join(c.tokens).strip() for c in session.index.contexts(desk.feature) if c.row in rows
    }
    assert len(texts) >= 1
    QTest.mouseClick(chip, Qt.MouseButton.LeftButton)
    assert desk.text.view.plain_text() == everything


def test_candidate__is_chosen_by_mouse(desk: ReadingDesk, session: Session) -> None:
    feature = desk.feature
    QTest.mouseClick(desk.side.rows.rows[0], Qt.MouseButton.LeftButton)
    assert label_of(session, feature) == f"name of {feature}"
    assert desk.feature != feature


def test_list__is_read_in_its_own_order(desk: ReadingDesk) -> None:
    choose_order(desk, LISTED)
    assert desk.feature == 9
    desk.read()
    press(Key.Key_N)
    assert desk.feature == 3
    press(Key.Key_N, Key.Key_N)
    assert desk.feature is None
    assert desk.empty.sentence.text() == "That was the last of 3 features."
    assert desk.empty.button.hasFocus()
    press(Key.Key_Space)  # read all, at random
    assert desk.feature is not None


def test_densest__come_first_where_one_chooses_that(desk: ReadingDesk, session: Session) -> None:
    choose_order(desk, DENSEST)
    assert desk.feature == int(np.array(session.index.columns["density"]).argmax())


def test_least_certain__come_first(desk: ReadingDesk, session: Session) -> None:
    choose_order(desk, UNCERTAIN)
    scores = session.index.columns["name_score"][desk.route.queue.features]
    assert (np.diff(scores) >= 0).all()


def test_feature_selected_elsewhere__is_shown_and_reading_goes_on_from_there(
    desk: ReadingDesk, session: Session
) -> None:
    choose_order(desk, LISTED)
    session.select_feature(20)
    assert desk.feature == 20
    assert "20" in desk.head.number.text()
    desk.read(21)
    assert desk.feature == 21
    press(Key.Key_N)
    assert desk.feature == 9


def test_feature__is_selected_at_once_when_one_leaves_the_desk(
    labels: LabelsPanel, desk: ReadingDesk, session: Session
) -> None:
    press(Key.Key_N)
    labels.show_place(OVERVIEW)
    assert session.feature == desk.feature


def test_read_today__stays_when_the_same_index_is_opened_again(
    desk: ReadingDesk, session: Session
) -> None:
    press(Key.Key_N, Key.Key_N)
    assert session.open_index("main")
    assert desk.head.progress.text().startswith("2 read today")
    session.close_index()
    assert len(desk.route.today) == 0


def test_next_features__are_read_ahead(qtbot: QtBot, desk: ReadingDesk) -> None:
    upcoming = desk.route.queue.near(2)
    qtbot.waitUntil(lambda: all(desk.cards.holds(f) for f in upcoming), timeout=5000)


def test_place__is_kept_with_the_project(
    qtbot: QtBot, labels: LabelsPanel, desk: ReadingDesk
) -> None:
    choose_order(desk, RANDOM)
    desk.read()
    press(Key.Key_N, Key.Key_N)
    features, feature = desk.route.queue.features, desk.feature
    kept = desk.route.kept(feature)
    desk.route.forget()
    desk.feature = None
    desk.route.order = RANDOM
    desk._give(kept)
    assert desk.feature == feature
    assert np.array_equal(desk.route.queue.features, features)
    assert desk.head.progress.text().startswith("2 read today")


def test_keys__are_told_and_every_one_of_them_does_something(desk: ReadingDesk) -> None:
    press(Key.Key_Question)
    dialog = next(d for d in desk.window().findChildren(QDialog) if d.isVisible())
    dialog.reject()
    told = " ".join(keys for keys, _ in desk_keys.ROWS)
    for key in desk_keys.ACTIONS:
        name = {Key.Key_Question: "?", Key.Key_Backspace: "Backspace", Key.Key_F2: "F2"}.get(key)
        digit = Key.Key_1 <= key <= Key.Key_9
        assert digit or (name or chr(key)) in told
