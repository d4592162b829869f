"""Texts that say the same, so that none is held out whose copy was learnt from. Free of torch.

Two texts are alike when they are equal but for case, punctuation and spaces, or when they share
half of their runs of four characters, each weighed by how rare it is among the texts. The weight
is what keeps texts of one template apart ("The capital of … is …"): what all share tells none
from another. Documents of a store are compared by runs of three tokens in the same way.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components

Array = npt.NDArray[Any]

ALIKE = 0.5
"""Weighted Jaccard similarity from which on two texts are alike."""
_CHARACTERS, _TOKENS = 4, 3
"""Length of the runs that are compared."""
_SKETCH = 128
"""Runs of a text that are compared at most: those of the smallest hashes, a fair sample."""
_MOST_HOLDERS = 200
"""A run in more texts than this is left out: it links too much, and costs their square."""
_ROWS = 2048


def groups_of_texts(texts: Sequence[str]) -> Array:
    """Return the group (N,) int64 of each text; those alike, directly or by others, share one."""
    return _groups((_characters(text) for text in texts), _CHARACTERS)


def groups_of_documents(tokens: Array, document: Array, documents: int) -> Array:
    """Return the group (documents,) of each document of a store or an index.

    tokens (R,), document (R,) that each row is of, −1 for none.
    """
    order = np.argsort(document, kind="stable")
    ends = np.searchsorted(document[order], np.arange(documents + 1))
    pieces = (tokens[order[ends[d] : ends[d + 1]]] for d in range(documents))
    return _groups(pieces, _TOKENS)


def _characters(text: str) -> Array:
    """Return a text's code points: letters and digits only, one space between words."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    plain = "".join(c if c.isalnum() or unicodedata.combining(c) else " " for c in folded)
    joined = " ".join(plain.split()) or text.strip()
    return np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), np.uint32)


def _groups(texts: Iterable[Array], length: int) -> Array:
    """Group sequences of numbers; empty ones are alone."""
    place: dict[bytes, int] = {}
    own: list[int] = []
    sketches: list[Array] = []
    for number, text in enumerate(texts):
        key = text.tobytes() or f"empty {number}".encode()
        if key not in place:
            place[key] = len(sketches)
            sketches.append(_sketch(text, length))
        own.append(place[key])
    if not sketches:
        return np.empty(0, np.int64)
    pairs = _alike(sketches)
    links = coo_array((np.ones(len(pairs)), pairs.T), shape=(len(sketches),) * 2)
    group = connected_components(links, directed=False)[1]
    return np.asarray(group[np.array(own)], np.int64)


def _sketch(text: Array, length: int) -> Array:
    """Return hashes (S,) uint64, ascending, of the runs of a text; a short text is one run."""
    if not len(text):
        return np.empty(0, np.uint64)
    values = text.astype(np.int64).astype(np.uint64)
    width = min(length, len(values))
    hashes = np.zeros(len(values) - width + 1, np.uint64)
    for offset in range(width):
        hashes = scattered(hashes ^ values[offset : offset + len(hashes)])
    return np.unique(hashes)[:_SKETCH]


def scattered(x: Array) -> Array:
    """Return uint64 numbers scattered over 64 bits: SplitMix64 (Steele, Lea and Flood 2014)."""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(x ^ (x >> np.uint64(31)))


def _alike(sketches: Sequence[Array]) -> Array:
    """Return pairs (P, 2) of different texts that are alike."""
    count = len(sketches)
    lengths = np.array([len(sketch) for sketch in sketches])
    _, run, holders = np.unique(np.concatenate(sketches), return_inverse=True, return_counts=True)
    text = np.repeat(np.arange(count), lengths)
    kept = holders[run] <= _MOST_HOLDERS
    weight = np.log((count + 1) / holders)
    total = np.bincount(text[kept], weights=weight[run[kept]], minlength=count)
    shared = kept & (holders[run] > 1)
    table = csr_array(
        (np.sqrt(weight[run[shared]]), (text[shared], run[shared])), shape=(count, len(holders))
    )
    across = table.T.tocsr()
    found = [np.empty((0, 2), np.int64)]
    for begin in range(0, count, _ROWS):
        common = (table[begin : begin + _ROWS] @ across).tocoo()
        one, other = common.row + begin, common.col
        union = total[one] + total[other] - common.data
        near = (one < other) & (common.data >= ALIKE * union)
        found.append(np.stack([one[near], other[near]], axis=1))
    return np.concatenate(found)
