"""What a person does with the labels of a feature: each is a step that can be undone.

The feature's page and the reading desk offer the same.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
from PySide6.QtCore import QObject

from sae_desktop.gui.state.session import Session
from sae_desktop.label_words import is_own
from sae_desktop.project_changes import NoteChange, labels_after
from sae_desktop.project_labels import (
    AGREED,
    DETECTION,
    PERSON,
    PROPOSED,
    REJECTED,
    STATISTICS,
    UNWRITTEN,
    WRITTEN,
    Label,
    LabelStep,
    label_text,
    new_number,
    now,
    whole_history,
)
from sae_desktop.project_note import LABEL, FeatureNote

if TYPE_CHECKING:
    from sae_desktop.features.reading.names_file import FeatureName
    from sae_desktop.features.reading.reader import FeatureIndex

AUTOMATIC = -1
"""Number of a name by statistics, which is not among the notes until a person says something
of it."""


class OpenNotes(Protocol):
    """What `FeatureNotes` is for the actions."""

    dictionary: str
    noteChanged: Any

    def stored_or_held(self, dictionary: str | None, feature: int) -> FeatureNote: ...
    def set_rating(self, feature: int, rating: int, dictionary: str | None = None) -> None: ...
    def step(self, change: NoteChange, back: NoteChange, text: str) -> None: ...


class LabelActions(QObject):
    """The labels of features, to be read and changed; `FeatureNotes` makes it."""

    def __init__(self, session: Session, notes: OpenNotes) -> None:
        super().__init__(session)
        self._session, self._notes = session, notes

    @classmethod
    def of(cls, session: Session) -> LabelActions:
        """Return the session's one instance; its `FeatureNotes` must be there."""
        found = session.findChild(cls)
        assert found is not None
        return found

    # ------------------------------------------------------------------ reading
    def labels(self, feature: int, dictionary: str | None = None) -> list[Label]:
        """Return all labels of a feature, rejected ones too: the shown one first.

        The name by statistics is among them, numbered AUTOMATIC until a person agrees to it or
        rejects it.
        """
        dictionary = self._notes.dictionary if dictionary is None else dictionary
        index = self._session.index
        found = [scored(one, index, dictionary) for one in self._kept(feature, dictionary)]
        name = self._automatic(feature, dictionary)
        said = {label.text.casefold() for label in found if label.method == STATISTICS}
        if name is not None and name.text.casefold() not in said:
            found.append(name)
        return found

    def history(self, feature: int, dictionary: str | None = None) -> list[LabelStep]:
        """Return what became of a feature's labels, the latest step first."""
        stored = self._session.notes
        dictionary = self._notes.dictionary if dictionary is None else dictionary
        if stored is None:
            return []
        return whole_history(stored.history(dictionary, feature), self._kept(feature, dictionary))

    def _kept(self, feature: int, dictionary: str) -> list[Label]:
        stored = self._session.notes
        labels = [] if stored is None else stored.labels_of(dictionary, feature)
        return labels_after(self._session.notes_to_come(), dictionary, feature, labels)

    def _automatic(self, feature: int, dictionary: str) -> Label | None:
        index = self._session.index
        if index is None or index.info.dictionary != dictionary:
            return None
        name = index.name(feature)
        return None if name is None else automatic_label(feature, name)

    # ------------------------------------------------------------------ changing
    def write(self, feature: int, text: str, dictionary: str | None = None) -> None:
        """Have a person's own label shown; without text, the shown one is taken away.

        A label of their own is edited, any other is kept beside it. Taken away, a label that is
        not their own is rejected.
        """
        text = label_text(text)
        before = self._notes.stored_or_held(dictionary, feature)
        shown = before.shown
        if text == before.label:
            self._notes.noteChanged.emit(feature)
        elif not text:
            self._take_away(feature, before, dictionary)
        elif shown is not None and self._is_own(shown):
            self._write(before, self._own(feature, text, shown.number), dictionary)
        else:
            self._write(before, self._own(feature, text), dictionary)

    def choose(self, feature: int, label: Label, dictionary: str | None = None) -> None:
        """Have a label shown, whoever made it, without saying that it is right."""
        self._show(feature, label, label.state, "chosen", dictionary)

    def agree(self, feature: int, label: Label, dictionary: str | None = None) -> None:
        """Say that a label is right, and have it shown; a name by statistics enters the notes."""
        self._show(feature, label, AGREED, "agreed", dictionary)

    def edit(self, feature: int, label: Label, text: str, dictionary: str | None = None) -> None:
        """Have a changed text of a label shown: one's own is changed, another's is kept beside."""
        text = label_text(text)
        if not text or text == label.text:
            return
        if not self._is_own(label) or label.shown:
            self.write(feature, text, dictionary)
            return
        before = self._notes.stored_or_held(dictionary, feature)
        edited = self._own(feature, text, label.number)
        self._change(
            before, before.showing(edited), "label", dictionary,
            steps=[("edited", label), (WRITTEN, edited)], restored=[label],
        )  # fmt: skip

    def reject(self, feature: int, label: Label, dictionary: str | None = None) -> None:
        """Say that a label is wrong: it is not shown, nor proposed again by the same method."""
        before = self._notes.stored_or_held(dictionary, feature)
        rejected = msgspec.structs.replace(
            label, number=_kept_number(label), state=REJECTED, shown=False
        )
        after = before
        if before.label and before.number == label.number:
            after = before.showing(self._next(feature, label, dictionary))
        known = label.number != AUTOMATIC
        self._change(
            before, after, "rejected label", dictionary,
            steps=[("rejected", label)], others=[rejected],
            restored=[label] if known and not label.shown else [],
            added=[] if known else [rejected.number],
        )  # fmt: skip

    def rate(self, feature: int, rating: int, dictionary: str | None = None) -> None:
        """Say how well the shown label fits, 1 to 5; 0: nothing."""
        self._notes.set_rating(feature, rating, dictionary)

    def restore(self, feature: int, step: LabelStep, dictionary: str | None = None) -> None:
        """Have a label of the history shown as it was at a step."""
        held = self.labels(feature, dictionary)
        same = next(
            (one for one in held if (one.text, one.method) == (step.text, step.method)), None
        )
        if same is not None:
            self._show(feature, same, same.state, "restored", dictionary)
            return
        before = self._notes.stored_or_held(dictionary, feature)
        label = msgspec.structs.replace(
            self._own(feature, step.text), method=step.method, author=step.author
        )
        self._change(before, before.showing(label, chosen=True), "restored label", dictionary)

    # ------------------------------------------------------------------ steps
    def _write(self, before: FeatureNote, label: Label, dictionary: str | None) -> None:
        self._change(before, before.showing(label), "label", dictionary, steps=[(WRITTEN, label)])

    def _show(
        self, feature: int, label: Label, state: str, what: str, dictionary: str | None
    ) -> None:
        before = self._notes.stored_or_held(dictionary, feature)
        state = PROPOSED if state == REJECTED else state
        label_state = AGREED if state == AGREED or label.method == PERSON else PROPOSED
        after = before.showing(
            msgspec.structs.replace(label, number=_kept_number(label), state=label_state),
            chosen=True,
        )
        known = label.number != AUTOMATIC
        restored = [label] if known and not label.shown else []
        self._change(
            before, after, f"{what} label", dictionary, steps=[(what, label)], restored=restored
        )

    def _take_away(self, feature: int, before: FeatureNote, dictionary: str | None) -> None:
        held = self._kept(feature, self._notes.dictionary if dictionary is None else dictionary)
        shown = next((label for label in held if label.shown), None)
        if shown is None:
            return
        if not self._is_own(shown):
            self.reject(feature, shown, dictionary)
            return
        after = before.showing(self._next(feature, shown, dictionary))
        self._change(
            before, after, "label", dictionary,
            steps=[("removed", shown)], without=[shown.number],
        )  # fmt: skip

    def _next(self, feature: int, label: Label, dictionary: str | None) -> Label | None:
        """Return the label that is shown when one is taken away: the best of the others."""
        held = self._kept(feature, self._notes.dictionary if dictionary is None else dictionary)
        left = [one for one in held if one.number != label.number and one.state != REJECTED]
        return max(left, key=_worth, default=None)

    def _is_own(self, label: Label) -> bool:
        return is_own(label.method, label.author, self._session.person)

    def _own(self, feature: int, text: str, number: int | None = None) -> Label:
        return Label(
            number=new_number() if number is None else number,
            feature=feature, text=text, author=self._session.person, made=now(), state=AGREED,
        )  # fmt: skip

    def _change(
        self,
        before: FeatureNote,
        after: FeatureNote,
        text: str,
        dictionary: str | None,
        *,
        steps: Sequence[tuple[str, Label]] = (),
        others: Sequence[Label] = (),
        without: Sequence[int] = (),
        restored: Sequence[Label] = (),
        added: Sequence[int] = (),
    ) -> None:
        """Make a change as one step; `restored` and `added` are what undoing it writes and takes
        out beside the shown label."""
        notes = self._notes
        named = notes.dictionary if dictionary is None else dictionary
        new = [after.number] if after.label and after.number != before.number else []
        kept = {label.number for label in self._kept(before.feature, named)}
        gone = [number for number in (*new, *added) if number not in kept]
        who = self._session.person
        change = NoteChange(
            dictionary=named, note=after, parts=(LABEL,), who=who,
            steps=list(steps), others=list(others), without=list(without),
        )  # fmt: skip
        back = NoteChange(
            dictionary=named, note=before, parts=(LABEL,), who=who,
            steps=[
                (UNWRITTEN if what == WRITTEN else "undone", label) for what, label in steps
            ],
            others=list(restored), without=gone,
        )  # fmt: skip
        notes.step(change, back, f"{text} of feature {before.feature}")


def scored(label: Label, index: FeatureIndex | None, dictionary: str) -> Label:
    """Return the shown label with the score that is kept of it beside the index; without one with
    its own."""
    if not label.shown or index is None or index.info.dictionary != dictionary:
        return label
    found = index.label_score(label.feature, label.text)
    if found is None:
        return label
    low, high = (None if math.isnan(end) else end for end in (found.low, found.high))
    return msgspec.structs.replace(
        label, score=found.value, score_low=low, score_high=high, measure=DETECTION
    )


def automatic_label(feature: int, name: FeatureName) -> Label:
    """Return a name by statistics as a label that nobody has said anything of."""
    score, low, high = (
        None if math.isnan(value) else value
        for value in (name.score, name.score_low, name.score_high)
    )
    return Label(
        number=AUTOMATIC, feature=feature, text=label_text(name.short), method=STATISTICS,
        score=score, score_low=low, score_high=high, measure="" if score is None else name.measure,
    )  # fmt: skip


def _kept_number(label: Label) -> int:
    return new_number() if label.number == AUTOMATIC else label.number


def _worth(label: Label) -> tuple[bool, bool, float, int]:
    return label.method == PERSON, label.state == AGREED, label.score or 0.0, label.number
