"""The way through the features at the reading desk, and how far a person has come on it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sae_desktop.errors import UserError
from sae_desktop.gui.explore.labels.desk_labels import DeskLabels
from sae_desktop.gui.explore.labels.read_today import ReadToday
from sae_desktop.gui.explore.labels.reading_queue import (
    LISTED,
    RANDOM,
    SUREST,
    ReadingQueue,
    reading_order,
)
from sae_desktop.gui.state.feature_notes import FeatureNotes
from sae_desktop.gui.state.session import Session
from sae_desktop.words.amounts import exact_count

Array = npt.NDArray[Any]

_NOTHING: Array = np.empty(0, np.int64)


class DeskRoute:
    """Puts the features in the order that is chosen, and goes through them."""

    def __init__(self, session: Session, labels: DeskLabels, listed: Callable[[], Array]) -> None:
        """`listed` gives the features that the list shows, or those selected in it."""
        self._session, self._labels, self._listed = session, labels, listed
        self.queue = ReadingQueue()
        self.today = ReadToday()
        self._path: Path | None = None
        """Of the index that is read."""
        self.order = SUREST
        self.stale = True
        """Whether the queue is of another index or order than is chosen."""
        self._seed = 0
        self._all = False
        """Whether features with a label are read, too."""
        self._resume: int | None = None
        """The feature at which one was when the project was left."""

    def forget(self) -> None:
        """An index is opened; what was read of it today stays where it is the same as before."""
        index = self._session.index
        path = None if index is None else index.path
        if path != self._path:
            self.today, self._path = ReadToday(), path
        self.queue = ReadingQueue()
        self.stale, self._all, self._resume = True, False, None

    def choose(self, order: str) -> None:
        """Go another way, from its beginning."""
        self.order, self.stale, self._all, self._resume = order, True, False, None
        if order == RANDOM:
            self._seed = int(np.random.default_rng().integers(2**31))

    def read_all(self) -> None:
        """Go through every feature that fires, labelled or not, in a random order."""
        self.choose(RANDOM)
        self._all = True

    def plan(self, present: int | None, asked: int | None = None) -> None:
        """Put the features in order and be at the one asked for, else at the present one.

        Where neither is among them, one is where one was, or at the first.
        """
        index = self._session.index
        if index is None:
            return
        self.stale = False
        own = _NOTHING if self._all else self._labels.settled_features()
        notes = FeatureNotes.of(self._session)
        try:
            found = reading_order(self.order, index, notes, own, self._listed(), self._seed)
        except UserError as error:
            self._session.show_error(error)
            found = _NOTHING
        self.queue = ReadingQueue(found)
        if asked is not None:
            self.queue.insert(asked)
            return
        for feature in (present, self._resume):
            if feature is not None and self.queue.go_to(feature):
                return

    @property
    def progress(self) -> str:
        """How far one is, such as “12 read today · 228 to come”."""
        read, ahead = exact_count(len(self.today)), exact_count(self.queue.ahead)
        return f"{read} read today · {ahead} to come"

    @property
    def end(self) -> str:
        """What is said where there is no feature to be shown."""
        if len(self.queue):
            count = len(self.queue)
            things = "feature" if count == 1 else "features"
            return f"That was the last of {exact_count(count)} {things}."
        if self.order == LISTED:
            return "The list at the left shows no features."
        return (
            "Every feature that fires has a label of yours. To read them again in a random order "
            "shows whether the labels still convince you."
        )

    def kept(self, present: int | None) -> dict[str, Any]:
        """Return what brings one back to where one is."""
        return {**self.today.kept(), "seed": self._seed, "all": self._all, "feature": present}

    def give(self, kept: dict[str, Any]) -> None:
        """Be where one was when `kept` was called."""
        self.today.give(kept)
        self._seed, self._all = int(kept["seed"]), bool(kept["all"])
        self._resume = kept["feature"] if isinstance(kept["feature"], int) else None
        self.stale = True
