"""Which features are read one after another, and where one is among them. Free of Qt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sae_desktop.features.reading.filter import FeatureFilter, Marks, matching, ordered
from sae_desktop.features.reading.reader import FeatureIndex

Array = npt.NDArray[Any]

NAME_SCORE = "name_score"
SUREST, DENSEST, UNCERTAIN = "surest", "densest", "uncertain"
RANDOM, LISTED = "random", "listed"


@dataclass(frozen=True)
class Order:
    """A way to go through features."""

    id: str
    title: str
    tip: str


ORDERS = (
    Order(
        SUREST,
        "Unlabelled, surest names first",
        "Features without a label of yours, those whose automatic names have the highest scores "
        "first: the easiest to agree with",
    ),
    Order(
        DENSEST,
        "Unlabelled, densest first",
        "Features that fire and have no label of yours, those that fire most often first",
    ),
    Order(
        UNCERTAIN,
        "Unlabelled, least certain first",
        "Features without a label of yours whose automatic names have the lowest scores",
    ),
    Order(
        RANDOM,
        "Unlabelled, at random",
        "Features without a label of yours in a random order: what you find holds for all of them",
    ),
    Order(
        LISTED,
        "As the list shows them",
        "The features selected in the list at the left, or all that it shows, in its order",
    ),
)


def reading_order(
    order: str, index: FeatureIndex, marks: Marks, own: Array, listed: Array, seed: int
) -> Array:
    """Return the features to be read, in order.

    `own` are features that have a label of the person's; `listed` is what the list shows.
    """
    if order == LISTED:
        return listed[(listed >= 0) & (listed < index.features)]
    alive = matching(FeatureFilter(alive_only=True), index, marks)
    unlabelled = np.ones(index.features, dtype=bool)
    unlabelled[own[(own >= 0) & (own < index.features)]] = False
    wanted = alive[unlabelled[alive]]
    if order == RANDOM:
        return np.random.default_rng(seed).permutation(wanted)
    if order == SUREST and NAME_SCORE in index.columns:
        return ordered(wanted, NAME_SCORE, True, index, marks)
    densest = ordered(wanted, "density", True, index, marks)
    if order == UNCERTAIN and NAME_SCORE in index.columns:
        scores = np.asarray(index.columns[NAME_SCORE], np.float32)[densest]
        # No score at all is less certain than any.
        return densest[np.argsort(np.nan_to_num(scores, nan=-1.0), kind="stable")]
    return densest


class ReadingQueue:
    """Features in a fixed order and a place among them; the place may be past the last."""

    def __init__(self, features: Array | None = None) -> None:
        self.features = np.empty(0, np.int64) if features is None else features
        self.at = 0

    def __len__(self) -> int:
        return len(self.features)

    @property
    def current(self) -> int | None:
        """The feature one is at; None past the last."""
        return self._feature(self.at)

    @property
    def ahead(self) -> int:
        """How many come after the present one."""
        return max(len(self.features) - self.at - 1, 0)

    def _feature(self, place: int) -> int | None:
        return int(self.features[place]) if 0 <= place < len(self.features) else None

    def forward(self) -> int | None:
        """Go on by one; None past the last."""
        self.at = min(self.at + 1, len(self.features))
        return self.current

    def back(self) -> int | None:
        """Go back by one; None when one is at the first."""
        if self.at == 0:
            return None
        self.at -= 1
        return self.current

    def go_to(self, feature: int) -> bool:
        """Go to a feature; False, and nothing changes, where it is not among them."""
        places = np.flatnonzero(self.features == feature)
        if not len(places):
            return False
        self.at = int(places[0])
        return True

    def insert(self, feature: int) -> None:
        """Go to a feature that is put in here where it is not among them yet."""
        if not self.go_to(feature):
            self.features = np.insert(self.features, self.at, feature)

    def near(self, ahead: int) -> list[int]:
        """Return the features that come next, the nearest first, and the one before."""
        places = [*range(self.at + 1, self.at + 1 + ahead), self.at - 1]
        found = (self._feature(place) for place in places)
        return [feature for feature in found if feature is not None]
