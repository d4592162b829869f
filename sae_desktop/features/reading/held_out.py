"""Which of an index's text names are made from, and which is kept to score them on.

The same for everybody who asks: names by statistics, their scores, explanations and judges. A
document and those alike to it are on one side (`corpus/alike.py`). Documents of one source and
language are shared out, the largest first, so that both sides hold texts of every kind; of a
kind that has but one, it is on the side that names are made from, or what fires there alone
would have none. Where the text is one document, or nearly, stretches of it are shared out
instead. Free of torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sae_desktop.corpus.alike import (
    Sketches,
    groups,
    joined_sketches,
    sketch_size,
    sketches_of_documents,
)
from sae_desktop.features.reading.layout import MANY_SOURCES

if TYPE_CHECKING:
    from sae_desktop.features.reading.index_file import IndexFile

Array = npt.NDArray[Any]

KEPT_SHARE = 0.4
"""Of the rows of a kind of text, about what is kept for scoring."""
_LEAST_SHARE = 0.1
"""Documents of which less could be kept are cut into stretches."""
_STRETCHES = 20
_KEPT_STRETCHES = (2, 4)
"""Of each five stretches."""
_ROWS_AT_ONCE = 1 << 22


@dataclass(frozen=True)
class HeldOut:
    """Which rows of an index's text are kept for scoring."""

    first_rows: Array
    """(P,) first row of each passage, or of each stretch; ascending."""
    kept: Array
    """(P,) bool, whether it is kept for scoring."""
    by_documents: bool
    """False where the text is one document, or nearly, and stretches of it are shared out."""

    def rows(self, rows: Array) -> Array:
        """Return (n,) bool, whether each of some rows (n,) is kept for scoring."""
        place = np.searchsorted(self.first_rows, np.asarray(rows), side="right") - 1
        return np.asarray(self.kept[np.maximum(place, 0)])

    @property
    def any(self) -> bool:
        """Whether anything is kept."""
        return bool(self.kept.any())


def held_out(index: IndexFile) -> HeldOut:
    """Return which of an index's text is kept for scoring; the same for the same text."""
    passages = index.passages
    kept_D = _kept_documents(index)
    lengths = np.asarray(passages["length"], np.int64)
    kept_P = kept_D[passages["document"]]
    if lengths[kept_P].sum() >= _LEAST_SHARE * max(int(lengths.sum()), 1):
        return HeldOut(np.asarray(passages["first_row"], np.int64), kept_P, True)
    return _stretches(index)


def _stretches(index: IndexFile) -> HeldOut:
    """Cut the text at windows, or passages, into stretches of about the same length."""
    starts = index.array("windows")
    if starts is None or len(starts) < _STRETCHES:
        starts = index.passages["first_row"]
    wanted = np.arange(_STRETCHES) * index.info.rows // _STRETCHES
    place = np.minimum(np.searchsorted(starts, wanted), len(starts) - 1)
    first = np.unique(np.asarray(starts, np.int64)[place])
    kept = np.isin(np.arange(len(first)) % 5, _KEPT_STRETCHES)
    return HeldOut(first, kept, False)


def _kept_documents(index: IndexFile) -> Array:
    """Return (D,) bool: documents kept for scoring."""
    documents = index.documents
    count = len(documents)
    rows_D = np.bincount(
        index.passages["document"], weights=index.passages["length"], minlength=count
    )
    group_D = groups(_sketches(index))
    keys = documents["language"]
    # Of very many sources (a folder of files has one a file) none is a kind of text.
    if len(np.unique(documents["source"])) <= MANY_SOURCES:
        keys = np.char.add(np.char.add(documents["source"], b"\0"), keys)
    _, kind_D = np.unique(keys, return_inverse=True)
    return _shared_out(group_D, kind_D.reshape(-1), rows_D)


def _shared_out(group_D: Array, kind_D: Array, rows_D: Array) -> Array:
    """Give the groups of each kind, the largest first, to the side that lacks most."""
    number = int(group_D.max(initial=-1)) + 1
    rows = np.bincount(group_D, weights=rows_D, minlength=number)
    first = np.zeros(number, np.int64)
    first[group_D[::-1]] = np.arange(len(group_D))[::-1]
    kind = kind_D[first]
    kept = np.zeros(number, bool)
    of_kind = np.zeros((int(kind_D.max(initial=-1)) + 1, 2))
    for group in np.lexsort((first, -rows)).tolist():
        made, scored = of_kind[kind[group]]
        kept[group] = made > 0 and scored < KEPT_SHARE * (made + scored)
        of_kind[kind[group], int(kept[group])] += rows[group]
    return np.asarray(kept[group_D])


def _sketches(index: IndexFile) -> Sketches:
    """Return sketches of all documents, a bounded number of rows in memory at once."""
    passages, count = index.passages, len(index.documents)
    most = sketch_size(count)
    order = np.lexsort((passages["offset"], passages["document"]))
    lengths = np.asarray(passages["length"], np.int64)[order]
    document = np.asarray(passages["document"], np.int64)[order]
    rows_D = np.bincount(document, weights=lengths, minlength=count)
    block_D = (np.cumsum(rows_D) // _ROWS_AT_ONCE).astype(np.int64)
    pieces = []
    for block in np.unique(block_D).tolist():
        some = np.flatnonzero(block_D == block)
        low, high = np.searchsorted(document, [some[0], some[-1] + 1])
        first = passages["first_row"][order[low:high]]
        size = lengths[low:high]
        rows = np.arange(size.sum()) + np.repeat(first - (np.cumsum(size) - size), size)
        of = np.repeat(document[low:high] - some[0], size)
        pieces.append(sketches_of_documents(index.tokens[rows], of, len(some), most))
    return joined_sketches(pieces)
