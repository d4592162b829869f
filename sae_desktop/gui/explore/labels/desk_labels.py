"""What the reading desk reads and changes of a feature's labels."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from sae_desktop.gui.state.feature_notes import FeatureNotes
from sae_desktop.gui.state.label_actions import LabelActions
from sae_desktop.gui.state.session import Session
from sae_desktop.project_labels import AGREED, MOST_STARS, PERSON, REJECTED, Label

Array = npt.NDArray[Any]

LONGEST = 400
"""Characters of a label that the desk shows."""


def line_of(label: Label) -> str:
    """Return a label in one line that is not endless."""
    return label.text if len(label.text) <= LONGEST else f"{label.text[:LONGEST]}…"


class GivenLabels:
    """The labels that were given at the desk, as long as its index is open."""

    def __init__(self) -> None:
        self._given: dict[int, str] = {}

    def __contains__(self, feature: object) -> bool:
        return feature in self._given

    @property
    def latest(self) -> int | None:
        """The feature that was given one last."""
        return next(reversed(self._given), None)

    def label(self, feature: int) -> str:
        """Return the label a feature was given last; empty: none."""
        return self._given.get(feature, "")

    def give(self, feature: int, text: str) -> None:
        """A feature was given a label; without a text it was taken away."""
        self._given.pop(feature, None)
        if text:
            self._given[feature] = text


class DeskLabels:
    """The labels of the open dictionary's features."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._notes = FeatureNotes.of(session)
        self._actions = LabelActions.of(session)

    def own(self, feature: int) -> str:
        """Return the label that the person wrote and that is shown; nothing without one."""
        note = self._notes.note(feature)
        return note.label if note.method == PERSON else ""

    def is_settled(self, feature: int) -> bool:
        """Whether the label shown is the person's, or one they agreed to."""
        note = self._notes.note(feature)
        return bool(note.label) and note.state == AGREED

    def settled_features(self) -> Array:
        """Return the features whose label is the person's, or one they agreed to."""
        stored = self._session.notes
        if stored is None or not self._notes.dictionary:
            return np.empty(0, np.int64)
        return stored.agreed(self._notes.dictionary)

    def candidates(self, feature: int) -> list[Label]:
        """Return all names there are for a feature: the shown one first, rejected ones last."""
        found = self._actions.labels(feature)
        return sorted(found, key=lambda one: (one.state == REJECTED, not one.shown))

    def proposed(self, feature: int | None) -> list[Label]:
        """Return the names that are not rejected: those the digits choose."""
        found = [] if feature is None else self.candidates(feature)
        return [one for one in found if one.state != REJECTED]

    def take(self, feature: int, text: str) -> None:
        """Take what the person typed: a name that is proposed is agreed with, any other is their
        own, and nothing takes their own away.
        """
        same = [one for one in self.candidates(feature) if one.text == text]
        if same and same[0].method != PERSON:
            self.agree(feature, same[0])
        elif text or self.own(feature):
            self._actions.write(feature, text)

    def agree(self, feature: int, label: Label) -> None:
        """Say that a label is right: it is shown from now on."""
        if not (label.shown and label.state == AGREED):
            self._actions.agree(feature, label)

    def reject(self, feature: int, label: Label) -> None:
        """Say that a label is wrong."""
        self._actions.reject(feature, label)

    def rate_higher(self, feature: int) -> int:
        """Give the shown label a star more, after the last none; return how many it has then."""
        rating = (self._notes.note(feature).rating + 1) % (MOST_STARS + 1)
        self._actions.rate(feature, rating)
        return rating

    def set_tags(self, feature: int, tags: list[str]) -> None:
        self._notes.set_tags(feature, tags)
