"""Finding features by the text they fire on and the tokens they raise. Free of torch and Qt.

F features, R rows of text, V tokens of the vocabulary. Answers are arrays of feature numbers,
ascending, each once.
"""

from __future__ import annotations

import re
import weakref
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:  # it brings h5py, which the window does without until an index is opened
    from sae_desktop.features.reading.reader import FeatureIndex


Array = npt.NDArray[Any]

NEAR = 16
"""Tokens between a found word and the chosen token of a context, at most."""
_CHUNK_ROWS = 1 << 20
_CHUNK_FEATURES = 1 << 15
_BORDER = b"\x00"
"""Between two passages, so that nothing is found across them."""

_KEPT_ANSWERS = 8

_answers: weakref.WeakKeyDictionary[FeatureIndex, dict[str, Array]] = weakref.WeakKeyDictionary()
_vocabularies: weakref.WeakKeyDictionary[FeatureIndex, dict[str, list[int]]] = (
    weakref.WeakKeyDictionary()
)


class _Chunk(NamedTuple):
    first_row: int
    text: bytes
    """Lower case as far as ASCII goes."""
    starts: Array
    """(rows,) int64, the byte at which each row's token begins."""


def rows_with_text(index: FeatureIndex, text: str) -> Array:
    """Return a mask (R,) of the rows within NEAR tokens of an occurrence of `text`.

    Letters of ASCII match in either case, other letters as they are, in lower and in upper
    case. An occurrence may run over several tokens, not over two passages.
    """
    near = np.zeros(len(index.tokens), dtype=bool)
    pattern = _pattern(text)
    if pattern is None:
        return near
    for chunk in _chunks(index):
        spans = np.array([m.span() for m in pattern.finditer(chunk.text)], dtype=np.int64)
        if not len(spans):
            continue
        first = np.searchsorted(chunk.starts, spans[:, 0], side="right") - 1 + chunk.first_row
        last = np.searchsorted(chunk.starts, spans[:, 1] - 1, side="right") - 1 + chunk.first_row
        _mark(near, index, first - NEAR, last + NEAR, first)
    return near


def features_with_context(index: FeatureIndex, text: str) -> Array:
    """Return the features one of whose kept contexts has `text` near its chosen token.

    The last answers are kept: a window asks once beside itself and then filters at once.
    """
    answers = _answers.setdefault(index, {})
    key = text.strip()
    found = answers.get(key)
    if found is None:
        found = _with_context(index, key)
        while len(answers) >= _KEPT_ANSWERS:
            answers.pop(next(iter(answers)), None)
        answers[key] = found
    return found


def context_answer_is_known(index: FeatureIndex, text: str) -> bool:
    """Return whether `features_with_context` answers at once."""
    return text.strip() in _answers.get(index, {})


def _with_context(index: FeatureIndex, text: str) -> Array:
    near = rows_with_text(index, text)
    if not near.any():
        return np.empty(0, dtype=np.int64)
    rows = index.array("contexts/row")
    assert rows is not None  # every index has contexts
    found = []
    for first in range(0, len(rows), _CHUNK_FEATURES):
        some = rows[first : first + _CHUNK_FEATURES]
        hit = (near[np.maximum(some, 0)] & (some >= 0)).any(axis=1)
        found.append(first + np.flatnonzero(hit))
    return np.concatenate(found)


def features_firing_on(index: FeatureIndex, token: str) -> Array:
    """Return the features among whose most frequent tokens `token` is (see `token_ids`)."""
    ids = index.array("firing_tokens/ids")
    wanted = token_ids(index, token)
    if ids is None or not wanted:
        return np.empty(0, dtype=np.int64)
    among = np.zeros(index.vocabulary_size + 1, dtype=bool)  # −1, no token, is the last
    among[wanted] = True
    return np.flatnonzero(among[ids].any(axis=1))


def features_raising(index: FeatureIndex, token: str) -> Array:
    """Return the features among whose most raised tokens `token` is (see `token_ids`)."""
    offsets, features = (
        index.array("logits/token_offsets"),
        index.array("logits/token_features"),
    )
    wanted = token_ids(index, token)
    if offsets is None or features is None or not wanted:
        return np.empty(0, dtype=np.int64)
    parts = [features[offsets[i] : offsets[i + 1]] for i in wanted if i + 1 < len(offsets)]
    return np.unique(np.concatenate(parts)).astype(np.int64)


def token_ids(index: FeatureIndex, text: str) -> list[int]:
    """Return the tokens that read `text`, case and the space around it left aside."""
    known = _vocabularies.get(index)
    if known is None:
        known = {}
        for number in range(index.vocabulary_size):
            data = index.token_bytes(number) or b""
            key = data.decode("utf-8", "replace").strip().casefold()
            known.setdefault(key, []).append(number)
        _vocabularies[index] = known
    return known.get(text.strip().casefold(), [])


def _pattern(text: str) -> re.Pattern[bytes] | None:
    text = text.strip()
    if not text:
        return None
    cases = dict.fromkeys((text, text.lower(), text.upper(), text.capitalize(), text.title()))
    data = dict.fromkeys(re.escape(case.encode().lower()) for case in cases)
    return re.compile(b"|".join(data))


def _chunks(index: FeatureIndex) -> Iterator[_Chunk]:
    """Yield the index's text in pieces of whole passages."""
    passages, rows = index.passages, len(index.tokens)
    first = 0
    while first < len(passages):
        begin = int(passages["first_row"][first])
        last = int(np.searchsorted(passages["first_row"], begin + _CHUNK_ROWS, side="left"))
        last = max(last, first + 1)
        end = int(passages["first_row"][last]) if last < len(passages) else rows
        borders = passages["first_row"][first + 1 : last] - begin
        yield _chunk(index, begin, end, borders)
        first = last


def _chunk(index: FeatureIndex, begin: int, end: int, borders: Array) -> _Chunk:
    offsets, data = index.array("vocabulary/offsets"), index.array("vocabulary/bytes")
    assert offsets is not None
    assert data is not None
    tokens = index.tokens[begin:end].astype(np.int64).clip(0, max(index.vocabulary_size - 1, 0))
    if not index.vocabulary_size:
        return _Chunk(begin, b"", np.zeros(end - begin, dtype=np.int64))
    lengths = np.diff(offsets)[tokens]
    border = np.zeros(end - begin, dtype=np.int64)
    border[borders] = 1
    ends = np.cumsum(lengths + border)
    starts = ends - lengths
    out = np.full(int(ends[-1]), ord(_BORDER), dtype=np.uint8)
    written = np.arange(int(lengths.sum())) + np.repeat(np.cumsum(border), lengths)
    out[written] = data[written + np.repeat(offsets[tokens] - starts, lengths)]
    return _Chunk(begin, out.tobytes().lower(), starts)


def _mark(near: Array, index: FeatureIndex, first: Array, last: Array, at: Array) -> None:
    """Mark the rows first … last of each occurrence, within the passage of row `at`."""
    passages = index.passages
    passage = np.searchsorted(passages["first_row"], at, side="right") - 1
    begin = passages["first_row"][passage]
    first = np.maximum(first, begin)
    last = np.minimum(last, begin + passages["length"][passage] - 1)
    steps = np.zeros(len(near) + 1, dtype=np.int32)
    np.add.at(steps, first, 1)
    np.add.at(steps, last + 1, -1)
    near |= np.cumsum(steps[:-1]) > 0
