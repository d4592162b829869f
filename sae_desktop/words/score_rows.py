"""Scores of texts as rows of a plot: ordinary, near misses, of the concept. Free of Qt, torch."""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sae_desktop.words.amounts import exact_count, share_text

Array = npt.NDArray[Any]
_BINS = 40


class ScoreRow(NamedTuple):
    """One kind of text: how many scored how high."""

    title: str
    texts: int
    above: int
    """Of them, above the threshold."""
    heights_B: Array
    """Counts in the bins, as shares of the fullest."""
    counts_B: Array

    @property
    def name(self) -> str:
        return f"{self.title} ({exact_count(self.texts)})"

    @property
    def fired(self) -> str:
        return f"{share_text(self.above / self.texts)} fire" if self.texts else ""


def score_rows(kinds: list[tuple[str, Array]], threshold: float) -> tuple[Array, list[ScoreRow]]:
    """Return the edges (B + 1,) of common bins, and a row for each kind of text that has scores.

    No bin lies on both sides of the threshold.
    """
    held = [(title, np.asarray(scores, np.float64)) for title, scores in kinds if len(scores)]
    if not held:
        return np.array([0.0, 1.0]), []
    every = np.concatenate([scores for _, scores in held])
    low, high = min(float(every.min()), threshold), max(float(every.max()), threshold)
    width = (high - low or max(abs(high), 1.0)) / _BINS
    below = int(np.ceil((threshold - low) / width - 1e-9))
    edges = threshold + width * np.arange(-below, _BINS - below + 2)
    rows = []
    for title, scores in held:
        # A score that equals the threshold does not fire: its bin is the one below.
        counts = np.histogram(np.where(scores == threshold, scores - width / 2, scores), edges)[0]
        above = int((scores > threshold).sum())
        rows.append(ScoreRow(title, len(scores), above, counts / max(counts.max(), 1), counts))
    return edges, rows


def rows_table(edges: Array, rows: list[ScoreRow]) -> str:
    """Return the plot as text with tabs between its columns."""
    lines = ["\t".join(["from", "to", *(row.name for row in rows)])]
    for place, (low, high) in enumerate(itertools.pairwise(edges)):
        counts = [str(int(row.counts_B[place])) for row in rows]
        lines.append("\t".join([f"{low:.6g}", f"{high:.6g}", *counts]))
    return "\n".join(lines)
