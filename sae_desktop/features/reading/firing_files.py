"""Firings on disk: `features/<name>.firings/000.h5` …, one group of rows a file. Free of torch.

A group is whole windows of one store. F features, R rows of the group, n firings, P passages,
D documents; rows and documents are counted from the group's first:

    by_feature/offsets (F+1,), rows, values, tokens (n,)   sorted by feature, then row
    by_row/offsets (R+1,), features, values (n,)     sorted by row, then feature
    tokens (R,), passages (P,), documents (D,)       its text, as `layout.py` has it
    windows (W,)                                     first rows of what the model read at once
    read_before (W,)                                 tokens it read before these rows, not kept
    picture, picture_token (R,), pictures, picture_data    of a store with pictures, as the index
                                                     has them, counted from the group's first

A group is written in one step and never changed, so whatever is there is whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from sae_desktop.errors import UserError
from sae_desktop.features.reading.firing_paths import firings_folder, unfinished_folder
from sae_desktop.features.reading.firings import FiringBlock, RowBlock
from sae_desktop.features.reading.layout import DOCUMENT_DTYPE, PASSAGE_DTYPE, TextSource
from sae_desktop.features.reading.picture_arrays import PICTURE_ARRAYS
from sae_desktop.storage.atomic import replacing
from sae_desktop.storage.extents import Extent
from sae_desktop.storage.hdf5 import new_file, open_checked, write_header
from sae_desktop.storage.mapped import FLOATS, WHOLE, Accepted, extents, read_struct
from sae_desktop.storage.moves import Move, doomed, move_together, remove

Array = npt.NDArray[Any]

KIND = "firings"
SCHEMA_VERSION = 1
ARRAYS = {
    "by_feature/offsets": Accepted(WHOLE, ("F+1",)),
    "by_feature/rows": Accepted(WHOLE, ("n",)),
    "by_feature/values": Accepted(FLOATS, ("n",)),
    "by_feature/tokens": Accepted(WHOLE, ("n",)),
    "by_row/offsets": Accepted(WHOLE, ("R+1",)),
    "by_row/features": Accepted(WHOLE, ("n",)),
    "by_row/values": Accepted(FLOATS, ("n",)),
    "tokens": Accepted(WHOLE, ("R",)),
    "passages": Accepted(PASSAGE_DTYPE, ("P",)),
    "documents": Accepted(DOCUMENT_DTYPE, ("D",)),
    "windows": Accepted(WHOLE, ("W",)),
    "read_before": Accepted(WHOLE, ("W",), needed=False),
    **PICTURE_ARRAYS,
}
"""What the reader takes."""
ENTRIES = 2**22
"""Firings in memory at once; a group ends with the block that reaches it."""


class GroupInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What a group is of; an attribute of its file."""

    dictionary_hash: str
    features: int
    text: TextSource
    massive_rows: int


class Entries(NamedTuple):
    """Firings of a group in any order, n of them."""

    rows: Array
    features: Array
    values: Array


def group_paths(folder: Path) -> list[Path]:
    """Return the groups of a folder in order."""
    return sorted(folder.glob("[0-9]*.h5"), key=lambda path: int(path.stem))


def group_path(folder: Path, number: int) -> Path:
    return folder / f"{number:03}.h5"


def write_group(path: Path, info: GroupInfo, entries: Entries, text: Mapping[str, Array]) -> None:
    """Write a group in one step. `entries` are sorted by row. Raises UserError on a full disk."""
    from scipy.sparse import csr_array  # not needed for reading

    features, values = entries.features.astype(np.int32), entries.values.astype(np.float32)
    offsets = _offsets(entries.rows, info.text.rows)
    shape = (info.text.rows, info.features)
    # Turning the matrix sorts by feature in one pass, rows in their order.
    turned = csr_array((values, features, offsets), shape=shape).tocsc()
    arrays = {
        "by_feature/offsets": turned.indptr.astype(np.int64),
        "by_feature/rows": turned.indices.astype(np.int32),
        "by_feature/values": turned.data,
        # Here too, or all tokens would be read anew for each block of features.
        "by_feature/tokens": text["tokens"][turned.indices].astype(np.int32),
        "by_row/offsets": offsets,
        "by_row/features": features,
        "by_row/values": values,
        **text,
    }
    with replacing(path) as part, new_file(part) as file:
        write_header(file, KIND, SCHEMA_VERSION, {"info": msgspec.json.encode(info).decode()})
        for name, data in arrays.items():
            file.create_dataset(name, data=data)


def _offsets(keys: Array, size: int) -> Array:
    return np.concatenate([[0], np.cumsum(np.bincount(keys, minlength=size))]).astype(np.int64)


