"""What a person does with labels: choose, agree, edit, reject, bring back; each can be undone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sample_index import write_sample_index

from sae_desktop.gui.state.feature_notes import FeatureNotes
from sae_desktop.gui.state.label_actions import LabelActions
from sae_desktop.gui.state.session import Session
from sae_desktop.label_words import step_sentence
from sae_desktop.project import Project
from sae_desktop.project_labels import AGREED, MODEL, PERSON, PROPOSED, REJECTED, Label
from sae_desktop.project_notes import Notes

State = list[tuple[str, str, str, bool]]


@pytest.fixture
def actions(session: Session, project: Project) -> LabelActions:
    write_sample_index(project.index_path("main"))
    with_labels = Notes(project.notes_path)
    with_labels.add_labels(
        "dict",
        [
            Label(
                feature=3, text="kings", method=MODEL, author="a model", score=0.9, evidence="[1]"
            ),
            Label(feature=3, text="queens", method=MODEL, author="a model", score=0.6),
        ],
    )
    with_labels.close()
    session.open_project(project.path)
    assert session.open_index("main")
    session.person = "Anna"
    return FeatureNotes.of(session).actions


def state(session: Session, feature: int = 3) -> State:
    """Return (text, method, state, shown) of a feature's labels as they are on the disk."""
    assert session.notes is not None
    labels = session.notes.labels_of("dict", feature)
    told = [(one.text, one.method, one.state, one.shown) for one in labels]
    seen = LabelActions.of(session).labels(feature)
    assert [(one.text, one.method, one.state, one.shown) for one in seen] == told
    return told


KINGS, QUEENS = ("kings", MODEL, PROPOSED, True), ("queens", MODEL, PROPOSED, False)


def _find(actions: LabelActions, text: str) -> Label:
    return next(label for label in actions.labels(3) if label.text == text)


DEEDS: list[tuple[str, Callable[[LabelActions], None], State]] = [
    (
        "write",
        lambda a: a.write(3, " royal\tpeople "),
        [("royal people", PERSON, AGREED, True), (*KINGS[:3], False), QUEENS],
    ),
    (
        "agree",
        lambda a: a.agree(3, _find(a, "kings")),
        [("kings", MODEL, AGREED, True), QUEENS],
    ),
    (
        "agree with another",
        lambda a: a.agree(3, _find(a, "queens")),
        [("queens", MODEL, AGREED, True), (*KINGS[:3], False)],
    ),
    (
        "choose",
        lambda a: a.choose(3, _find(a, "queens")),
        [("queens", MODEL, PROPOSED, True), (*KINGS[:3], False)],
    ),
    (
        "edit a model's",
        lambda a: a.edit(3, _find(a, "queens"), "queens of France"),
        [("queens of France", PERSON, AGREED, True), (*KINGS[:3], False), QUEENS],
    ),
    (
        "reject the shown one",
        lambda a: a.reject(3, _find(a, "kings")),
        [("queens", MODEL, PROPOSED, True), ("kings", MODEL, REJECTED, False)],
    ),
    (
        "reject another",
        lambda a: a.reject(3, _find(a, "queens")),
        [KINGS, ("queens", MODEL, REJECTED, False)],
    ),
    (
        "take away",
        lambda a: a.write(3, ""),
        [("queens", MODEL, PROPOSED, True), ("kings", MODEL, REJECTED, False)],
    ),
]


@pytest.mark.parametrize(("deed", "after"), [d[1:] for d in DEEDS], ids=[d[0] for d in DEEDS])
def test_deed__is_done_undone_and_done_again(
    actions: LabelActions, session: Session, deed: Callable[[LabelActions], None], after: State
) -> None:
    before = state(session)
    assert before == [KINGS, QUEENS]
    assert session.notes is not None
    whole = session.notes.labels_of("dict", 3)
    deed(actions)
    assert state(session) == after
    assert FeatureNotes.of(session).label(3) == after[0][0]
    session.undo_stack.undo()
    assert state(session) == before
    assert session.notes.labels_of("dict", 3) == whole  # scores, evidence and times, too
    session.undo_stack.redo()
    assert state(session) == after
    assert session.undo_stack.count() == 1


def test_own_label__is_edited_in_place_and_its_earlier_text_brought_back(
    actions: LabelActions, session: Session
) -> None:
    actions.write(3, "one")
    actions.write(3, "two")
    assert [label.text for label in actions.labels(3)] == ["two", "kings", "queens"]
    step = next(step for step in actions.history(3) if step.what == "edited")
    assert (step.who, step.text, step.author) == ("Anna", "one", "Anna")
    actions.restore(3, step)
    assert [label.text for label in actions.labels(3)][:2] == ["one", "kings"]
    assert "two" in [label.text for label in actions.labels(3)]
    session.undo_stack.undo()
    assert [label.text for label in actions.labels(3)] == ["two", "kings", "queens"]


def test_own_label_taken_away__leaves_the_best_of_the_others(
    actions: LabelActions, session: Session
) -> None:
    before = [label.text for label in actions.labels(3)]
    actions.write(3, "mine")
    actions.write(3, "")
    assert [label.text for label in actions.labels(3)] == before
    assert "removed" in [step.what for step in actions.history(3)]
    session.undo_stack.undo()
    assert [label.text for label in actions.labels(3)] == ["mine", *before]


def test_label_chosen__is_not_replaced_by_a_better_one(
    actions: LabelActions, session: Session, project: Project
) -> None:
    actions.choose(3, _find(actions, "queens"))
    assert session.notes is not None  # written
    other = Notes(project.notes_path)
    other.add_labels("dict", [Label(feature=3, text="best", method=MODEL, score=0.99)])
    assert other.note("dict", 3).label == "queens"
    actions.reject(3, _find(actions, "queens"))
    other.close()


def test_actions__of_a_read_only_project_change_nothing(
    actions: LabelActions, session: Session, client: object
) -> None:
    client.refuse_project("The project is open in another window.")  # type: ignore[attr-defined]
    before = state(session)
    for _name, deed, _after in DEEDS:
        deed(actions)
    assert state(session) == before
    assert not session.undo_stack.canUndo()


def test_history__has_what_was_written_and_what_was_undone(
    actions: LabelActions, session: Session
) -> None:
    def told(feature: int) -> list[str]:
        return [step_sentence(step, me="Anna") for step in actions.history(feature)]

    assert told(9) == []
    actions.write(9, "function words")
    assert told(9) == ["You wrote “function words”."]
    session.undo_stack.undo()
    assert actions.labels(9) == []
    assert sorted(told(9)) == ["You took back “function words”.", "You wrote “function words”."]
    actions.write(9, "one")
    actions.write(9, "two")
    assert {"You wrote “one”.", "You replaced “one”.", "You wrote “two”."} <= set(told(9))
    assert len(told(9)) == 5


def test_history__has_what_models_wrote_and_others_imported(actions: LabelActions) -> None:
    told = [step_sentence(step, me="Anna") for step in actions.history(3)]
    assert len(told) == 2
    assert all(" wrote “" in one for one in told)
