"""The tokens that tell one feature from others. Free of torch and Qt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from sae_desktop.features.reading.reader import FeatureIndex

Array = npt.NDArray[Any]

SHOWN = 8


class TellingToken(msgspec.Struct, frozen=True, kw_only=True):
    """A token on which one of the features fires where the others do not, or more than they do."""

    token: str
    firings: int
    """Of the feature on it."""
    alone: int | None = None
    """Of these, those on which none of the others fires; None where firings were not kept."""
    others: int | None = None
    """Where `alone` is not known: firings of the others on it, added up, or at most so many."""


def telling_tokens(index: FeatureIndex, tokens: Array, alone: Array) -> list[TellingToken]:
    """Return the tokens with most firings alone, of a feature's firings (n,) with their tokens.

    `alone` (n,) says on which of them none of the others fires. Tokens below 0 are of pictures,
    and none that a person could read.
    """
    ids, counts = np.unique(tokens[alone & (tokens >= 0)], return_counts=True)
    best = np.lexsort((ids, -counts))[:SHOWN]
    return [
        TellingToken(
            token=index.token(int(ids[place])),
            firings=int((tokens == ids[place]).sum()),
            alone=int(counts[place]),
        )
        for place in best
    ]


def listed_tokens(index: FeatureIndex, feature: int, others: Sequence[int]) -> list[TellingToken]:
    """Return the tokens on which a feature fires more often than the others together can.

    The index lists the tokens a feature fires on most often; on one that is not listed it fires
    at most as often as on the last of a full list, and not at all where the list is not full.
    """
    ids = index.array("firing_tokens/ids")
    if ids is None:
        return []
    counts = index.arrays["firing_tokens/counts"]
    found = []
    for token, count in zip(ids[feature].tolist(), counts[feature].tolist(), strict=True):
        if token < 0:
            continue
        most = sum(_at_most(ids[other], counts[other], token) for other in others)
        if count > most:
            found.append((token, int(count), most))
    found.sort(key=lambda item: item[2] - item[1])
    return [
        TellingToken(token=index.token(token), firings=count, others=most)
        for token, count, most in found[:SHOWN]
    ]


def _at_most(ids: Array, counts: Array, token: int) -> int:
    listed = np.flatnonzero(ids == token)
    if len(listed):
        return int(counts[listed[0]])
    return int(counts[-1]) if len(ids) and ids[-1] >= 0 else 0