class FiringGroup:
    """A group opened for reading; what is asked for is read, nothing stays mapped."""

    def __init__(self, path: Path) -> None:
        """Open a group. Raises UserError when it is missing or damaged."""
        self.path = path
        self._extents: dict[str, Extent]
        with open_checked(path, KIND, SCHEMA_VERSION) as file:
            try:
                self.info = read_struct(file, "info", GroupInfo)
                sizes = {"F": self.info.features, "R": self.info.text.rows}
                self._extents = extents(path, file, ARRAYS, sizes)
            except ValueError as error:
                raise damaged_firings(path, error) from error

    def length(self, name: str) -> int:
        return self._extents[name].size

    def has(self, name: str) -> bool:
        """Whether the group holds an array; earlier ones lack some."""
        return name in self._extents

    def read(self, name: str, start: int = 0, stop: int | None = None) -> Array:
        """Return the elements start…stop−1 of an array of the group."""
        extent = self._extents[name]
        dtype = extent.dtype
        count = (extent.size if stop is None else stop) - start
        if count <= 0:
            return np.empty(0, dtype)
        if start < 0 or start + count > extent.size:
            raise damaged_firings(self.path, f"what refers to {name} points outside it")
        found = np.fromfile(self.path, dtype, count, offset=extent.offset + start * dtype.itemsize)
        if len(found) != count:
            raise damaged_firings(self.path, f"{name} is cut short")
        return found


def damaged_firings(path: Path, error: object) -> UserError:
    return UserError(
        f"The firings “{path.parent.name}/{path.name}” are damaged: {error}.",
        kept="The index itself is unchanged.",
        next_step="Build the index again.",
    )


class StoredFirings:
    """The firings of several groups, one after another: `Firings`."""

    def __init__(self, groups: Sequence[FiringGroup]) -> None:
        """Take at least one group. Raises UserError unless they are of one dictionary."""
        first = groups[0].info
        for group in groups:
            info = group.info
            if (info.features, info.dictionary_hash) != (first.features, first.dictionary_hash):
                raise UserError(
                    f"The firings “{group.path.parent.name}” belong to another dictionary.",
                    next_step="Build the index again.",
                )
        self.groups = list(groups)
        self.starts = np.cumsum([0, *(group.info.text.rows for group in groups)])
        """The first row of every group, and R."""

    @classmethod
    def open(cls, paths: Sequence[Path]) -> StoredFirings:
        """Open groups. Raises UserError when one is damaged."""
        return cls([FiringGroup(path) for path in paths])

    @property
    def features(self) -> int:
        """F."""
        return self.groups[0].info.features

    @property
    def rows(self) -> int:
        """R."""
        return int(self.starts[-1])

    @property
    def massive_rows(self) -> int:
        return sum(group.info.massive_rows for group in self.groups)

    @property
    def dictionary_hash(self) -> str:
        return self.groups[0].info.dictionary_hash

    @property
    def texts(self) -> list[TextSource]:
        """What was read, in order; neighbours in one store joined."""
        return joined_texts([group.info.text for group in self.groups])

    @cached_property
    def on_picture(self) -> Array | None:
        """(R,) whether each row is a token of a picture; None where all are of text."""
        if not any(group.has("picture") for group in self.groups):
            return None
        return np.concatenate(
            [
                group.read("picture") >= 0
                if group.has("picture")
                else np.zeros(group.info.text.rows, np.bool_)
                for group in self.groups
            ]
        )

    def counts(self) -> Array:
        """Return (F,) firings."""
        total = np.zeros(self.features, np.int64)
        for group in self.groups:
            total += np.diff(group.read("by_feature/offsets"))
        return total

    def by_feature(self, step: int) -> Iterator[FiringBlock]:
        """Yield all features in order, `step` at a time."""
        for first in range(0, self.features, step):
            yield self.block(first, min(first + step, self.features))[0]

    def bounded_blocks(self) -> Iterator[tuple[FiringBlock, Array]]:
        """Yield all features in order, so many as have `ENTRIES` firings, or one.

        Beside them the token (m,) int32 of every firing.
        """
        ends = np.cumsum(self.counts())
        first = 0
        while first < self.features:
            before = int(ends[first - 1]) if first else 0
            last = int(np.searchsorted(ends, before + ENTRIES, side="right"))
            last = min(max(last, first + 1), first + ENTRIES, self.features)
            yield self.block(first, last)
            first = last

    def block(self, first: int, last: int) -> tuple[FiringBlock, Array]:
        """Return the firings of the features first…last−1, and their tokens."""
        spans = [group.read("by_feature/offsets", first, last + 1) for group in self.groups]
        lengths = [np.diff(span) for span in spans]
        offsets = np.concatenate([[0], np.cumsum(np.sum(lengths, axis=0))]).astype(np.int64)
        rows = np.empty(int(offsets[-1]), np.int64)
        values = np.empty(len(rows), np.float32)
        tokens = np.empty(len(rows), np.int32)
        free = offsets[:-1].copy()
        for group, span, length, start in zip(
            self.groups, spans, lengths, self.starts, strict=False
        ):
            if span[-1] == span[0]:
                continue
            place = np.arange(span[-1] - span[0]) + np.repeat(free - (span[:-1] - span[0]), length)
            low, high = int(span[0]), int(span[-1])
            rows[place] = group.read("by_feature/rows", low, high) + start
            values[place] = group.read("by_feature/values", low, high)
            tokens[place] = group.read("by_feature/tokens", low, high)
            free += length
        return FiringBlock(first, offsets, rows, values), tokens

    def by_row(self, step: int) -> Iterator[RowBlock]:
        """Yield all rows in order, `step` at a time."""
        for first in range(0, self.rows, step):
            last = min(first + step, self.rows)
            counts, features, values = [], [], []
            for group, start in zip(self.groups, self.starts, strict=False):
                low = max(first - int(start), 0)
                high = min(last - int(start), group.info.text.rows)
                if low >= high:
                    continue
                span = group.read("by_row/offsets", low, high + 1)
                counts.append(np.diff(span))
                features.append(group.read("by_row/features", int(span[0]), int(span[-1])))
                values.append(group.read("by_row/values", int(span[0]), int(span[-1])))
            offsets = np.concatenate([[0], np.cumsum(np.concatenate(counts))])
            yield RowBlock(first, offsets, np.concatenate(features), np.concatenate(values))


