"""Pictures in the contexts of an index: a context of its own, or one word in that of a text.

Free of torch and Qt.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePath
from typing import Any

import numpy as np
import numpy.typing as npt

from sae_desktop.activations.layout import damaged_store
from sae_desktop.activations.store_pictures import StorePictures
from sae_desktop.features.reading.facts import Context, PictureContext
from sae_desktop.features.reading.index_file import IndexFile

Array = npt.NDArray[Any]


def picture_token(name: str, *, whole: bool = True) -> str:
    """Return how a picture stands among words, or one part of it."""
    return f"⟨{'' if whole else 'part of '}picture {PurePath(name).name or name}⟩"


class PicturesInContexts:
    """What the contexts of an index have of its pictures."""

    def __init__(self, index: IndexFile, pictures: StorePictures) -> None:
        self._index, self._pictures = index, pictures

    def is_of_picture(self, row: int) -> bool:
        """Return whether a row is a token of a picture."""
        return int(self._index.arrays["picture"][row]) >= 0

    def context(self, row: int, rows: Array, values: Array) -> PictureContext:
        """Return the picture that a row is of, with the firings on `rows` (n,), and how strong.

        Raises UserError where what is kept of it is damaged.
        """
        of_rows, tokens = self._index.arrays["picture"], self._index.arrays["picture_token"]
        number = int(of_rows[row])
        found = self._pictures.get(number)
        layout = found.record.layout
        inside = (rows >= 0) & (rows < len(of_rows))
        rows, values = rows[inside], values[inside]
        own = of_rows[rows] == number
        places = np.append(tokens[rows[own]], tokens[row])
        if not 0 <= int(places.min()) <= int(places.max()) < layout.tokens:
            raise damaged_store(
                self._index.path, f"a row is of a part that picture {number:,} has not"
            )
        activations = np.zeros(layout.tokens, np.float32)
        activations[places[:-1]] = values[own]
        return PictureContext(
            number=number,
            name=found.record.name,
            place=found.record.source,
            digest=found.digest,
            notes=tuple(found.record.notes),
            layout=layout,
            activations=activations,
            token=int(tokens[row]),
            thumbnail=self._pictures.thumbnail(number),
        )

    def places(self, first: int, last: int) -> Array:
        """Return which word (last − first,) each of some rows is, a picture being one word."""
        numbers = self._index.arrays["picture"][first:last]
        return np.asarray(np.cumsum(_begin(numbers)) - 1)

    def told(self, context: Context, first: int, earlier: int) -> Context:
        """Return a context of a text, each picture in it told as one word, with the strongest of
        its activations that the context holds.

        `first`: the row of its first token but the `earlier` ones, which are words.
        """
        count = len(context.tokens)
        rows = self._index.arrays["picture"][first : first + count - earlier]
        if not (rows >= 0).any():
            return context
        numbers = np.concatenate([np.full(earlier, -1), rows])
        begins = np.flatnonzero(_begin(numbers))
        lengths = np.diff(np.append(begins, count))
        tokens = [
            context.tokens[at] if numbers[at] < 0 else self._word(int(numbers[at]), int(length))
            for at, length in zip(begins.tolist(), lengths, strict=True)
        ]

        def moved(at: int) -> int:
            return int(np.searchsorted(begins, at, side="right")) - 1 if at < count else len(begins)

        read = context.read
        return replace(
            context,
            tokens=tokens,
            activations=np.maximum.reduceat(context.activations, begins),
            peak=moved(context.peak),
            starts=tuple(sorted({moved(start) for start in context.starts})),
            read=None if read is None else (moved(read[0]), moved(read[1])),
        )

    def _word(self, number: int, length: int) -> str:
        found = self._pictures.get(number)
        return picture_token(found.record.name, whole=length >= found.record.layout.tokens)


def _begin(numbers: Array) -> Array:
    """Return which rows do not carry on the picture of the row before."""
    same = (numbers[1:] == numbers[:-1]) & (numbers[1:] >= 0)
    return np.concatenate([np.ones(min(len(numbers), 1), np.bool_), ~same])
