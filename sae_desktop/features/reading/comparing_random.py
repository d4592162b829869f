"""What random pairs of a dictionary's features have in common: the measure of any other pair.

Free of torch and Qt.
"""

from __future__ import annotations

from contextlib import suppress
from itertools import combinations
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from sae_desktop.errors import UserError
from sae_desktop.features.reading.directions import DECODER, ENCODER, cosines
from sae_desktop.features.reading.firing_files import StoredFirings
from sae_desktop.features.reading.reader import FeatureIndex

Array = npt.NDArray[Any]

DRAWN = 64
"""Features drawn; every two of them are a pair."""
DRAWN_FIRINGS = 24
"""As many are drawn where the firings of each are read."""
SEED = 0


class RandomPairs(msgspec.Struct, frozen=True, kw_only=True):
    """Pairs of features that fire, drawn at random; what could not be known is None."""

    pairs: int
    cosine: float | None = None
    """95 of 100 random pairs have a cosine of the decoders below this, in size."""
    encoder_cosine: float | None = None
    nearest_cosine: float | None = None
    """Median over the features of the cosine with the nearest other one."""
    firing_pairs: int = 0
    together: float | None = None
    """Of the rarer one's firings the share on which the other fires too: 95 of 100 pairs are
    below this."""


def random_pairs(
    index: FeatureIndex, firings: StoredFirings | None, dictionary: Path | None
) -> RandomPairs:
    """Return what random pairs of an index's features have in common; the same at every call."""
    alive = np.flatnonzero(index.columns["density"] > 0)
    rng = np.random.default_rng(SEED)
    drawn = rng.permutation(alive)[:DRAWN].tolist()
    count = len(drawn) * (len(drawn) - 1) // 2
    if not count:
        return RandomPairs(pairs=0)
    of_decoders = of_encoders = None
    if dictionary is not None:
        # Why there are none is said by whoever asks for the pair's own.
        with suppress(UserError):
            typical = typical_columns(index)
            of_decoders = _largest(cosines(dictionary, DECODER, drawn, typical))
            of_encoders = _largest(cosines(dictionary, ENCODER, drawn, typical))
    nearest = index.columns.get("nearest_cosine")
    shares = [] if firings is None else _together(firings, drawn[:DRAWN_FIRINGS])
    return RandomPairs(
        pairs=count,
        cosine=of_decoders,
        encoder_cosine=of_encoders,
        nearest_cosine=None if nearest is None else float(np.nanmedian(nearest[alive])),
        firing_pairs=len(shares),
        together=float(np.quantile(shares, 0.95)) if shares else None,
    )


def typical_columns(index: FeatureIndex) -> Array | None:
    """Return the typical norm of the site of each column that features write; None: of one site."""
    typical = index.array("parts/typical")
    if typical is None:
        return None
    return np.repeat(np.asarray(typical), [end.width for end in index.info.outputs])


def _largest(matrix: Array) -> float:
    upper = matrix[np.triu_indices(len(matrix), 1)]
    return float(np.quantile(np.abs(upper), 0.95))


def _together(firings: StoredFirings, drawn: list[int]) -> list[float]:
    rows = [firings.block(feature, feature + 1)[0].rows for feature in drawn]
    return [
        len(np.intersect1d(a, b, assume_unique=True)) / min(len(a), len(b))
        for a, b in combinations(rows, 2)
        if len(a) and len(b)
    ]
