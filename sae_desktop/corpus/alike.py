"""Texts with the same content, so that no held-out text has a copy that was trained on. Free of
torch.

Whatever is held out asks here: rows of a store and documents of a stream in training, texts of
a set search, documents of completeness, aligned texts of language independence.

Two texts are alike when they are equal but for case, punctuation and spaces, when they share half
of their runs of four characters, each weighed by how rare it is among the texts, or four fifths
of them as they stand. The weight is what keeps texts of one template apart ("The capital of … is
…"): what all share tells none from another. For the same reason four fifths are no likeness
where that would make one group of more than half of all texts. Documents of a store or an index
are compared by runs of three tokens in the same way.

N texts, n hashes of runs in all, P pairs. Of a long text a fair sample of runs is compared, and
each text only with those that share one of its rarest runs: time and memory go with N alone.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

ALIKE = 0.5
"""Weighted Jaccard similarity from which on two texts are alike."""
NEARLY_EQUAL = 0.8
"""The same without weights."""
MOST_OF_ALL = 0.5
"""Texts of which more than this share is alike are of one template."""
_CHARACTERS, _TOKENS = 4, 3
"""Length of the runs that are compared."""
_SKETCH, _LEAST_SKETCH = 128, 16
"""Runs of a text that are compared at most: those of the smallest hashes, a fair sample."""
_HASHES = 1 << 24
"""Hashes kept at most, 128 MiB: of very many documents fewer each."""
_RAREST = 12
"""Runs of a text, those in the fewest other texts, by which it is compared with others."""
_NEIGHBOURS = 4
"""Texts of a run that each is compared with, in an order drawn again for each run."""
_PAIRS_AT_ONCE = 1 << 16


@dataclass(frozen=True)
class Sketches:
    """Hashes of runs of N texts, those of each ascending and different."""

    offsets: Array
    """(N + 1,)."""
    hashes: Array
    """(n,) uint64."""

    @property
    def text(self) -> Array:
        """The text (n,) of each hash."""
        return np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))


def groups_of_texts(texts: Sequence[str]) -> Array:
    """Return the group (N,) int64 of each text; those alike, directly or by others, share one."""
    return groups(sketches_of_texts(texts))


def groups_of_documents(tokens: Array, document: Array, documents: int) -> Array:
    """Return the group (documents,) of each document of a store or an index.

    tokens (R,), document (R,) that each row is of, −1 for none.
    """
    order = np.argsort(document, kind="stable")
    order = order[document[order] >= 0]
    most = sketch_size(documents)
    return groups(sketches_of_documents(tokens[order], document[order], documents, most))


def sketch_size(documents: int) -> int:
    """Return how many runs of each of a given number of documents are kept."""
    return int(np.clip(_HASHES // max(documents, 1), _LEAST_SKETCH, _SKETCH))


def sketches_of_texts(texts: Iterable[str]) -> Sketches:
    """Return the sketches of texts by their letters and digits."""
    return _collected([_sketch(_characters(text), _CHARACTERS) for text in texts])


def sketches_of_documents(tokens: Array, document: Array, documents: int, most: int) -> Sketches:
    """Return the sketches of documents, of at most a given number of runs each.

    tokens (R,) in the documents' order, document (R,) ascending, from 0.
    """
    ids = tokens.astype(np.int64).astype(np.uint64)
    sizes = np.bincount(document, minlength=documents)
    # A document shorter than a run is one run.
    hashes = np.zeros(len(ids), np.uint64)
    for offset in range(_TOKENS):
        there = np.arange(len(ids)) + offset < len(ids)
        there[there] &= document[np.flatnonzero(there) + offset] == document[there]
        hashes[there] = scattered(hashes[there] ^ ids[np.flatnonzero(there) + offset])
    place = np.arange(len(ids)) - (np.cumsum(sizes) - sizes)[document]
    begins = place <= np.maximum(sizes[document] - _TOKENS, 0)
    hashes, document = hashes[begins], document[begins]
    order = np.lexsort((hashes, document))
    hashes, document = hashes[order], document[order]
    new = np.ones(len(hashes), bool)
    new[1:] = (hashes[1:] != hashes[:-1]) | (document[1:] != document[:-1])
    hashes, document = hashes[new], document[new]
    counts = np.bincount(document, minlength=documents)
    rank = np.arange(len(hashes)) - (np.cumsum(counts) - counts)[document]
    kept = rank < most
    return Sketches(np.cumsum([0, *np.minimum(counts, most)]), hashes[kept])


def joined_sketches(pieces: Sequence[Sketches]) -> Sketches:
    """Return the sketches of all texts of some pieces, one piece after the other."""
    sizes = np.concatenate([[0], *(np.diff(piece.offsets) for piece in pieces)])
    hashes = [np.empty(0, np.uint64), *(piece.hashes for piece in pieces)]
    return Sketches(np.cumsum(sizes).astype(np.int64), np.concatenate(hashes))


def groups(sketches: Sketches) -> Array:
    """Return the group (N,) int64 of each text; those alike, directly or by others, share one.

    A text of which there is no run is alone.
    """
    own, first = _equal(sketches)
    few = _chosen(sketches, first)
    pairs, weighted, nearly = _compared(few)
    close = _components(pairs[weighted], len(first))[own]
    wide = _components(pairs[weighted | nearly], len(first))[own]
    if np.bincount(wide, minlength=1).max() > MOST_OF_ALL * len(own):
        return close
    return wide


def joined(*relations: Array) -> Array:
    """Return numbers (N,) from 0, equal where any of the relations (N,) is, along any chain."""
    count = len(relations[0])
    ends = []
    for number, relation in enumerate(relations):
        name = np.unique(relation, return_inverse=True)[1].reshape(-1)
        ends.append(np.stack([np.arange(count), count * (number + 1) + name], axis=1))
    found = _components(np.concatenate(ends), count * (len(relations) + 1))[:count]
    return np.asarray(np.unique(found, return_inverse=True)[1].reshape(-1), np.int64)


def with_in_common(groups_N: Array, text: Array, name: Array) -> Array:
    """Return groups (N,) from 0: those given, and texts that have something in common as well.

    text (n,) and name (n,): who has what, such as the digest of a picture.
    """
    count = len(groups_N)
    has = np.unique(name, return_inverse=True)[1].reshape(-1)
    own = np.unique(groups_N, return_inverse=True)[1].reshape(-1)
    ends = [
        np.stack([text.astype(np.int64), count + has], axis=1),
        np.stack([np.arange(count), count + len(name) + own], axis=1),
    ]
    found = _components(np.concatenate(ends), 2 * count + len(name))[:count]
    return np.asarray(np.unique(found, return_inverse=True)[1].reshape(-1), np.int64)


class KnownTexts:
    """Texts that others are held against one by one, as a stream brings them.

    Rare is what is rare among the texts known and `others`, a sample of what will come. Memory
    goes with the texts known.
    """

    def __init__(self, known: Sequence[str], others: Sequence[str]) -> None:
        self._sketches = sketches_of_texts(known)
        self._runs, self._run = np.unique(self._sketches.hashes, return_inverse=True)
        sample = sketches_of_texts(others)
        of_others = sample.hashes[np.isin(sample.hashes, self._runs)]
        holders = np.bincount(self._run, minlength=len(self._runs))
        holders = holders + np.bincount(
            np.searchsorted(self._runs, of_others), minlength=len(self._runs)
        )
        count = len(known) + len(others)
        self._new = float(np.log(count + 1))
        self._weight = self._new - np.log(np.maximum(holders, 1))
        self._total = np.bincount(
            self._sketches.text, weights=self._weight[self._run], minlength=len(known)
        )
        by_run = np.argsort(self._run, kind="stable")
        self._holders = self._sketches.text[by_run]
        self._ends = np.searchsorted(self._run[by_run], np.arange(len(self._runs) + 1))
        found = [self._near(_sketch_of(text)) for text in others]
        most = MOST_OF_ALL * max(len(others), 1)
        self._by_weight = sum(near[0] for near in found) <= most
        self._as_it_stands = self._by_weight and sum(any(near) for near in found) <= most

    def like(self, text: str) -> bool:
        """Whether a text is alike to one of those known."""
        weighted, nearly = self._near(_sketch_of(text))
        return (weighted and self._by_weight) or (nearly and self._as_it_stands)

    def _near(self, sketch: Array) -> tuple[bool, bool]:
        if not len(self._runs):
            return False, False
        place = np.minimum(np.searchsorted(self._runs, sketch), len(self._runs) - 1)
        hit = place[self._runs[place] == sketch]
        if not len(hit):
            return False, False
        holders = [self._holders[self._ends[run] : self._ends[run + 1]] for run in hit.tolist()]
        text = np.concatenate(holders)
        weights = np.repeat(self._weight[hit], [len(one) for one in holders])
        count = len(self._total)
        common = np.bincount(text, weights=weights, minlength=count)
        shared = np.bincount(text, minlength=count)
        own = self._weight[hit].sum() + self._new * (len(sketch) - len(hit))
        sizes = np.diff(self._sketches.offsets)
        weighted = (shared > 0) & (common >= ALIKE * (self._total + own - common))
        nearly = (shared > 0) & (shared >= NEARLY_EQUAL * (sizes + len(sketch) - shared))
        return bool(weighted.any()), bool(nearly.any())


def _sketch_of(text: str) -> Array:
    return _sketch(_characters(text), _CHARACTERS)


def _characters(text: str) -> Array:
    """Return a text's code points: letters and digits only, one space between words."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    plain = "".join(c if c.isalnum() or unicodedata.combining(c) else " " for c in folded)
    joined_words = " ".join(plain.split()) or text.strip()
    return np.frombuffer(joined_words.encode("utf-32-le", "surrogatepass"), np.uint32)


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


