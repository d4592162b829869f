"""Who named how many features, and how far the names can be believed. Free of Qt."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sae_desktop.features.reading.reader import FeatureIndex
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
            "The score says how often a name picks the text in which its feature fires out of two "
            f"texts it was not made from: 0.5 is a coin’s. Half of the names reach {own:.2f}"
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
    own: int
    """Features that show a label of the person's."""
    model: int
    imported: int
    agreed: int
    """Features that show an automatic name to which the person agreed."""
    automatic: int
    """Features without any of these that have a name by statistics."""
    scores: Scores

    @property
    def labelled(self) -> int:
        """Features that show a label, whoever made it."""
        return self.own + self.model + self.imported + self.agreed

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


def by_method(notes: Notes | None, dictionary: str) -> dict[str, Array]:
    """Return method → features that show a label of it."""
    if notes is None or not dictionary:
        return {}
    return {method: notes.shown_by(dictionary, method) for method in METHODS}


def by_method_in(path: Path, dictionary: str) -> dict[str, Array]:
    """Return the same, read from the file: for a thread of its own."""
    with closing(Notes(path)) as notes:
        return by_method(notes, dictionary)


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


def take_overview(index: FeatureIndex, shown: dict[str, Array]) -> Overview:
    """Return what there is to tell; `shown` gives the features that show a label, by method."""
    density = np.asarray(index.columns["density"])
    labelled = np.concatenate([np.empty(0, np.int64), *shown.values()])
    count = {method: len(np.unique(features)) for method, features in shown.items()}
    return Overview(
        features=index.features,
        alive=int(np.count_nonzero(density > 0)),
        own=count.get(PERSON, 0),
        model=count.get(MODEL, 0),
        imported=count.get(IMPORTED, 0),
        agreed=count.get(STATISTICS, 0),
        automatic=named_automatically(index, labelled),
        scores=name_scores(index),
    )
