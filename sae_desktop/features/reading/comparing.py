"""Features side by side: how alike their directions are, and how far they fire together.

Free of torch and Qt. Where an index has kept its firings, all is counted over every token of its
text; where it has not, what it does hold is told, with what it is of. A figure means little alone:
beside each stands what random pairs of the same dictionary have.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from sae_desktop.errors import UserError
from sae_desktop.features.reading.comparing_random import (
    RandomPairs,
    random_pairs,
    typical_columns,
)
from sae_desktop.features.reading.comparing_tokens import (
    TellingToken,
    listed_tokens,
    telling_tokens,
)
from sae_desktop.features.reading.dictionary_hash import require_same_dictionary
from sae_desktop.features.reading.directions import DECODER, ENCODER, cosines
from sae_desktop.features.reading.firing_files import StoredFirings
from sae_desktop.features.reading.reader import FeatureIndex

Array = npt.NDArray[Any]

MOST = 4
"""Features compared at once."""


class NearContexts(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens around the kept contexts of both features, on which both are known.

    They are no sample of the text: they were chosen because one of the two fires strongly there.
    """

    tokens: int
    first: int
    """On how many of them the first fires."""
    second: int
    both: int


class PairFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Two features; what could not be known is None."""

    first: int
    second: int
    decoder_cosine: float | None = None
    encoder_cosine: float | None = None
    first_firings: int | None = None
    second_firings: int | None = None
    both: int | None = None
    """Tokens on which both fire."""
    expected: float | None = None
    """How many that would be if each fired without regard to the other."""
    pearson: float | None = None
    """Correlation of the two activations over all tokens, zeros counted."""
    most_pearson: float | None = None
    """Where it is not known: it is at most this."""
    near: NearContexts | None = None


class ComparedFeature(msgspec.Struct, frozen=True, kw_only=True):
    """One of the features, with the tokens that tell it from the others."""

    feature: int
    firings: int | None
    alone: int | None
    """Firings on tokens on which none of the others fires; None: not known."""
    tokens: list[TellingToken]


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Two to four features of an index."""

    rows: int
    """Tokens of the text."""
    counted: bool
    """Whether the firings were kept, so that all is counted over every token."""
    features: list[ComparedFeature]
    pairs: list[PairFigures]
    random: RandomPairs
    no_cosines: str = ""
    """Why there are no cosines."""


def compare_features(index: FeatureIndex, dictionary: Path, features: Sequence[int]) -> Comparison:
    """Compare features of an index. `dictionary` is the folder of its dictionary.

    Raises UserError for a feature that does not exist, and unless there are 2 to MOST different
    ones.
    """
    chosen = [index.check_feature(feature) for feature in dict.fromkeys(features)]
    if not 2 <= len(chosen) <= MOST:
        raise UserError(
            f"Two to {MOST} different features can be compared, not {len(chosen)}.",
            next_step="Choose other features.",
        )
    firings, why = index.firings(), ""
    try:
        digest = index.info.dictionary_hash
        require_same_dictionary(index.info.dictionary, dictionary, index.path.stem, digest)
        typical = typical_columns(index)
        found = [cosines(dictionary, name, chosen, typical) for name in (DECODER, ENCODER)]
    except UserError as error:
        found, why = [], error.what
    fired = None if firings is None else [_firings(firings, f) for f in chosen]
    pairs = []
    for a, b in combinations(range(len(chosen)), 2):
        pair = PairFigures(first=chosen[a], second=chosen[b])
        if found:
            decoder, encoder = (float(matrix[a, b]) for matrix in found)
            pair = msgspec.structs.replace(pair, decoder_cosine=decoder, encoder_cosine=encoder)
        if fired is not None:
            pairs.append(_counted(pair, fired[a], fired[b], index.info.rows))
        else:
            pairs.append(_told(pair, index))
    return Comparison(
        rows=index.info.rows,
        counted=fired is not None,
        features=_sides(index, chosen, fired),
        pairs=pairs,
        random=random_pairs(index, firings, None if why else dictionary),
        no_cosines=why,
    )


class _Fired:
    """Where one feature fires: rows, activations and tokens, −1 of a picture’s, each (n,)."""

    def __init__(self, rows: Array, values: Array, tokens: Array) -> None:
        self.rows, self.values, self.tokens = rows, values.astype(np.float64), tokens


def _firings(firings: StoredFirings, feature: int) -> _Fired:
    block, tokens = firings.block(feature, feature + 1)
    if firings.on_picture is not None:
        tokens = np.where(firings.on_picture[block.rows], -1, tokens)
    return _Fired(block.rows, block.values, tokens)


