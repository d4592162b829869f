"""Who named how many features, and how far the names can be believed. Free of Qt."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.label_words import is_own
from sae_desktop.project_labels import IMPORTED, METHODS, MODEL, PERSON, STATISTICS
from sae_desktop.project_notes import Notes
from sae_desktop.words.amounts import exact_count

Array = npt.NDArray[Any]

BINS = 25
_NONE: Array = np.empty(0, np.float32)
_CLEAR = 0.1
"""A median that is farther above the shuffled one says more than chance."""


@dataclass(frozen=True)
class Scores:
    """Scores of names (n,), and of the same features with another feature's name (m,)."""

    own: Array = field(default_factory=lambda: _NONE)
    shuffled: Array = field(default_factory=lambda: _NONE)

    @property
    def known(self) -> bool:
        return len(self.own) > 0

    def counts(self) -> tuple[Array, Array, Array]:
        """Return (edges (BINS + 1,), counts (BINS,) of the names, the same of the shuffled)."""
        least = min([0.25, *(float(v.min()) for v in (self.own, self.shuffled) if len(v))])
        edges = np.linspace(max(np.floor(least * 20) / 20, 0.0), 1.0, BINS + 1)
        return edges, np.histogram(self.own, edges)[0], np.histogram(self.shuffled, edges)[0]

    @property
    def sentence(self) -> str:
        """What the two heaps of scores say, in words."""
        own = float(np.median(self.own))
        told = (
            "The score of a name: given two new texts, of which its feature fires in one, how "
            "often the name picks that one. 0.5 is guessing, 1 is always. Half of the names reach "
            f"{own:.2f}"
        )
        if not len(self.shuffled):
            return f"{told}."
        shuffled = float(np.median(self.shuffled))
        ending = (
            "so most names say something true of their feature."
            if own - shuffled > _CLEAR
            else "so most names say little: read before you believe them."
        )
        return f"{told}; shuffled among the features, half reach {shuffled:.2f}, {ending}"


@dataclass(frozen=True)
class Overview:
    """What the overview of Labels tells."""

    features: int
    alive: int
    people: dict[str, int]
    """Who wrote labels → features that show one of theirs; "" and `me` are the person."""
    me: str
    model: int
    imported: int
    agreed: int
    """Features that show an automatic name to which the person agreed."""
    automatic: int
    """Features without any of these that have a name by statistics."""
    scores: Scores

    @property
    def own(self) -> int:
        """Features that show a label of the person's."""
        return sum(count for who, count in self.people.items() if is_own(PERSON, who, self.me))

    @property
    def others(self) -> list[tuple[str, int]]:
        """(who, features that show a label of theirs) of other people, the most first."""
        found = [one for one in self.people.items() if not is_own(PERSON, one[0], self.me)]
        return sorted(found, key=lambda one: (-one[1], one[0]))

    @property
    def labelled(self) -> int:
        """Features that show a label, whoever made it."""
        return sum(self.people.values()) + self.model + self.imported + self.agreed

    @property
    def nameless(self) -> int:
        """Features that fire and have no name at all."""
        return max(self.alive - self.labelled - self.automatic, 0)

    @property
    def headline(self) -> str:
        """How many features there are to be named."""
        if self.alive == self.features:
            return f"{exact_count(self.features)} features, all of which fire"
        return f"{exact_count(self.features)} features, {exact_count(self.alive)} of which fire"


@dataclass(frozen=True)
class Shown:
    """Which labels are shown."""

    by_method: dict[str, Array] = field(default_factory=dict)
    """Method → features that show a label of it."""
    people: dict[str, int] = field(default_factory=dict)
    """Who wrote labels → features that show one of theirs."""


def shown_labels(notes: Notes | None, dictionary: str) -> Shown:
    """Return which labels of a dictionary are shown."""
    if notes is None or not dictionary:
        return Shown()
    by_method = {method: notes.shown_by(dictionary, method) for method in METHODS}
    return Shown(by_method, notes.authors(dictionary, PERSON))


def shown_labels_in(path: Path, dictionary: str) -> Shown:
    """Return the same, read from the file: for a thread of its own."""
    with closing(Notes(path)) as notes:
        return shown_labels(notes, dictionary)


def name_scores(index: FeatureIndex) -> Scores:
    """Return the scores of an index's automatic names."""
    names = index.names
    if names is None:
        return Scores()
    own, shuffled = names.figures["name_score"], names.figures["shuffled"]
    return Scores(own[np.isfinite(own)], shuffled[np.isfinite(shuffled) & np.isfinite(own)])


def named_automatically(index: FeatureIndex, labelled: Array) -> int:
    """Return how many features have a name by statistics and are not among `labelled`."""
    offsets = np.asarray(index.short_names().offsets)
    named = np.flatnonzero(np.diff(offsets) > 0)
    return int(np.count_nonzero(~np.isin(named, labelled)))


def take_overview(index: FeatureIndex, shown: Shown, me: str) -> Overview:
    """Return what there is to tell; `me` is how the person signs."""
    density = np.asarray(index.columns["density"])
    labelled = np.concatenate([np.empty(0, np.int64), *shown.by_method.values()])
    count = {method: len(np.unique(found)) for method, found in shown.by_method.items()}
    return Overview(
        features=index.features,
        alive=int(np.count_nonzero(density > 0)),
        people=shown.people,
        me=me,
        model=count.get(MODEL, 0),
        imported=count.get(IMPORTED, 0),
        agreed=count.get(STATISTICS, 0),
        automatic=named_automatically(index, labelled),
        scores=name_scores(index),
    )
