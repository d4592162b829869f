"""Labels, scores, stars and notes of the open dictionary: saved at each change, undone by Ctrl+Z.

A million labels are not held here: those in sight are fetched when they are shown, and what a
list needs of all of them (which have a star, the order of the labels) is an array of numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QObject, Signal

from sae_desktop.gui.state.background import Background
from sae_desktop.gui.state.fresh_scores import FreshScores
from sae_desktop.gui.state.label_actions import LabelActions, scored
from sae_desktop.gui.state.name_order import NameOrder
from sae_desktop.gui.state.note_steps import ChangeMany, ChangeNote, ChangeStars
from sae_desktop.gui.state.session import Session
from sae_desktop.label_words import isolated, label_tip, score_figure
from sae_desktop.project_changes import ManyChange, NoteChange, StarsChange, note_after
from sae_desktop.project_labels import REJECTED, STATISTICS, Label
from sae_desktop.project_lists import FeatureLists
from sae_desktop.project_note import LABEL, NOTE, STAR, TAGS, clean_tags, with_parts
from sae_desktop.project_notes import FeatureNote, Notes
from sae_desktop.words.feature_words import WIDE, FeatureWords, FeatureWordsReader

if TYPE_CHECKING:
    from sae_desktop.features.reading.reader import FeatureIndex

Array = npt.NDArray[Any]

_SCORE_COLUMNS = ("name_score", "label_score")
_HELD = 20_000  # notes at most
_ORDERED_AT_ONCE = 20_000
"""The order of more labels is found beside the window."""
_NONE: Array = np.empty(0, dtype=np.int64)


class FeatureNotes(QObject):
    """What a person wrote about the features of the session's dictionary (`Marks`)."""

    noteChanged = Signal(int)
    """A feature's note changed."""
    reloaded = Signal()
    """Other notes, or more of them, are here."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self.actions = LabelActions(session, self)
        self.dictionary = ""
        self.held: dict[int, FeatureNote] = {}
        self._stars: Array | None = None
        self._by_label: Array | None = None
        self._rejected: dict[int, set[str]] | None = None
        self._words: FeatureWordsReader | None = None
        self._names = NameOrder(self)
        self._names.found.connect(self.reloaded)
        self._order = Background(self)
        self._order.answered.connect(self._on_ordered)
        self.fresh_scores = FreshScores(session, self)
        session.indexOpened.connect(self._on_index_opened)
        session.projectChanged.connect(self._on_project_changed)
        session.notesChanged.connect(self.reload)
        session.notesDelayed.connect(self._on_delayed)
        session.columnMade.connect(self._on_column_made)
        self._on_project_changed()

    @classmethod
    def of(cls, session: Session) -> FeatureNotes:
        """Return the session's one instance."""
        found = session.findChild(cls)
        return found if found is not None else cls(session)

    # ------------------------------------------------------------------ one feature
    def note(self, feature: int) -> FeatureNote:
        if feature not in self.held:
            self.hold([feature])
        return self.held[feature]

    def hold(self, features: Iterable[int]) -> None:
        """Read the notes of features that are shown together at once, not one after another."""
        missing = [feature for feature in features if feature not in self.held]
        if len(self.held) + len(missing) > _HELD:
            self.held.clear()
        stored, coming = self._session.notes, self._session.notes_to_come()
        known = stored.notes(self.dictionary, missing) if stored and self.dictionary else {}
        for feature in missing:
            note = known.get(feature) or FeatureNote(feature=feature)
            self.held[feature] = note_after(coming, self.dictionary, note)

    def stored_note(self, dictionary: str, feature: int) -> FeatureNote:
        """Return a note of any dictionary, as it is written or about to be."""
        stored = self._session.notes if dictionary else None
        found = FeatureNote(feature=feature) if stored is None else stored.note(dictionary, feature)
        return note_after(self._session.notes_to_come(), dictionary, found)

    def label(self, feature: int) -> str:
        return self.note(feature).label

    def starred(self, feature: int) -> bool:
        return self.note(feature).starred

    def title(self, feature: int) -> str:
        """Return "#12 label", or "#12" without one."""
        label = self.label(feature)
        return f"#{feature} {isolated(label)}" if label else f"#{feature}"

    def words(self, feature: int) -> FeatureWords | None:
        """Return what the open index says of a feature; None where it has a label, or no index."""
        index = self._session.index
        if index is None or self.label(feature):
            return None
        if self._words is None or self._words.index is not index:
            self._words = FeatureWordsReader(index)
        words = self._words.words(feature)
        rejected = words.name and words.name.casefold() in self.rejected_names().get(feature, ())
        return replace(words, name="") if rejected else words

    def rejected_names(self) -> dict[int, set[str]]:
        """Return the names by statistics that a person rejected, case left aside."""
        if self._rejected is None:
            stored = self._session.notes
            self._rejected = {} if stored is None else stored.rejected(self.dictionary, STATISTICS)
        return self._rejected

    def score_text(self, feature: int) -> str:
        """Return the score of what stands in the label's place, as it stands small beside it."""
        shown = self._shown(feature)
        if shown is not None:
            return score_figure(shown.score)
        words = self.words(feature)
        return "" if words is None else words.score_text

    def _shown(self, feature: int) -> Label | None:
        label = self.note(feature).shown
        return None if label is None else scored(label, self._session.index, self.dictionary)

    def tip(self, feature: int) -> str:
        """Return all there is to say of what stands in the label's place, in short lines."""
        words = self.words(feature)
        if words is not None:
            return words.tip
        shown = self._shown(feature)
        return "" if shown is None else label_tip(shown, me=self._session.person)

    def said(self, feature: int, room: int = WIDE) -> tuple[str, bool]:
        """Return what stands beside a feature's number, and whether it stands there in grey.

        That is its label; without one, what the index says of it in about `room` characters. The
        score follows.
        """
        told, score = self.named(feature, room), self.score_text(feature)
        return f"{told} · {score}" if score else told, self.words(feature) is not None

    def named(self, feature: int, room: int = WIDE) -> str:
        """Return what `said` does without the score, for the middle of a sentence."""
        words = self.words(feature)
        return isolated(self.label(feature)) if words is None else words.line(room)

    def described(self, feature: int, room: int = WIDE) -> str:
        """Return "#12 label · 0.92", or in place of the label what is said of one without."""
        return f"#{feature} {self.said(feature, room)[0]}".rstrip()

    def labels(self, features: Array) -> dict[int, str]:
        """Return feature → label of those that have one."""
        stored = self._session.notes
        if stored is None or not self.dictionary:
            return {}
        notes = stored.notes(self.dictionary, features)
        wanted = set(features.tolist())
        for change in self._session.notes_to_come():
            if isinstance(change, NoteChange) and change.dictionary == self.dictionary:
                feature = change.note.feature
                if feature in wanted:
                    before = notes.get(feature) or FeatureNote(feature=feature)
                    notes[feature] = with_parts(before, change.note, change.parts)
        return {f: note.label for f, note in notes.items() if note.label}

    # ------------------------------------------------------------------ all of them
    def starred_features(self) -> Array:
        if self._stars is None:
            stored = self._session.notes
            self._stars = stored.starred(self.dictionary) if stored is not None else _NONE
        return self._stars

    def labelled_features(self) -> Array:
        """Return the features with a label in the order of their labels.

        Of very many labels the order is found beside the window; until then there are none, and
        `reloaded` says when they are here.
        """
        if self._by_label is None:
            stored = self._session.notes
            self._by_label = _NONE
            if stored is not None and self.dictionary:
                if stored.count_labels(self.dictionary) <= _ORDERED_AT_ONCE or not (
                    stored.path.exists() and not stored.read_only
                ):
                    self._by_label = stored.by_label(self.dictionary)
                else:
                    path, dictionary = stored.path, self.dictionary
                    self._order.run((path, dictionary), lambda: _by_label(path, dictionary))
        return self._by_label

    def labelled_by(self, method: str) -> Array:
        """Return the features whose shown label was made by a method of `project_labels`."""
        stored = self._session.notes
        return _NONE if stored is None else stored.shown_by(self.dictionary, method)

    def named_features(self, index: FeatureIndex) -> Array:
        """Return the features with a label or an automatic name, in the order of these names.

        Of very many, those with a label alone at first; `reloaded` says when the order is here.
        """
        return self._names.of(index, self._session.notes, self.labelled_features())

    def scored_features(self) -> tuple[Array, Array]:
        stored = self._session.notes
        return stored.scores(self.dictionary) if stored is not None else (_NONE, _NONE)

    def found_features(self, text: str) -> Array:
        stored = self._session.notes
        return stored.search(self.dictionary, text) if stored is not None else _NONE

    def found_names(self, index: FeatureIndex, text: str) -> Array:
        # h5py: not before the first show
        from sae_desktop.features.reading.name_search import shown_names_with_text

        rejected = self.rejected_names()
        return shown_names_with_text(index, text, self.labelled_features(), rejected)

    def list_members(self, name: str) -> Array | None:
        stored = self._session.notes
        found = None if stored is None else FeatureLists(stored).read(self.dictionary, name)
        return None if found is None else np.asarray(found.features, dtype=np.int64)

    # ------------------------------------------------------------------ writing
    def set_label(self, feature: int, label: str, dictionary: str | None = None) -> None:
        """Label a feature, of the open dictionary unless another is named; an undoable step."""
        self.actions.write(feature, label, dictionary)

    def set_note(self, feature: int, text: str, dictionary: str | None = None) -> None:
        """Write a note about a feature; an undoable step."""
        self._replace(dictionary, feature, NOTE, note=text.strip())

    def set_tags(self, feature: int, tags: Iterable[str], dictionary: str | None = None) -> None:
        """Say what a feature is tagged with; an undoable step."""
        self._replace(dictionary, feature, TAGS, tags=clean_tags(tags))

    def set_rating(self, feature: int, rating: int, dictionary: str | None = None) -> None:
        """Say how well the shown label fits, 1 to 5, or 0: nothing; an undoable step."""
        self._replace(dictionary, feature, LABEL, "rating", rating=rating)

    def set_starred(self, feature: int, starred: bool) -> None:
        """Star a feature or take its star away; an undoable step."""
        self._replace(None, feature, STAR, starred=starred)

    def set_stars(self, features: Array, starred: bool) -> None:
        """Star many features or take their stars away; one undoable step."""
        changed = features[np.isin(features, self.starred_features()) != starred]
        if len(changed) and self._session.may_write_notes():
            self._session.undo_stack.push(ChangeStars(self, changed, starred))

    def _replace(
        self, dictionary: str | None, feature: int, part: str, what: str = "", **changes: object
    ) -> None:
        before = self.stored_or_held(dictionary, feature)
        dictionary = self.dictionary if dictionary is None else dictionary
        after = msgspec.structs.replace(before, **changes)
        change = NoteChange(dictionary=dictionary, note=after, parts=(part,))
        back = NoteChange(dictionary=dictionary, note=before, parts=(part,))
        self.step(change, back, f"{what or part} of feature {feature}", changed=before != after)

    def stored_or_held(self, dictionary: str | None, feature: int) -> FeatureNote:
        """Return the note of a feature, of the open dictionary unless another is named."""
        if dictionary is None or dictionary == self.dictionary:
            return self.note(feature)
        return self.stored_note(dictionary, feature)

    def step(
        self, change: NoteChange, back: NoteChange, text: str, *, changed: bool = True
    ) -> None:
        """Make a change as an undoable step, where the project takes changes."""
        if not changed:
            return
        if change.dictionary and self._session.may_write_notes():
            self._session.undo_stack.push(ChangeNote(self, change, back, text))
        elif change.dictionary == self.dictionary:
            # Whoever shows what was typed shows what is kept.
            self.noteChanged.emit(change.note.feature)

    def save(self, change: NoteChange) -> None:
        """Have a change of a note written to the project."""
        feature = change.note.feature
        before = self.note(feature) if change.dictionary == self.dictionary else None
        self._session.write_notes(change)
        if before is not None:
            note = with_parts(before, change.note, change.parts)
            self.held[feature] = note
            self._note_rejections(change)
            self._stars = None if note.starred != before.starred else self._stars
            if note.label != before.label:
                self._names.forget()
                self._move_label(note)
            self.noteChanged.emit(feature)

    def change_many(self, pairs: Sequence[tuple[NoteChange, NoteChange]], text: str) -> None:
        """Make changes, each given with the one that takes it back, as one undoable step."""
        if pairs and self._session.may_write_notes():
            self._session.undo_stack.push(ChangeMany(self, pairs, text))

    def save_many(self, changes: list[NoteChange]) -> None:
        """Have what is written about many features written to the project."""
        self._session.write_notes(ManyChange(changes=changes))
        self.reload()

    def _note_rejections(self, change: NoteChange) -> None:
        if self._rejected is not None and (change.others or change.without):
            feature = change.note.feature
            labels = self.actions.labels(feature)
            self._rejected[feature] = {
                label.text.casefold()
                for label in labels
                if (label.method, label.state) == (STATISTICS, REJECTED)
            }

    def save_stars(self, dictionary: str, features: Array, starred: bool) -> None:
        """Have many stars written to the project."""
        self._session.write_notes(
            StarsChange(dictionary=dictionary, features=features.tolist(), starred=starred)
        )
        if dictionary == self.dictionary:
            self.held.clear()
            self._stars = None
            self.reloaded.emit()

    def _move_label(self, note: FeatureNote) -> None:
        """Keep the order of the labels right after one has changed."""
        if self._by_label is None:
            return
        order = self._by_label[self._by_label != note.feature]
        if note.label:
            low, high, key = 0, len(order), note.label.lower()
            while low < high:
                middle = (low + high) // 2
                if self.label(int(order[middle])).lower() < key:
                    low = middle + 1
                else:
                    high = middle
            order = np.insert(order, low, note.feature)
        self._by_label = order

    # ------------------------------------------------------------------ the session
    def _on_index_opened(self, index: object) -> None:
        dictionary = self._session.index.info.dictionary if self._session.index else ""
        self._load(dictionary)

    def _on_column_made(self, column: str) -> None:
        if column in _SCORE_COLUMNS:  # names have come, or their scores
            self._words = None

    def _on_project_changed(self) -> None:
        self._on_index_opened(self._session.index)

    def _on_delayed(self, delayed: bool) -> None:
        if not delayed:
            self.reload()

    def reload(self) -> None:
        """Read again what others wrote into the project."""
        self._load(self.dictionary)

    def _load(self, dictionary: str) -> None:
        self.dictionary = dictionary
        self.held = {}
        self._names.forget()
        self._stars = self._by_label = self._rejected = None
        self.reloaded.emit()

    def _on_ordered(self, answer: tuple[tuple[Path, str], Array]) -> None:
        (path, dictionary), order = answer
        stored = self._session.notes
        if stored is not None and (path, dictionary) == (stored.path, self.dictionary):
            self._by_label = order
            self.reloaded.emit()


def _by_label(path: Path, dictionary: str) -> Array:
    notes = Notes(path)
    try:
        return notes.by_label(dictionary)
    finally:
        notes.close()
