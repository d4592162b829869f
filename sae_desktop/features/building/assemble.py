"""The pass over the firings: everything an index holds that only they and the text decide.

Free of torch. Features are looked at in blocks of so many as have a fixed number of firings;
what grows with the text goes to disk at once.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sae_desktop.corpus.alike import groups_of_documents
from sae_desktop.features.building.contexts import Slots, bucket_edges, chosen_rows, firings_around
from sae_desktop.features.building.figures import (
    aligned_peaks,
    by_kind,
    by_name,
    firing_tokens,
    histogram,
    moments,
    most_of,
    share_of,
    total_activation,
    window_start_share,
)
from sae_desktop.features.building.independence import language_independence
from sae_desktop.features.reading.firing_files import StoredFirings
from sae_desktop.features.reading.firings import FiringBlock
from sae_desktop.features.reading.index_text import IndexText, token_pieces
from sae_desktop.features.reading.layout import Pieces
from sae_desktop.jobs import JobContext

Array = npt.NDArray[Any]

_CHUNK = 2**20
_OF_OTHER_KIND = 8
"""Contexts kept of pictures for a feature of texts, and of text for one of pictures."""


def whole_type(largest: int) -> np.dtype[Any]:
    """Return the smallest signed type, of two bytes at least, that holds −1 … `largest`."""
    kinds = (np.int16, np.int32, np.int64)
    return np.dtype(next(kind for kind in kinds if largest <= np.iinfo(kind).max))


class _Spill:
    """An array that grows on disk, in a file that is gone when it is closed."""

    def __init__(self, folder: Path, dtype: npt.DTypeLike) -> None:
        self._dtype = np.dtype(dtype)
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
        self._length = 0

    def append(self, values: Array) -> None:
        self._file.write(np.ascontiguousarray(values, self._dtype).tobytes())
        self._length += len(values)

    def mapped(self) -> Array:
        """Return what was appended, mapped from the file."""
        self._file.flush()
        if not self._length:
            return np.empty(0, self._dtype)
        return np.asarray(np.memmap(self._file, self._dtype, "r", shape=(self._length,)))

    def pieces(self) -> Pieces:
        return Pieces(self._length, self._dtype, self._read())

    def _read(self) -> Iterator[Array]:
        self._file.seek(0)
        while data := self._file.read(_CHUNK * self._dtype.itemsize):
            yield np.frombuffer(data, self._dtype)
        self._file.close()


class _Assembly:
    """Arrays of all features, filled block by block."""

    def __init__(self, firings: StoredFirings, text: IndexText, slots: Slots, folder: Path) -> None:
        self.firings, self.text, self.slots = firings, text, slots
        self.arrays: dict[str, Array] = {}
        farthest = max(slots.reach, text.pictures.longest if text.pictures else 0)
        self.spills = {
            "contexts/positions": _Spill(folder, whole_type(farthest)),
            "contexts/values": _Spill(folder, np.float16),
            "aligned/documents": _Spill(folder, whole_type(len(text.documents))),
            "aligned/rows": _Spill(folder, whole_type(text.rows)),
            "aligned/maxima": _Spill(folder, np.float32),
        }
        self._around = np.zeros(firings.features * len(slots.bucket_of_slot) + 1, np.int64)
        self._aligned = np.zeros(firings.features + 1, np.int64)

    def add(self, block: FiringBlock, tokens: Array) -> None:
        passage = self.text.passage_of(block.rows)
        columns = moments(block, self.text.rows)
        firings, maxima = columns["firings"], columns["max_activation"]
        self._put(block, {f"columns/{name}": values for name, values in columns.items()})
        self._put(block, {"histogram/counts": histogram(block, maxima)})
        if self.text.has_windows:
            starts = window_start_share(block, self.text, firings)
            self._put(block, {"columns/window_start_share": starts})
        self._add_contexts(block, passage, maxima)
        for kind, column in (("languages", "language"), ("sources", "source")):
            names = self.text.languages if kind == "languages" else self.text.sources
            if names.names:
                counts, sums = by_name(block, passage, names)
                most = most_of(counts, sums, columns)
                self._put(block, {f"{kind}/counts": counts, f"{kind}/sums": sums})
                self._put(block, {f"columns/{column}{of}": values for of, values in most.items()})
        if self.text.pictures is not None:
            pictures = self.text.pictures
            found_kinds = by_kind(block, pictures.on_picture, firings)
            self._put(block, {f"columns/{name}": values for name, values in found_kinds.items()})
            of_text = ~pictures.on_picture[block.rows]
            ids, counts, sums = firing_tokens(block.only(of_text), tokens[of_text])
        else:
            ids, counts, sums = firing_tokens(block, tokens)
        total = total_activation(columns)
        self._put(
            block,
            {
                "firing_tokens/ids": ids,
                "firing_tokens/counts": counts,
                "firing_tokens/sums": sums,
                "columns/token": ids[:, 0],
                "columns/token_share": share_of(counts[:, 0], firings),
                "columns/token_activation": share_of(sums[:, 0], total),
            },
        )
        if self.text.is_aligned.any():
            found = aligned_peaks(block, passage, self.text)
            self._aligned[block.first + 1 : block.first + 1 + len(found[0])] = found[0]
            for name, values in zip(("documents", "rows", "maxima"), found[1:], strict=True):
                self.spills[f"aligned/{name}"].append(values)

    def _add_contexts(self, block: FiringBlock, passage: Array, maxima: Array) -> None:
        edges = bucket_edges(block, maxima, self.slots)
        rows, values = chosen_rows(block, passage, self.text, edges, self.slots)
        self._put(
            block, {"contexts/edges": edges, "contexts/row": rows, "contexts/activation": values}
        )
        counts, positions, around = firings_around(block, rows, self.text, self.slots.reach)
        first = block.first * rows.shape[1] + 1
        self._around[first : first + len(counts)] = counts
        self.spills["contexts/positions"].append(positions)
        self.spills["contexts/values"].append(around)

    def _put(self, block: FiringBlock, found: dict[str, Array]) -> None:
        for name, values in found.items():
            if name not in self.arrays:
                shape = (self.firings.features, *values.shape[1:])
                self.arrays[name] = np.zeros(shape, values.dtype)
            self.arrays[name][block.first : block.first + len(values)] = values

    def result(self) -> dict[str, Array | Pieces]:
        arrays: dict[str, Array | Pieces] = dict(self.arrays)
        arrays["contexts/bucket"] = self.slots.bucket_of_slot
        offsets = np.cumsum(self._around, out=self._around)
        arrays["contexts/offsets"] = offsets.astype(whole_type(int(offsets[-1])))
        arrays["contexts/row"] = self.arrays["contexts/row"].astype(whole_type(self.text.rows))
        for kind, names in (("languages", self.text.languages), ("sources", self.text.sources)):
            if names.names:
                arrays[f"{kind}/tokens"] = names.rows
        aligned = self.text.is_aligned.any()
        if aligned:
            offsets = np.cumsum(self._aligned, out=self._aligned)
            arrays["aligned/offsets"] = offsets
            arrays["columns/language_independence"] = language_independence(
                offsets,
                self.spills["aligned/documents"].mapped(),
                self.spills["aligned/maxima"].mapped(),
                self.text.documents,
                self._alike(),
            )
        for name, spill in self.spills.items():
            if aligned or not name.startswith("aligned/"):
                arrays[name] = spill.pieces()
        arrays["tokens"] = self._tokens()
        arrays["passages"] = self.text.passages
        if self.text.has_windows:
            arrays["windows"] = self.text.windows
            arrays["read_before"] = self.text.read_before
        arrays["documents"] = self.text.documents
        if self.text.pictures is not None:
            arrays |= self.text.pictures.arrays()
        return arrays

    def _tokens(self) -> Pieces:
        groups = self.firings.groups
        largest = max((int(some.max(initial=0)) for some in token_pieces(groups)), default=0)
        return Pieces(self.text.rows, whole_type(largest), token_pieces(groups))

    def _alike(self) -> Array:
        """Return numbers (D,) that are equal for aligned documents that are alike."""
        text, first = self.text, 0
        kept_tokens, kept_documents = [], []
        for tokens in token_pieces(self.firings.groups):
            rows = np.arange(first, first + len(tokens))
            document = text.passages["document"][text.passage_of(rows)]
            aligned = text.is_aligned[document]
            kept_tokens.append(tokens[aligned])
            kept_documents.append(document[aligned])
            first += len(tokens)
        return groups_of_documents(
            np.concatenate(kept_tokens), np.concatenate(kept_documents), len(text.documents)
        )


def figures_of(
    firings: StoredFirings, text: IndexText, slots: Slots, folder: Path, context: JobContext
) -> dict[str, Array | Pieces]:
    """Return the arrays of `layout.py` that firings and text decide.

    What grows with the text waits in nameless files in `folder` until it is written.
    """
    if text.pictures is not None:
        slots = replace(slots, other=min(slots.top, _OF_OTHER_KIND))
    assembly = _Assembly(firings, text, slots, folder)
    for block, tokens in firings.bounded_blocks():
        context.check_cancelled()
        context.progress(block.first, firings.features, "features", "Measuring the features")
        assembly.add(block, tokens)
    context.progress(firings.features, firings.features, "features", "Measuring the features")
    return assembly.result()
