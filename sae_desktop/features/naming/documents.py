"""What kinds of documents a text has: where they come from, and how they are written.

D documents. Of the built-in corpus it is known what its sources are; of other texts the kind is
told by what stands in them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sae_desktop.features.naming.tokens import TokenTables

if TYPE_CHECKING:
    from sae_desktop.features.reading.index_file import IndexFile

Array = npt.NDArray[Any]

BUILTIN = "builtin"
BUILTIN_KINDS = {
    "kjv": "the Bible",
    "web": "the Bible",
    "wordnet": "dictionary entries",
    "jargon": "dictionary entries",
    "devil": "dictionary entries",
    "udhr": "the declaration of human rights",
    "handbook": "a manual",
    "manual": "a manual",
    "python": "program code",
}
"""What the sources of the built-in corpus are, in one phrase."""
BUILTIN_TITLES = {
    "kjv": "the King James Bible",
    "web": "the World English Bible",
    "wordnet": "WordNet",
    "jargon": "the Jargon File",
    "devil": "the Devil’s Dictionary",
    "udhr": "the declaration of human rights",
    "handbook": "the Debian Handbook",
    "python": "Python code",
    "manual": "the Python documentation",
}
_LOOKED_AT = 256
"""Tokens of each passage."""
_PASSAGES_AT_ONCE = 1 << 14
_OF_CODE, _OF_NUMBERS, _OF_DIALOGUE, _OF_LINES = 0.15, 0.2, 0.05, 0.08
"""Shares of the tokens from which on a document is of a kind."""
KINDS = ("program code", "numbers and tables", "dialogue", "lists and short lines")


def document_kinds(index: IndexFile, tables: TokenTables) -> tuple[Array, Array, list[str], Array]:
    """Return the sources, each document's place in them (D,), the kinds, each document's (D,)."""
    documents = index.documents
    sources, source = np.unique(documents["source"], return_inverse=True)
    if _is_builtin(index):
        kinds = list(dict.fromkeys(BUILTIN_KINDS.values()))
        of_source = np.array(
            [_place(kinds, BUILTIN_KINDS.get(name.decode("utf-8", "replace"))) for name in sources]
        )
        return sources, source.reshape(-1), kinds, of_source[source.reshape(-1)]
    return sources, source.reshape(-1), list(KINDS), _told_by_tokens(index, tables)


def source_name(index: IndexFile, name: bytes) -> str:
    """Return what a source is called; of a path its last part."""
    text = name.decode("utf-8", "replace")
    if _is_builtin(index):
        return BUILTIN_TITLES.get(text, text)
    return text.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]


def _is_builtin(index: IndexFile) -> bool:
    texts = index.info.texts
    return index.info.corpus == BUILTIN and not {text.corpus for text in texts} - {BUILTIN}


def _place(names: list[str], name: str | None) -> int:
    return names.index(name) if name in names else -1


def _told_by_tokens(index: IndexFile, tables: TokenTables) -> Array:
    """Return (D,) the place in KINDS of each document, −1 for prose."""
    passages, size = index.passages, tables.size
    count = len(index.documents)
    flags = np.stack([tables.code, tables.digits, tables.quotes, tables.breaks])
    sums = np.zeros((len(flags), count))
    total = np.zeros(count)
    for first in range(0, len(passages), _PASSAGES_AT_ONCE):
        some = passages[first : first + _PASSAGES_AT_ONCE]
        places = some["first_row"][:, None] + np.arange(_LOOKED_AT)
        inside = np.arange(_LOOKED_AT) < some["length"][:, None]
        ids = np.asarray(index.tokens[places.clip(0, len(index.tokens) - 1)], np.int64)
        ids = np.where(inside & (ids >= 0) & (ids < size), ids, size)
        np.add.at(total, some["document"], inside.sum(axis=1))
        for flag, row in zip(flags, sums, strict=True):
            np.add.at(row, some["document"], flag[ids].sum(axis=1))
    share = sums / np.maximum(total, 1)
    least = (_OF_CODE, _OF_NUMBERS, _OF_DIALOGUE, _OF_LINES)
    told = [some >= enough for some, enough in zip(share, least, strict=True)]
    return np.select(told, list(range(len(KINDS))), default=-1)
