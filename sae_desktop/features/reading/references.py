"""Whether everything that someone else's index refers to exists. Free of torch and Qt."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from sae_desktop.errors import UserError
from sae_desktop.features.reading.columns import MODALITIES
from sae_desktop.features.reading.layout import DOCUMENT_DTYPE, OTHER_KIND, PASSAGE_DTYPE
from sae_desktop.features.reading.picture_arrays import check_pictures
from sae_desktop.features.reading.reader import FeatureIndex

Array = npt.NDArray[Any]

_ALIKE = (
    ("contexts/row", "contexts/activation"),
    ("contexts/positions", "contexts/values"),
    ("logits/top_ids", "logits/top_values"),
    ("logits/bottom_ids", "logits/bottom_values"),
    ("neighbours/ids", "neighbours/cosines"),
    ("coactive/ids", "coactive/pearson"),
    ("coactive/ids", "coactive/share"),
    ("firing_tokens/ids", "firing_tokens/counts"),
    ("firing_tokens/sums", "firing_tokens/ids"),
    ("languages/sums", "languages/counts"),
    ("sources/sums", "sources/counts"),
    ("neurons/ids", "neurons/layers"),
    ("neurons/ids", "neurons/pearson"),
    ("aligned/documents", "aligned/rows"),
    ("aligned/documents", "aligned/maxima"),
)
"""Arrays of the same shape, if the first is there."""
_NEEDED = (
    "documents", "vocabulary/offsets", "vocabulary/bytes", "contexts/bucket", "contexts/positions",
    "contexts/values", "neighbours/ids",
)  # fmt: skip
"""What every page reads, beside what opening an index asks for."""
_OF_FEATURES = (
    "histogram/counts", "contexts/row", "contexts/edges", "logits/top_ids", "logits/bottom_ids",
    "logits/median", "neighbours/ids", "coactive/ids", "languages/counts", "sources/counts",
    "firing_tokens/ids", "neurons/ids",
)  # fmt: skip


def check_references(index: FeatureIndex) -> None:
    """Raise UserError where a number in an index leads outside of it.

    An index this program has written is right; one that comes from elsewhere is looked through
    once, before a page is drawn from it. Reads every number that refers to something.
    """
    try:
        _Check(index).all()
    except (ValueError, TypeError, KeyError, IndexError) as error:
        raise UserError(
            f"The index “{index.path.name}” is damaged: {error}.",
            kept="Nothing was changed.",
            next_step="Get a fresh copy of it.",
        ) from error


class _Check:
    def __init__(self, index: FeatureIndex) -> None:
        self._index, self._info = index, index.info

    def all(self) -> None:
        for name in _NEEDED:
            if self._index.array(name) is None:
                raise ValueError(f"{name} is missing")
        if self._index.has_logits and self._index.array("logits/bottom_ids") is None:
            raise ValueError("logits/bottom_ids is missing")
        for first, second in _ALIKE:
            one, other = self._index.array(first), self._index.array(second)
            if one is not None and (other is None or one.shape != other.shape):
                raise ValueError(f"{second} does not have the shape of {first}")
        for name in (*_OF_FEATURES, *(f"columns/{column}" for column in self._index.columns)):
            found = self._index.array(name)
            if found is not None and (found.ndim == 0 or len(found) != self._index.features):
                raise ValueError(f"{name} is not of {self._index.features} features")
        self._text()
        check_pictures(self._index.arrays, self._info.rows, len(self._index.documents))
        self._inside("columns/modality", -1, len(MODALITIES))
        self._contexts()
        features = self._index.features
        for name in ("neighbours/ids", "coactive/ids"):
            self._inside(name, -1, features)
        self._inside("logits/token_features", 0, features)
        self._runs("logits/token_offsets", "logits/token_features", self._index.vocabulary_size)
        self._shares("languages", len(self._info.languages))
        self._shares("sources", len(self._info.sources))
        self._inside("aligned/documents", 0, len(self._index.documents))
        self._inside("aligned/rows", 0, self._info.rows)
        self._runs("aligned/offsets", "aligned/documents", features)

    def _text(self) -> None:
        passages, documents = self._index.passages, self._index.documents
        if passages.dtype != PASSAGE_DTYPE or documents.dtype != DOCUMENT_DTYPE:
            raise ValueError("passages or documents have another form")
        first, length = passages["first_row"], passages["length"]
        follows = np.array_equal(first, np.cumsum(length) - length) and bool((length > 0).all())
        if not follows or int(length.sum()) != self._info.rows:
            raise ValueError("the passages do not match the text")
        if not _within(passages["document"], 0, len(documents)):
            raise ValueError("a passage belongs to no document")
        windows, before = self._index.array("windows"), self._index.array("read_before")
        if windows is not None:
            ascending = bool((np.diff(windows) > 0).all())
            alike = before is not None and before.shape == windows.shape
            if windows.ndim != 1 or not ascending or not alike:
                raise ValueError("the windows do not match the text")
            self._inside("windows", 0, self._info.rows)
            self._inside("read_before", 0, 2**31)
        self._runs("vocabulary/offsets", "vocabulary/bytes", None)
        self._inside("tokens", -(2**31), 2**31)

    def _contexts(self) -> None:
        row, edges = self._index.array("contexts/row"), self._index.array("contexts/edges")
        bucket = self._index.array("contexts/bucket")
        assert row is not None  # without these an index does not open
        assert edges is not None
        assert bucket is not None
        if row.ndim != 2 or bucket.shape != row.shape[1:]:
            raise ValueError("contexts/bucket does not match the contexts")
        if edges.shape != (self._index.features, self._info.buckets + 1):
            raise ValueError("contexts/edges does not match the buckets")
        self._inside("contexts/row", -1, self._info.rows)
        self._inside("contexts/bucket", OTHER_KIND, self._info.buckets + 1)
        self._runs("contexts/offsets", "contexts/positions", row.size)

    def _shares(self, kind: str, names: int) -> None:
        counts, tokens = self._index.array(f"{kind}/counts"), self._index.array(f"{kind}/tokens")
        if counts is not None and (
            counts.shape != (self._index.features, names) or tokens is None or len(tokens) != names
        ):
            raise ValueError(f"{kind} are not those that the index names")

    def _inside(self, name: str, least: int, end: int) -> None:
        found = self._index.array(name)
        if found is not None and not _within(found, least, end):
            raise ValueError(f"{name} points outside the index")

    def _runs(self, offsets: str, values: str, count: int | None) -> None:
        """Check that offsets (count + 1,) cut the values into runs."""
        starts, found = self._index.array(offsets), self._index.array(values)
        if starts is None:
            return
        if found is None or starts.ndim != 1 or not len(starts):
            raise ValueError(f"{offsets} belong to nothing")
        if count is not None and len(starts) != count + 1:
            raise ValueError(f"{offsets} are not of {count} runs")
        if not _within(starts, 0, len(found) + 1) or bool((np.diff(starts) < 0).any()):
            raise ValueError(f"{offsets} point outside {values}")


def _within(found: Array, least: int, end: int) -> bool:
    if not np.issubdtype(found.dtype, np.integer):
        return False
    return not found.size or (int(found.min()) >= least and int(found.max()) < end)
