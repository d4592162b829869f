"""The features that answer a text best, each with what of it answers. Free of torch and Qt.

By its kept contexts, by the tokens it fires on most often, and by the tokens it raises most.
"""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt

from sae_desktop.features.reading.facts import Context
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.features.reading.search import (
    features_firing_on,
    features_raising,
    rows_with_text,
    token_ids,
)

Array = npt.NDArray[Any]

MOST = 6
"""Features of each kind that are told one by one."""
_BEFORE, _AFTER = 30, 44
"""Characters around what was found."""
_LOOKED_AT = 3
"""Contexts read for each that is told."""
_CHUNK_FEATURES = 1 << 15


@dataclass(frozen=True)
class Snippet:
    """A piece of a context, in one line."""

    text: str
    found: tuple[int, int]
    """Where in it what was asked for begins and ends."""
    token: tuple[int, int]
    """Where the token stands on which the feature fires; (0, 0): it is cut off."""


@dataclass(frozen=True)
class ContextHit:
    """A feature with the strongest of its contexts that has the text."""

    feature: int
    slot: int
    share: float
    """Of its contexts, those that have the text near their token."""
    snippet: Snippet


@dataclass(frozen=True)
class TextHits:
    """What answers a text."""

    contexts: tuple[ContextHit, ...] = ()
    contexts_total: int = 0
    firing: tuple[int, ...] = ()
    firing_total: int = 0
    raising: tuple[int, ...] = ()
    raising_total: int = 0


_last: weakref.WeakKeyDictionary[FeatureIndex, tuple[str, TextHits]] = weakref.WeakKeyDictionary()


def text_hits(index: FeatureIndex, text: str) -> TextHits:
    """Return the features that answer `text`; the last answer of an index is kept."""
    text = text.strip()
    known = _last.get(index)
    if known is not None and known[0] == text:
        return known[1]
    features, shares, slots = contexts_with_text(index, text)
    # Some contexts are shown with less text than was searched, and then without what was found.
    best = np.argsort(-shares, kind="stable")[: _LOOKED_AT * MOST]
    hits_of = (_hit(index, text, int(features[i]), int(slots[i]), float(shares[i])) for i in best)
    contexts = islice((hit for hit in hits_of if hit is not None), MOST)
    firing, raising = features_firing_on(index, text), features_raising(index, text)
    hits = TextHits(
        contexts=tuple(contexts),
        contexts_total=len(features),
        firing=_first_ones(index, "firing_tokens/ids", firing, text),
        firing_total=len(firing),
        raising=_first_ones(index, "logits/top_ids", raising, text),
        raising_total=len(raising),
    )
    _last[index] = (text, hits)
    return hits


def contexts_with_text(index: FeatureIndex, text: str) -> tuple[Array, Array, Array]:
    """Return features (n,), which share of their contexts has `text`, and the first that does."""
    near, rows = rows_with_text(index, text), index.array("contexts/row")
    none: Array = np.empty(0, dtype=np.int64)
    if rows is None or not near.any():
        return none, none, none
    features, shares, slots = [], [], []
    for first in range(0, len(rows), _CHUNK_FEATURES):
        some = rows[first : first + _CHUNK_FEATURES]
        kept = some >= 0
        hit = near[np.maximum(some, 0)] & kept
        has = np.flatnonzero(hit.any(axis=1))
        features.append(first + has)
        shares.append(hit[has].sum(axis=1) / kept[has].sum(axis=1))
        slots.append(hit[has].argmax(axis=1))
    return np.concatenate(features), np.concatenate(shares), np.concatenate(slots)


def _first_ones(index: FeatureIndex, array: str, features: Array, text: str) -> tuple[int, ...]:
    """Return the features in whose row of tokens the text stands earliest."""
    ids = index.array(array)
    if ids is None or not len(features):
        return ()
    wanted = np.isin(ids[features], token_ids(index, text))
    places = np.where(wanted.any(axis=1), wanted.argmax(axis=1), wanted.shape[1])
    order = np.argsort(places, kind="stable")[:MOST]
    return tuple(int(feature) for feature in features[order])


def _hit(
    index: FeatureIndex, text: str, feature: int, slot: int, share: float
) -> ContextHit | None:
    snippet = snippet_of(index.context(feature, slot), text)
    return None if snippet is None else ContextHit(feature, slot, share, snippet)


def snippet_of(context: Context, text: str) -> Snippet | None:
    """Return the piece of a context around the occurrence of `text` nearest to its token.

    None where the context as it is shown does not have it.
    """
    pieces = [_in_one_line(token) for token in context.tokens]
    whole = "".join(pieces)
    at = sum(len(piece) for piece in pieces[: context.peak])
    token = at, at + len(pieces[context.peak]) if pieces else at
    folded, wanted = whole.lower(), text.lower()
    if len(folded) != len(whole):  # a letter whose lower case is longer: places would be off
        folded, wanted = whole, text
    places = [i for i in range(len(folded)) if folded.startswith(wanted, i)] if wanted else []
    if not places:
        return None
    start = min(places, key=lambda place: abs(place - at))
    first, last = max(start - _BEFORE, 0), min(start + len(wanted) + _AFTER, len(whole))
    before, after = "…" if first else "", "…" if last < len(whole) else ""
    moved = len(before) - first
    inside = first <= token[0] and token[1] <= last
    return Snippet(
        text=f"{before}{whole[first:last]}{after}",
        found=(start + moved, start + len(wanted) + moved),
        token=(token[0] + moved, token[1] + moved) if inside else (0, 0),
    )


def _in_one_line(token: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in token)
