"""Makes the names of an index's features, block by block.

Memory is that of one block of features and of the text's sample: it does not grow with the
dictionary.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sae_desktop.features.naming.base import Base, base_of
from sae_desktop.features.naming.detect import (
    Trials,
    areas,
    detected,
    intervals,
    shuffled_features,
    token_scores,
)
from sae_desktop.features.naming.facts import RowFacts
from sae_desktop.features.naming.rules import Found, find_rules
from sae_desktop.features.naming.samples import (
    Places,
    normalised,
    places_of_contexts,
    places_of_firings,
)
from sae_desktop.features.naming.telling import Teller
from sae_desktop.features.naming.tokens import token_tables
from sae_desktop.features.reading.held_out import HeldOut, held_out
from sae_desktop.features.reading.names_file import FIGURES, MadeNames
from sae_desktop.jobs import JobContext

if TYPE_CHECKING:
    from sae_desktop.features.reading.firing_files import StoredFirings
    from sae_desktop.features.reading.index_file import IndexFile

Array = npt.NDArray[Any]

MESSAGE = "Naming the features"


@dataclass(frozen=True)
class Text:
    """The text of an index as names see it."""

    facts: RowFacts
    held: HeldOut
    base: Base
    trials: Trials
    held_rows: int
    """Rows of the text that are kept for scoring."""


def text_of(index: IndexFile, seed: int) -> Text:
    """Read the text once: its facts, which of it is held out, how often facts hold in it."""
    facts = RowFacts(index, token_tables(index))
    held = held_out(index)
    rows = index.info.rows
    base = base_of(facts, held, rows, seed)
    rng = np.random.default_rng(seed + 1)
    sample = np.sort(rng.choice(rows, min(rows, _TRIED_ROWS), replace=False))
    of_passages = np.asarray(index.passages["length"], np.int64)
    kept = held.rows(np.asarray(index.passages["first_row"], np.int64))
    trials = Trials(index, facts, held, sample, seed + 2)
    return Text(facts, held, base, trials, int(of_passages[kept].sum()))


_TRIED_ROWS = 400_000


def named_blocks(
    index: IndexFile, firings: StoredFirings | None, text: Text, context: JobContext, seed: int = 0
) -> Iterator[MadeNames]:
    """Yield the names of all features in order. Without firings they are made from contexts."""
    teller = Teller(index, text.facts)
    if firings is None:
        blocks = places_of_contexts(index, seed)
    else:
        blocks = places_of_firings(firings, seed)
    for places in blocks:
        context.check_cancelled()
        context.progress(places.first, index.features, "features", MESSAGE)
        yield block_names(places, text, teller, seed)
    context.progress(index.features, index.features, "features", MESSAGE)


@dataclass(frozen=True)
class Evidence:
    """What the names of a block are made from, and the rules found in it."""

    feature: Array
    """(n,)"""
    rows: Array
    weights: Array
    X: Array
    found: Found
    unscored: Array
    """(features,) bool: fires in held-out text alone; it is named from that, and not scored."""


def evidence_of(places: Places, text: Text) -> Evidence:
    """Find the rules of a block's features in the text that names are made from."""
    count = places.count
    made = ~text.held.rows(places.rows)
    only_held = np.bincount(places.feature[made], minlength=count) == 0
    made |= only_held[places.feature]
    feature, rows = places.feature[made], places.rows[made]
    weights = normalised(feature, places.weights[made], count)
    X = text.facts.of(rows)
    found = find_rules(X, feature, weights, count, text.base)
    return Evidence(feature, rows, weights, X, found, only_held)


def block_names(places: Places, text: Text, teller: Teller, seed: int) -> MadeNames:
    """Return the names of a block, scored on what they were not made from."""
    known = evidence_of(places, text)
    told = teller.tell(places, known.found, known.X, known.feature, known.rows, known.weights)
    figures = _figures(places, text, known, seed, neighbours=True)
    return MadeNames([name for name, _ in told], [detail for _, detail in told], figures)


def scored(places: Places, text: Text, seed: int, *, neighbours: bool) -> dict[str, Array]:
    """Return the figures of names that nobody reads, such as those of random directions."""
    return _figures(places, text, evidence_of(places, text), seed, neighbours=neighbours)


def _figures(
    places: Places, text: Text, known: Evidence, seed: int, *, neighbours: bool
) -> dict[str, Array]:
    count, found = places.count, known.found
    trial = text.trials.draw(places, neighbours=neighbours)
    area, m, n = areas(detected(found, trial.X, trial.feature), trial, count)
    low, high = intervals(area, m, n)
    other = shuffled_features(count, seed + places.first)
    shuffled, _, _ = areas(detected(found, trial.X, other[trial.feature]), trial, count)
    tokens = top_tokens(known.X, known.feature, known.weights, count)
    token, _, _ = areas(token_scores(trial, tokens), trial, count)
    figures = (area, low, high, shuffled, token)
    return {
        name: np.where(known.unscored, np.nan, values)
        for name, values in zip(FIGURES, figures, strict=True)
    }


def top_tokens(X: Array, feature: Array, weights: Array, count: int) -> Array:
    """Return the token (count,) of most of each feature's activation; −2: none."""
    keys = feature.astype(np.int64) * (1 << 32) + X[:, 0].astype(np.int64) + 1
    unique, at = np.unique(keys, return_inverse=True)
    mass = np.bincount(at.reshape(-1), weights, len(unique))
    order = np.argsort(mass, kind="stable")
    found = np.full(count, -2, np.int64)
    found[unique[order] >> 32] = (unique[order] & ((1 << 32) - 1)) - 1
    return found
