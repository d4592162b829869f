"""The index's text read again by the model it is of: random directions, and where features are
silent in an index that did not keep its firings."""

from __future__ import annotations

import numpy as np

from sae_desktop.errors import UserError
from sae_desktop.features.asking.opened import open_index
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.jobs import JobContext
from sae_desktop.labels.examples import Examples, examples_of_firings
from sae_desktop.labels.judging.config import JudgeLabelsConfig
from sae_desktop.labels.known_firings import KnownFirings
from sae_desktop.labels.scoring.random_rivals import random_directions
from sae_desktop.labels.scoring.read_text import ReadText, read_text

_LEAST_FIRINGS = 60
"""Of a direction, in the rows read: with fewer there would be too few texts."""
_COMPANIONS = 10
_MOST_DIRECTIONS = 64


class Reread:
    """What reading again has found."""

    def __init__(self, index: FeatureIndex, read: ReadText, seed: int) -> None:
        self._index, self._read, self._seed = index, read, seed
        self._density = np.asarray(index.columns["density"], float)

    def known(self, feature: int) -> KnownFirings:
        """Return the firings of a feature that were found."""
        return self._read.known(feature)

    def direction(self, number: int, like: int, *, per_interval: int, silent: int) -> Examples:
        """Return the texts of a random direction that fires as often as the feature `like`.

        It fires where the activations lie furthest along it.
        """
        along = self._read.along[number % len(self._read.along)]
        wanted = max(int(self._density[like] * len(along)), _LEAST_FIRINGS)
        wanted = min(wanted, len(along) - 1)
        at = np.sort(np.argpartition(along, -wanted)[-wanted:])
        values = (along[at] - along[at].min() + 1e-6).astype(np.float32)
        known = KnownFirings(self._read.read_rows[at], values, self._read.spans, fair=True)
        rng = np.random.default_rng([self._seed, number, 13])
        alive = np.flatnonzero(self._density > 0)
        companions = rng.choice(alive, min(_COMPANIONS, len(alive)), replace=False).tolist()
        return examples_of_firings(
            self._index, known, companions, seed=self._seed + number, explain=per_interval,
            test=per_interval, silent=silent,
        )  # fmt: skip


def reread(
    config: JudgeLabelsConfig, index: FeatureIndex, features: int, context: JobContext
) -> Reread | None:
    """Read a part of the text again for so many features; None where the model cannot be asked."""
    count = min(features, config.baseline_features, _MOST_DIRECTIONS)
    if not config.rows or (index.firings() is not None and not count):
        return None
    try:
        opened = open_index(config.project, config.index, config.device)
    except UserError as error:
        context.log(f"There are no random directions beside the labels: {error}")
        return None
    directions = random_directions(opened.dictionary.width, max(count, 1), config.seed)
    return Reread(
        index, read_text(opened, config.rows, directions, config.seed, context), config.seed
    )
