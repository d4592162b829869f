"""Whole documents held out from training, together with their near-duplicates.

What is said twice must not be learned on one side and asked for on the other: parts of one text,
documents with the same picture, and documents that are alike (`corpus/alike.py`), stay together. A
text with more than half of the rows is never held out.

R rows, D documents.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from sae_desktop.activations.store import ActivationStore
from sae_desktop.corpus import alike
from sae_desktop.corpus.pieces import whole_title

Array = npt.NDArray[Any]
Rows = npt.NDArray[np.int64]
HeldOutBy = Literal["rows", "documents"]
"""rows: the last rows of the store, as runs did before documents were told apart."""

FEW_TEXTS = 50
"""With fewer, what is held out says little of other texts."""
_AT_ONCE = 1 << 22
_SPARE = 1.25
"""So many times the rows wanted may be held out, to end with a whole text."""
_SEED = 0x5EED


def text_of_rows(store: ActivationStore, rows: int) -> Array:
    """Return (R,) for the first `rows` rows which text each is of, from 0; −1 for none.

    Parts of one text, documents with one picture, and near-equal documents, are one text.
    """
    documents = store.documents
    if not len(documents):
        return np.full(rows, -1)
    _, text_D = np.unique(documents["ordinal"], return_inverse=True)
    text_D = alike.joined(text_D, _of_one_text(documents))
    if len(store.pictures):
        table = store.pictures.table
        text_D = alike.with_in_common(text_D, table["document"], table["digest"])
    spans = store.spans
    spans = spans[spans["first_row"] < rows]
    near_D = alike.joined(text_D, _near(store, spans, rows, len(documents)))
    sizes = np.bincount(near_D[spans["document"]], spans["length"], near_D.max() + 1)
    if sizes.max(initial=0) <= alike.MOST_OF_ALL * rows:
        text_D = near_D  # else all of it is alike, and texts are told apart as they come
    of_row = np.full(rows, -1)
    lengths = np.minimum(spans["length"], rows - spans["first_row"])
    places = _places(spans["first_row"], lengths)
    of_row[places] = np.repeat(text_D[spans["document"]], lengths)
    return _filled(of_row, store)


def held_out_rows(store: ActivationStore, rows: int, wanted: int) -> tuple[Rows, int] | None:
    """Return about `wanted` of the first `rows` rows, all those of some texts, and how many
    texts there are. None where there are too few texts to hold a whole one out.
    """
    text_R = text_of_rows(store, rows)
    known = text_R >= 0
    if not known.any():
        return None
    names, number = np.unique(text_R[known], return_inverse=True)
    sizes = np.bincount(number)
    order = np.random.Generator(np.random.PCG64(_SEED)).permutation(len(names))
    chosen, total = [], 0
    for text in order.tolist():
        size = int(sizes[text])
        if total >= wanted:
            break
        if size <= alike.MOST_OF_ALL * rows and total + size <= max(_SPARE * wanted, 1):
            chosen.append(text)
            total += size
    if not chosen and len(names) > 1:
        smallest = int(np.argmin(sizes))
        if sizes[smallest] <= alike.MOST_OF_ALL * rows:
            chosen = [smallest]
    if not chosen:
        return None
    return np.flatnonzero(np.isin(text_R, names[chosen])), len(names)


def _of_one_text(documents: Array) -> Array:
    """Return (D,) equal numbers for parts of one text, different ones otherwise."""
    found = np.arange(len(documents))
    first: dict[tuple[bytes, str], int] = {}
    for place in np.flatnonzero(np.char.find(documents["title"], b"(part ") >= 0).tolist():
        title = whole_title(documents["title"][place].decode("utf-8", "replace"))
        found[place] = first.setdefault((documents["source"][place].tobytes(), title), place)
    return found


def _near(store: ActivationStore, spans: Array, rows: int, documents: int) -> Array:
    """Return (D,) numbers that are equal for documents whose texts are alike.

    Tokens of pictures are of no text: all have one id.
    """
    spans = spans[np.lexsort((spans["offset"], spans["document"]))]
    most = alike.sketch_size(documents)
    pieces, first, begin = [], 0, 0
    while begin < documents:
        sizes = np.cumsum(spans["length"][first:])
        last = first + max(1, int(np.searchsorted(sizes, _AT_ONCE)))
        while last < len(spans) and spans["document"][last] == spans["document"][last - 1]:
            last += 1
        part = spans[first:last]
        end = documents if last >= len(spans) else int(part["document"][-1]) + 1
        lengths = np.minimum(part["length"], rows - part["first_row"])
        places = _places(part["first_row"], lengths)
        document = np.repeat(part["document"], lengths) - begin
        if len(store.pictures):
            of_text = store.pictures.of_rows(0, rows)[places] < 0
            places, document = places[of_text], document[of_text]
        tokens = np.asarray(store.tokens[places])
        pieces.append(alike.sketches_of_documents(tokens, document, end - begin, most))
        first, begin = last, end
    return alike.groups(alike.joined_sketches(pieces))


def _places(first: Array, lengths: Array) -> Array:
    """Return the rows of some spans, one span after the other."""
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    return np.asarray(np.arange(total) + np.repeat(first - (ends - lengths), lengths))


def _filled(of_row: Array, store: ActivationStore) -> Array:
    """Give rows of no document, those of a kept BOS, to the text of their window."""
    if (of_row >= 0).all():
        return of_row
    windows = store.windows
    own = np.searchsorted(windows["first_row"], np.arange(len(of_row)), side="right") - 1
    after = np.full(len(of_row), -1)
    known = np.flatnonzero(of_row >= 0)
    if len(known):  # the next row with a text: a window begins with its BOS
        nearest = known[np.minimum(np.searchsorted(known, np.arange(len(of_row))), len(known) - 1)]
        same = own[nearest] == own
        after[same] = of_row[nearest][same]
    return np.asarray(np.where(of_row >= 0, of_row, after))