def _collected(sketches: Sequence[Array]) -> Sketches:
    sizes = [0, *(len(sketch) for sketch in sketches)]
    return Sketches(np.cumsum(sizes), np.concatenate([np.empty(0, np.uint64), *sketches]))


def _equal(sketches: Sketches) -> tuple[Array, Array]:
    """Return for each text the number (N,) of its sketch, and a text (U,) of each sketch."""
    sizes = np.diff(sketches.offsets)
    sums = np.zeros(len(sizes), np.uint64)
    np.add.at(sums, sketches.text, scattered(sketches.hashes))
    empty = np.flatnonzero(sizes == 0)
    sums[empty] = empty
    keys = np.stack([sums, sizes.astype(np.uint64)], axis=1)
    _, first, own = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    return own.reshape(-1), first


def _chosen(sketches: Sketches, texts: Array) -> Sketches:
    sizes = np.diff(sketches.offsets)[texts]
    ends = np.cumsum(sizes)
    places = np.arange(ends[-1] if len(ends) else 0)
    places += np.repeat(sketches.offsets[texts] - (ends - sizes), sizes)
    return Sketches(np.concatenate([[0], ends]).astype(np.int64), sketches.hashes[places])


def _compared(sketches: Sketches) -> tuple[Array, Array, Array]:
    """Return pairs (P, 2) that share rare runs, which are alike by weight, and which nearly equal.

    No two sketches are the same.
    """
    from scipy.sparse import csr_array  # slow to import

    count = len(sketches.offsets) - 1
    text = sketches.text
    _, run, holders = np.unique(sketches.hashes, return_inverse=True, return_counts=True)
    weight = np.log((count + 1) / holders)[run]
    total = np.bincount(text, weights=weight, minlength=count)
    sizes = np.diff(sketches.offsets)
    shared = np.flatnonzero(holders[run] > 1)
    pairs = _candidates(text[shared], run[shared], holders[run[shared]])
    shape = (count, len(holders))
    table = csr_array((weight[shared], (text[shared], run[shared])), shape=shape)
    ones = csr_array((np.ones(len(shared)), (text[shared], run[shared])), shape=shape)
    weighted, nearly = np.zeros(len(pairs), bool), np.zeros(len(pairs), bool)
    for begin in range(0, len(pairs), _PAIRS_AT_ONCE):
        part = slice(begin, begin + _PAIRS_AT_ONCE)
        a, b = pairs[part].T
        common = np.asarray((table[a] * ones[b]).sum(axis=1)).reshape(-1)
        number = np.asarray((ones[a] * ones[b]).sum(axis=1)).reshape(-1)
        weighted[part] = common >= ALIKE * (total[a] + total[b] - common)
        nearly[part] = number >= NEARLY_EQUAL * (sizes[a] + sizes[b] - number)
    return pairs, weighted, nearly


def _candidates(text: Array, run: Array, holders: Array) -> Array:
    """Return pairs (P, 2) of texts that share one of the rarest runs of both."""
    order = np.lexsort((run, holders, text))
    text, run = text[order], run[order]
    begins = np.flatnonzero(np.concatenate([[True], text[1:] != text[:-1]])[: len(text)])
    rank = np.arange(len(text)) - np.repeat(begins, np.diff([*begins, len(text)]))
    text, run = text[rank < _RAREST], run[rank < _RAREST]
    drawn = scattered(scattered(run.astype(np.uint64)) ^ text.astype(np.uint64))
    order = np.lexsort((drawn, run))
    text, run = text[order], run[order]
    found = [np.empty((0, 2), np.int64)]
    for offset in range(1, _NEIGHBOURS + 1):
        same = run[offset:] == run[:-offset]
        found.append(np.stack([text[offset:][same], text[:-offset][same]], axis=1))
    return np.unique(np.sort(np.concatenate(found), axis=1), axis=0)


def _components(pairs: Array, count: int) -> Array:
    from scipy.sparse import coo_array  # slow to import
    from scipy.sparse.csgraph import connected_components

    links = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    return np.asarray(connected_components(links, directed=False)[1], np.int64)
