"""The yardstick: an interpolated, modified Kneser-Ney trigram model (Chen and Goodman 1999)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass
class _Level:
    """Counts of the n-grams of one order, sorted by key, with the discounts of the order."""

    keys: Ints
    counts: Floats
    discounts: Floats
    """What is taken off a count of 0, 1, 2 and of 3 or more."""
    vocabulary: int

    def __post_init__(self) -> None:
        contexts = self.keys // self.vocabulary
        self.contexts, first = np.unique(contexts, return_index=True)
        self.totals = np.add.reduceat(self.counts, first)
        taken = np.minimum(self.counts, self.discount(self.counts))
        self.left_over = np.add.reduceat(taken, first) / self.totals

    def discount(self, counts: Floats) -> Floats:
        return np.asarray(self.discounts[np.minimum(counts, 3).astype(int)])

    def interpolate(self, keys: Ints, lower: Floats) -> Floats:
        """Probability of each n-gram's last token, given that of the order below."""
        counts = _look_up(self.keys, self.counts, keys, 0.0)
        contexts = keys // self.vocabulary
        totals = _look_up(self.contexts, self.totals, contexts, 1.0)
        left_over = _look_up(self.contexts, self.left_over, contexts, 1.0)
        return np.maximum(counts - self.discount(counts), 0) / totals + left_over * lower


class Trigram:
    """Probability of a token given the two before it.

    The discounts are the closed-form estimates from counts of counts, times `scale`, which the
    caller may tune.
    """

    def __init__(self, tokens: Ints, vocabulary: int, scale: float = 1.0) -> None:
        self.vocabulary = vocabulary
        trigrams, counts = np.unique(_keys(tokens, 3, vocabulary), return_counts=True)
        bigrams, before = np.unique(trigrams % vocabulary**2, return_counts=True)
        unigrams, kinds = np.unique(bigrams % vocabulary, return_counts=True)
        self.trigrams = self._level(trigrams, counts, scale)
        self.bigrams = self._level(bigrams, before, scale)
        seen = np.zeros(vocabulary)
        seen[unigrams] = kinds
        self.unigram = (seen + 0.5) / (seen + 0.5).sum()

    def _level(self, keys: Ints, counts: Ints, scale: float) -> _Level:
        n1, n2, n3, n4 = (float(np.sum(counts == c)) for c in (1, 2, 3, 4))
        y = n1 / (n1 + 2 * n2)
        estimates = [1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3]
        discounts = np.array([0.0, *np.minimum(scale * np.array(estimates), (1, 2, 3))])
        return _Level(keys, counts.astype(float), discounts, self.vocabulary)

    def losses(self, tokens: Ints) -> Floats:
        """Nats of every token of a stream from its third on."""
        keys = _keys(tokens, 3, self.vocabulary)
        probability = self.unigram[keys % self.vocabulary]
        probability = self.bigrams.interpolate(keys % self.vocabulary**2, probability)
        return np.asarray(-np.log(self.trigrams.interpolate(keys, probability)))


def unigram_losses(training: Ints, tokens: Ints, vocabulary: int) -> Floats:
    """Nats of every token under its training frequency, one added to every count."""
    counts = np.bincount(training, minlength=vocabulary) + 1.0
    return np.asarray(-np.log(counts / counts.sum())[tokens])


def _keys(tokens: Ints, order: int, vocabulary: int) -> Ints:
    keys = np.zeros(len(tokens) - order + 1, dtype=np.int64)
    for i in range(order):
        keys = keys * vocabulary + tokens[i : i + len(keys)]
    return keys


def _look_up(keys: Ints, values: Floats, wanted: Ints, missing: float) -> Floats:
    places = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[places] == wanted, values[places], missing)
