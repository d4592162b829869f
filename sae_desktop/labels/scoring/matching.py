"""At how many of the places a label applies to its feature fires, by interval of activation.

Of held-out rows of which it is known what fires on them, n. An automatic name applies where its
most telling fact holds; another label where one of the tokens it quotes, or else names, stands.
Free of torch.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sae_desktop.features.reading.held_out import held_out
from sae_desktop.features.reading.names_file import FeatureName
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.features.reading.search import token_ids
from sae_desktop.labels.examples import interval_of
from sae_desktop.labels.known_firings import KnownFirings
from sae_desktop.labels.scoring.facts import FactsDetector
from sae_desktop.labels.scoring.terms import terms_of

Array = npt.NDArray[Any]

MOST_ROWS = 60_000
LEAST_PLACES = 5
"""With fewer nothing is said."""


class Matching(NamedTuple):
    """What was found of a label."""

    places: int
    shares: tuple[float, ...]
    """Of the places, those at which the feature fires in each interval, the weakest first."""


NOTHING = Matching(0, ())


class MatchingPlaces:
    """The rows in which labels are looked for."""

    def __init__(
        self, index: FeatureIndex, rows: Array | None, facts: FactsDetector, seed: int
    ) -> None:
        """`rows`: those of which everything is known; None: all of the index."""
        self._index = index
        known = np.arange(index.info.rows) if rows is None else rows
        kept = known[held_out(index).rows(known)]
        if len(kept) > MOST_ROWS:
            kept = np.random.default_rng(seed).choice(kept, MOST_ROWS, replace=False)
        self.rows = np.sort(kept)
        self._facts = facts
        self._of_rows = facts.of_rows(self.rows) if index.names is not None else None
        self._tokens = np.asarray(index.tokens[self.rows], np.int64)

    def of_name(self, name: FeatureName, known: KnownFirings, edges: Array) -> Matching:
        """Return what is found of an automatic name."""
        facts = self._facts.known(name)
        if not facts or self._of_rows is None:
            return NOTHING
        kind, code, _ = facts[0]
        return self._counted(self.rows[self._of_rows[:, kind] == code], known, edges)

    def of_label(self, label: str, known: KnownFirings, edges: Array) -> Matching:
        """Return what is found of the tokens a label names."""
        terms = terms_of(label)
        quoted = [term.text for term in terms if term.what == "piece" and term.where == "at"]
        named = quoted or [term.text for term in terms if term.what == "word"]
        ids = [number for text in named for number in token_ids(self._index, text)]
        return self._counted(self.rows[np.isin(self._tokens, ids)], known, edges)

    def _counted(self, rows: Array, known: KnownFirings, edges: Array) -> Matching:
        if len(rows) < LEAST_PLACES:
            return NOTHING
        place = np.minimum(np.searchsorted(known.rows, rows), max(len(known.rows) - 1, 0))
        values = np.where(known.fires(rows), known.values[place] if len(known.rows) else 0.0, 0.0)
        counts = np.bincount(interval_of(values, edges), minlength=len(edges))
        return Matching(len(rows), tuple((counts[1 : len(edges)] / len(rows)).tolist()))