def _counted(pair: PairFigures, a: _Fired, b: _Fired, rows: int) -> PairFigures:
    _, in_a, in_b = np.intersect1d(a.rows, b.rows, assume_unique=True, return_indices=True)
    joint = float(a.values[in_a] @ b.values[in_b])
    spread = _deviation(a, rows) * _deviation(b, rows)
    mean = float(a.values.sum()) / rows * float(b.values.sum()) / rows
    return msgspec.structs.replace(
        pair,
        first_firings=len(a.rows),
        second_firings=len(b.rows),
        both=len(in_a),
        expected=len(a.rows) * len(b.rows) / rows,
        pearson=(joint / rows - mean) / spread if spread > 0 else None,
    )


def _deviation(fired: _Fired, rows: int) -> float:
    mean = float(fired.values.sum()) / rows
    return float(np.sqrt(max(float(fired.values @ fired.values) / rows - mean**2, 0.0)))


# ---------------------------------------------------------------------- without the firings


def _told(pair: PairFigures, index: FeatureIndex) -> PairFigures:
    """Fill in what an index tells of a pair that has not kept its firings."""
    counts = index.columns.get("firings")
    firings = [None if counts is None else int(counts[f]) for f in (pair.first, pair.second)]
    changes: dict[str, Any] = {"first_firings": firings[0], "second_firings": firings[1]}
    if firings[0] is not None and firings[1] is not None:
        changes["expected"] = firings[0] * firings[1] / index.info.rows
    for one, other, fires in (
        (pair.first, pair.second, firings[0]),
        (pair.second, pair.first, firings[1]),
    ):
        listed = {c.feature: c for c in index.coactive(one)}
        if other in listed:
            changes["pearson"] = listed[other].pearson
            if fires is not None:
                changes["both"] = round(listed[other].share * fires)
            break
    else:
        changes["most_pearson"] = _most_pearson(index, pair)
    changes["near"] = _near_contexts(index, pair)
    return msgspec.structs.replace(pair, **changes)


def _most_pearson(index: FeatureIndex, pair: PairFigures) -> float | None:
    """Return the bound that not being among the most correlated ones sets; None: none known."""
    ids = index.array("coactive/ids")
    if ids is None or not ids.shape[1]:
        return None
    bounds = [0.0]
    for feature in (pair.first, pair.second):
        full = bool((ids[feature] >= 0).all())
        if not full:  # all that correlate at all are listed
            return 0.0
        bounds.append(min(c.pearson for c in index.coactive(feature)))
    return min(bounds[1:])


def _near_contexts(index: FeatureIndex, pair: PairFigures) -> NearContexts | None:
    (known, fired), (other_known, other_fired) = (
        known_rows(index, feature) for feature in (pair.first, pair.second)
    )
    both_known = np.intersect1d(known, other_known, assume_unique=True)
    if not len(both_known):
        return None
    first = np.intersect1d(fired, both_known, assume_unique=True)
    second = np.intersect1d(other_fired, both_known, assume_unique=True)
    return NearContexts(
        tokens=len(both_known),
        first=len(first),
        second=len(second),
        both=len(np.intersect1d(first, second, assume_unique=True)),
    )


def known_rows(index: FeatureIndex, feature: int) -> tuple[Array, Array]:
    """Return the rows around a feature's contexts, ascending, and those on which it fires."""
    arrays = index.arrays
    rows = arrays["contexts/row"][feature].astype(np.int64)
    known: list[Array] = [np.empty(0, np.int64)]
    fired: list[Array] = [np.empty(0, np.int64)]
    for slot in np.flatnonzero(rows >= 0).tolist():
        row = int(rows[slot])
        ((first, last),) = index.kept_around(rows[slot : slot + 1]).tolist()
        known.append(np.arange(first, last))
        number = feature * len(rows) + slot
        start, end = (int(arrays["contexts/offsets"][n]) for n in (number, number + 1))
        fired.append(row + arrays["contexts/positions"][start:end].astype(np.int64))
    return np.unique(np.concatenate(known)), np.unique(np.concatenate(fired))


# ---------------------------------------------------------------------- each feature


def _sides(
    index: FeatureIndex, chosen: Sequence[int], fired: Sequence[_Fired] | None
) -> list[ComparedFeature]:
    if fired is None:
        counts = index.columns.get("firings")
        return [
            ComparedFeature(
                feature=feature,
                firings=None if counts is None else int(counts[feature]),
                alone=None,
                tokens=listed_tokens(index, feature, [o for o in chosen if o != feature]),
            )
            for feature in chosen
        ]
    sides = []
    for number, feature in enumerate(chosen):
        others = np.concatenate([f.rows for n, f in enumerate(fired) if n != number])
        alone = ~np.isin(fired[number].rows, others)
        sides.append(
            ComparedFeature(
                feature=feature,
                firings=len(alone),
                alone=int(alone.sum()),
                tokens=telling_tokens(index, fired[number].tokens, alone),
            )
        )
    return sides