def joined_texts(texts: Sequence[TextSource]) -> list[TextSource]:
    """Return texts in their order, those that follow on one another in a store as one."""
    joined: list[TextSource] = []
    for text in texts:
        last = joined[-1] if joined else None
        if (
            last is not None
            and _told(last) == _told(text)
            and last.first_row + last.rows == text.first_row
        ):
            joined[-1] = msgspec.structs.replace(last, rows=last.rows + text.rows)
        else:
            joined.append(text)
    return joined


def _told(text: TextSource) -> tuple[object, ...]:
    return text.activations, text.other_activations, text.corpus


def kept_firings(index: Path, texts: Sequence[TextSource], digest: str) -> list[Path]:
    """Return the groups of an index; none when they are not there, or not of its text.

    A job of an earlier version, killed after an index was written, has not moved its groups yet.
    """
    folder, unfinished = firings_folder(index), unfinished_folder(index)
    moved, waiting = group_paths(folder), group_paths(unfinished)
    for paths in (moved, waiting, [*moved, *waiting]):
        if not paths:
            continue
        infos = [FiringGroup(path).info for path in paths]
        same = {info.dictionary_hash for info in infos} == {digest}
        if same and joined_texts([info.text for info in infos]) == list(texts):
            return paths
    return []


def settle_firings(root: Path, index: Path, texts: Sequence[TextSource], digest: str) -> None:
    """Move what an earlier version, killed, has not moved. Raises UserError."""
    folder, unfinished = firings_folder(index), unfinished_folder(index)
    kept = kept_firings(index, texts, digest)
    waiting = [path for path in kept if path.parent == unfinished]
    if not waiting:
        return
    first = len(kept) - len(waiting)
    move_together(
        root,
        away=[] if first else [(folder, doomed(root))],
        into=[(path, group_path(folder, first + n)) for n, path in enumerate(waiting)],
    )
    remove(root, unfinished)


def publish(
    root: Path, index: Path, written: Path, beside: Sequence[Move] = (), *, keep: bool, add: bool
) -> None:
    """Put an index, what is written to go `beside` it and what was read for it into their places.

    All in one step; what stood beside it before and was not written again goes. Its firings are put
    behind those there (`add`) or instead of them, or are not kept. Raises UserError when the system
    refuses.
    """
    folder, unfinished = firings_folder(index), unfinished_folder(index)
    away = [(place, doomed(root)) for source, place in beside if not source.exists()]
    into = [(written, index), *beside]
    if not (keep and add):
        away.append((folder, doomed(root)))
    if keep:
        first = len(group_paths(folder)) if add else 0
        into += [
            (path, group_path(folder, first + number))
            for number, path in enumerate(group_paths(unfinished))
        ]
    else:
        away.append((unfinished, doomed(root)))
    move_together(root, away=away, into=into)
    remove(root, unfinished)
