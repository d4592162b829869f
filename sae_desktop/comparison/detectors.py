"""The feature that tells best where a concept occurs. Free of torch and Qt.

F features, R rows, C concepts, n occurrences. A feature with a threshold *detects* an occurrence
when it is above it on any of the occurrence's tokens; above it on another token, it errs once.
With h the detected of the c occurrences and e the errors, F1 = 2h / (h + e + c).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sae_desktop.features.reading.firing_files import StoredFirings
from sae_desktop.features.reading.firings import FiringBlock
from sae_desktop.jobs import JobContext

Array = npt.NDArray[Any]

HALVES = 2


@dataclass(frozen=True)
class Marks:
    """Where the concepts are, and how the text is divided."""

    occurrence: Array
    """(R,) int32, which occurrence a row belongs to; −1: none."""
    concept: Array
    """(n,) the concept of each occurrence."""
    half: Array
    """(R,) 0 or 1; the rows of an occurrence are in one half."""
    counts: Array
    """(2, C) occurrences of each concept in each half."""

    @property
    def concepts(self) -> int:
        """C."""
        return int(self.counts.shape[1])


@dataclass(frozen=True)
class Choice:
    """For each half and concept the best feature there, its threshold and F1: (2, C) each.

    Feature −1: none fires on the concept.
    """

    features: Array
    thresholds: Array
    f1: Array


@dataclass(frozen=True)
class Score:
    """What the choice of one half is worth on the other: (2, C) each, by the half that chose."""

    f1: Array
    precision: Array
    recall: Array


def mark(occurrence: Array, concept: Array, half: Array, concepts: int) -> Marks:
    """Return the marks, the occurrences counted. occurrence (R,), concept (n,), half (R,)."""
    counts = np.zeros((HALVES, concepts), np.int64)
    rows = np.flatnonzero(occurrence >= 0)
    numbers, first = np.unique(occurrence[rows], return_index=True)
    np.add.at(counts, (half[rows[first]], concept[numbers]), 1)
    return Marks(occurrence, concept, half, counts)


def choose(blocks: Iterator[FiringBlock], marks: Marks) -> Choice:
    """Return the best feature of each concept over all features, in each half by itself.

    All thresholds are tried: those just below each activation on the concept.
    """
    shape = (HALVES, marks.concepts)
    best = Choice(np.full(shape, -1), np.zeros(shape), np.zeros(shape))
    for block in blocks:
        for half in range(HALVES):
            _improve(best, half, block, marks)
    return best


def _improve(best: Choice, half: int, block: FiringBlock, marks: Marks) -> None:
    """Put those features of a block in the place of the best so far that are better."""
    here = marks.half[block.rows] == half
    features, values, occurrence = _events(
        block.features[here], block.values[here], marks.occurrence[block.rows[here]]
    )
    if not len(features):
        return
    starts = np.flatnonzero(np.concatenate([[True], features[1:] != features[:-1]]))
    place = np.arange(len(features)) - np.repeat(starts, np.diff([*starts, len(features)])) + 1
    hits = np.flatnonzero(occurrence >= 0)
    if not len(hits):
        return
    concept = marks.concept[occurrence[hits]]
    key = (features[hits] - block.first) * marks.concepts + concept
    order = np.argsort(key, kind="stable")
    first = np.flatnonzero(np.concatenate([[True], np.diff(key[order]) != 0]))
    detected = np.empty(len(hits), np.int64)
    detected[order] = np.arange(len(hits)) - np.repeat(first, np.diff([*first, len(hits)])) + 1
    f1 = 2 * detected / (place[hits] + marks.counts[half, concept])
    top = np.lexsort((-f1, concept))
    top = top[np.concatenate([[True], np.diff(concept[top]) != 0])]
    better = top[f1[top] > best.f1[half, concept[top]]]
    best.f1[half, concept[better]] = f1[better]
    best.features[half, concept[better]] = features[hits[better]]
    # Just below the activation: above the threshold, it is still detected.
    best.thresholds[half, concept[better]] = np.nextafter(
        values[hits[better]], np.float32(0), dtype=np.float32
    )


def _events(features: Array, values: Array, occurrence: Array) -> tuple[Array, Array, Array]:
    """Return the firings by feature, then the strongest first; of an occurrence only its largest.

    (features, values, occurrence) of each.
    """
    # One key in place of two: a float above 0 sorts as its bits do.
    falling = np.uint64(0xFFFFFFFF) - values.view(np.uint32).astype(np.uint64)
    order = np.argsort((features.astype(np.uint64) << np.uint64(32)) | falling, kind="stable")
    features, values, occurrence = features[order], values[order], occurrence[order]
    on = np.flatnonzero(occurrence >= 0)
    key = features[on] * (int(occurrence.max(initial=0)) + 1) + occurrence[on]
    _, first = np.unique(key, return_index=True)
    kept = occurrence < 0
    kept[on[first]] = True
    return features[kept], values[kept], occurrence[kept]


def score(firings: StoredFirings, marks: Marks, choice: Choice, context: JobContext) -> Score:
    """Return what each half's choice is worth on the other half."""
    shape = (HALVES, marks.concepts)
    found = Score(np.zeros(shape), np.zeros(shape), np.zeros(shape))
    wanted: dict[int, list[tuple[int, int]]] = {}
    for half, concept in np.argwhere(choice.features >= 0).tolist():
        wanted.setdefault(int(choice.features[half, concept]), []).append((half, concept))
    for number, (feature, places) in enumerate(sorted(wanted.items())):
        context.check_cancelled()
        context.progress(number, len(wanted), "features", "Scoring what was chosen")
        block, _ = firings.block(feature, feature + 1)
        for half, concept in places:
            figures = _figures(block, marks, 1 - half, concept, choice.thresholds[half, concept])
            found.f1[half, concept], found.precision[half, concept] = figures[:2]
            found.recall[half, concept] = figures[2]
    context.progress(len(wanted), len(wanted), "features", "Scoring what was chosen")
    return found


def _figures(
    block: FiringBlock, marks: Marks, half: int, concept: int, threshold: float
) -> Sequence[float]:
    """Return F1, precision and recall of a feature above a threshold in one half."""
    rows = block.rows[(block.values > threshold) & (marks.half[block.rows] == half)]
    occurrence = marks.occurrence[rows]
    on = occurrence >= 0
    on[on] = marks.concept[occurrence[on]] == concept
    detected = len(np.unique(occurrence[on]))
    # Tokens of one occurrence of another concept are one error, as they are in choosing.
    other = occurrence[~on]
    errors = int((other < 0).sum()) + len(np.unique(other[other >= 0]))
    count = int(marks.counts[half, concept])
    total = detected + errors
    return (
        2 * detected / (total + count) if total + count else 0.0,
        detected / total if total else 0.0,
        detected / count if count else 0.0,
    )
