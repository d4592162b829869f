"""How far the facts of an automatic name fit places of a text. Free of torch.

What a name says stands in its pieces: a kind of fact and the contexts in which it is found. The
fact is read from these contexts, so that it is what the words mean and not how they read.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from sae_desktop.features.naming.facts import PLACE, RowFacts
from sae_desktop.features.naming.tokens import token_tables
from sae_desktop.features.reading.names_file import FeatureName
from sae_desktop.features.reading.reader import FeatureIndex

Array = npt.NDArray[Any]

_LEAST_BITS, _MOST_BITS = 0.3, 8.0
"""What a fact counts: the binary logarithm of its lift."""


class FactsDetector:
    """Tells how far rows of an index fit automatic names."""

    def __init__(self, index: FeatureIndex) -> None:
        self._facts = RowFacts(index, token_tables(index))

    def of_rows(self, rows: Array) -> Array:
        """Return the facts (n, A) of rows."""
        return self._facts.of(np.asarray(rows, np.int64))

    def known(self, name: FeatureName) -> list[tuple[int, int, float]]:
        """Return the kind, the code and the bits of each fact that a name says."""
        found = []
        for piece in name.pieces:
            kind = PLACE.get(piece.kind)
            if kind is None or not piece.rows:
                continue
            codes = self.of_rows(np.asarray(piece.rows))[:, kind]
            values, counts = np.unique(codes[codes >= 0], return_counts=True)
            if len(values):
                bits = float(np.clip(np.log2(max(piece.lift, 1.0)), _LEAST_BITS, _MOST_BITS))
                found.append((kind, int(values[counts.argmax()]), bits))
        return list(dict.fromkeys(found))

    def scores(self, name: FeatureName, facts: Array) -> Array:
        """Return (n,) bits of the name that places with these facts (n, A) fit."""
        total = np.zeros(len(facts))
        for kind, code, bits in self.known(name):
            total += bits * (facts[:, kind] == code)
        return total
