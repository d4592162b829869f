"""Reading a store: a folder of contiguous HDF5 segments, mapped. Free of torch.

See `layout` for what a segment holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import h5py
import msgspec
import numpy as np
import numpy.typing as npt
from numpy.lib import recfunctions

from sae_desktop.activations.config import HarvestResult
from sae_desktop.activations.layout import (
    DOCUMENT_DTYPE,
    KIND,
    SCHEMA_VERSION,
    SPAN_DTYPE,
    Committed,
    StoreInfo,
    accepted_datasets,
    damaged_store,
    decode_rows,
    read_committed,
    read_dtype,
    window_dtype,
)
from sae_desktop.activations.statistics import SiteStatistics
from sae_desktop.activations.store_pictures import StorePictures
from sae_desktop.errors import UserError
from sae_desktop.language_model.names import ModelMark
from sae_desktop.storage.hdf5 import open_checked
from sae_desktop.storage.mapped import MappedFile, extents, read_struct

Array = npt.NDArray[Any]

_UNKNOWN = {"first_token": -1, "metadata_first": 0, "metadata_bytes": 0}
"""What a table of the first schema lacks."""


class _Segment:
    """One file of a store, mapped."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with open_checked(path, KIND, SCHEMA_VERSION) as file:
            try:
                self._map(file)
            except (KeyError, ValueError, OSError) as error:
                raise damaged_store(path, error) from error

    def _map(self, file: h5py.File) -> None:
        self.info = read_struct(file, "info", StoreInfo)
        self._file = MappedFile(self.path, extents(self.path, file, accepted_datasets(self.info)))
        self._arrays = arrays = self._file.arrays
        self._tables = {name: found for name, found in arrays.items() if "/" not in name}
        self.tokens, self.positions = arrays["tokens"], arrays["positions"]
        self.capacity = len(self.tokens)
        sites = self.info.sites
        self._values = {site: arrays[f"activations/{site}"] for site in sites}
        self._scales = {site: arrays[f"scales/{site}"] for site in sites if self._is_int8}
        self.norms = {site: arrays[f"norms/{site}"] for site in sites}
        self._statistics = {
            site: arrays[f"state/statistics/{site}"]
            for site in sites
            if f"state/statistics/{site}" in arrays
        }
        self._check_committed()

    @property
    def _is_int8(self) -> bool:
        return self.info.dtype == "int8"

    def _check_committed(self) -> None:
        """Raise ValueError unless what the counter counts is there."""
        for name, count in read_committed(self._arrays).counts.items():
            room = self.capacity if name == "rows" else len(self._tables.get(name, ()))
            if not 0 <= count <= room:
                raise ValueError(f"it counts {count:,} {name}, but has room for {room:,}")

    def committed(self) -> Committed:
        """Return what is committed now. Raises UserError where that is damaged."""
        self._file.check_whole()
        try:
            return read_committed(self._arrays)
        except ValueError as error:
            raise damaged_store(self.path, error) from error

    @property
    def rows(self) -> int:
        return self.committed().counts["rows"]

    @property
    def windows(self) -> Array:
        return self._table("windows", window_dtype(self.info.overlap))

    @property
    def documents(self) -> Array:
        return self._table("documents", DOCUMENT_DTYPE)

    @property
    def spans(self) -> Array:
        return self._table("spans", SPAN_DTYPE)

    def _table(self, name: str, dtype: np.dtype[Any]) -> Array:
        count = self.committed().counts[name]
        found: Array = np.empty(0)
        if name in self._tables:
            found = np.asarray(self._tables[name][:count])
        if found.dtype == dtype:
            return found
        # Written by the first schema, which had fewer fields.
        whole = np.zeros(len(found), dtype=dtype)
        for field in dtype.names or ():
            whole[field] = found[field] if field in (found.dtype.names or ()) else _UNKNOWN[field]
        return whole

    def metadata(self, document: int) -> dict[str, Any]:
        """Return what is kept of a document beside its source, language and title."""
        entry = self.documents[document]
        first, size = int(entry["metadata_first"]), int(entry["metadata_bytes"])
        if not size:
            return {}
        data = self._tables["metadata"][first : first + size].tobytes()
        try:
            return dict(msgspec.json.decode(data, type=dict[str, Any]))
        except (msgspec.DecodeError, RecursionError):
            return {}  # of a damaged document there is nothing to show beside its text

    def counts(self) -> dict[str, int]:
        """Return how many rows, and entries of each table, are committed now."""
        return self.committed().counts

    def part(self, name: str, first: int, last: int) -> Array:
        """Return the entries first…last−1 of a dataset by row or of a table."""
        self._file.check_whole()
        return np.asarray(self._tables[name][first:last])

    def rows_of(self, site: str, rows: slice | Array) -> Array:
        """Return rows as numbers: as stored, or float32 of bfloat16 and int8."""
        self._file.check_whole()
        scales = self._scales[site][rows] if site in self._scales else None
        return decode_rows(self._values[site][rows], scales)

    def statistics(self, site: str) -> SiteStatistics | None:
        if site not in self._statistics:
            return None
        width = self.info.widths[self.info.sites.index(site)]
        return SiteStatistics(width, self._statistics[site][self.committed().slot])


class ActivationStore:
    """A store opened for reading. Free of torch; safe while a harvest is appending to it."""

    def __init__(self, folder: Path, segments: Sequence[_Segment]) -> None:
        self.folder = folder
        self.info = segments[0].info
        self._segments = list(segments)
        counts = [segment.rows for segment in segments]
        self._starts = [0, *np.cumsum(counts).tolist()]

    @classmethod
    def open(cls, folder: Path) -> ActivationStore:
        """Open a store's folder. Raises UserError when it is missing or damaged."""
        paths = segment_paths(folder)
        if not paths:
            raise UserError(
                f"There is no activation store “{folder.name}”.",
                next_step="Harvest one, or import activations.",
            )
        return cls.open_segments(paths)

    @classmethod
    def open_segments(cls, paths: Sequence[Path]) -> ActivationStore:
        """Open some of a store's files as if they were all. Raises UserError if damaged."""
        return cls(paths[0].parent, [_Segment(path) for path in paths])

    @property
    def mark(self) -> ModelMark:
        """The model that made it."""
        info = self.info
        return ModelMark(info.model, info.model_revision, info.tokenizer_hash)

    @property
    def rows(self) -> int:
        """Committed rows when the store was opened."""
        return int(self._starts[-1])

    @cached_property
    def pictures(self) -> StorePictures:
        """The pictures of its rows; none where all are of text."""
        return StorePictures(self._segments, self._starts)

    @property
    def site(self) -> str:
        """The first site; stores hold one unless they were asked for more."""
        return self.info.sites[0]

    def width(self, site: str | None = None) -> int:
        """Number of dimensions of a row at `site`. Raises UserError for a site not stored."""
        return self.info.widths[self._site_index(site)]

    @property
    def rows_wanted(self) -> int:
        """Rows it was made for: the harvest's, or those of an imported matrix."""
        last = self._segments[-1]
        asked = msgspec.json.decode(last.info.config, type=_Asked).tokens
        return asked or int(self._starts[-2]) + last.capacity

    @property
    def segments(self) -> int:
        """Number of its files."""
        return len(self._segments)

    @property
    def last_info(self) -> StoreInfo:
        """What its newest segment says of itself; the sites and settings are those of all."""
        return self._segments[-1].info

    @property
    def size_bytes(self) -> int:
        return sum(segment.path.stat().st_size for segment in self._segments)

    @property
    def tokens(self) -> Array:
        """(rows,) token ids."""
        return self._concatenate([s.tokens[: s.rows] for s in self._segments])

    @property
    def positions(self) -> Array:
        """(rows,) place of each token in its window."""
        return self._concatenate([s.positions[: s.rows] for s in self._segments])

    def norms(self, site: str | None = None) -> Array:
        """(rows,) ‖x‖₂ of each row, float32."""
        name = self.info.sites[self._site_index(site)]
        return self._concatenate([s.norms[name][: s.rows] for s in self._segments])

    @property
    def windows(self) -> Array:
        """(windows,) of WINDOW_DTYPE, rows and documents counted over the whole store."""
        return self._counted_over([segment.windows for segment in self._segments])

    @property
    def spans(self) -> Array:
        """(spans,) of SPAN_DTYPE: of which document the rows are; no row of a BOS is in one.

        Of windows of one document each they are those windows.
        """
        if self.info.packing == "packed":
            return self._counted_over([segment.spans for segment in self._segments])
        windows = self.windows
        return np.asarray(recfunctions.repack_fields(windows[list(SPAN_DTYPE.names or ())]))

    def _counted_over(self, parts: list[Array]) -> Array:
        """Join the segments' tables, rows and documents counted over the whole store."""
        joined, documents = [], 0
        for part, segment, start in zip(parts, self._segments, self._starts, strict=False):
            whole = part.copy()
            whole["first_row"] += start
            whole["document"] += documents
            documents += segment.committed().counts["documents"]
            joined.append(whole)
        return np.concatenate(joined)

    def window_ids(self, window: Any) -> list[int]:
        """Return the tokens the model read as a window, an entry of `windows`, special ones too.

        Of a store of the first schema the token whose row was left out is not known.
        """
        first = int(window["first_row"])
        last, left_out = first + int(window["length"]), int(window["first_token"])
        ids = [left_out] if left_out >= 0 else []
        if self.info.overlap and (repeated := repeated_tokens(window)):
            ids = [*self.info.prefix, *repeated]
        for segment, start in zip(self._segments, self._starts, strict=False):
            low, high = max(first - start, 0), min(last - start, segment.rows)
            if low < high:
                ids += segment.tokens[low:high].tolist()
        return [*ids, *self.info.suffix]

    def metadata(self, document: int) -> dict[str, Any]:
        """Return the other columns of a document, by its row of `documents`; roles of a chat
        under “roles”, each [role, first token, tokens]."""
        for segment in self._segments:
            count = segment.committed().counts["documents"]
            if document < count:
                return segment.metadata(document)
            document -= count
        raise IndexError(document)

    def statistics(self, site: str | None = None) -> SiteStatistics | None:
        """Return a site's figures over all rows; None for a store of the first schema."""
        name = self.info.sites[self._site_index(site)]
        found = [segment.statistics(name) for segment in self._segments]
        total = SiteStatistics(self.width(name))
        for part in found:
            if part is None:
                return None
            total.merge(part)
        return total

    @property
    def documents(self) -> Array:
        """(documents,) of DOCUMENT_DTYPE."""
        return np.concatenate([segment.documents for segment in self._segments])

    def read(self, start: int, stop: int, site: str | None = None) -> Array:
        """Return rows start…stop−1, shape (stop − start, width).

        float16 and float32 come as stored, bfloat16 and int8 as float32.
        """
        name = self.info.sites[self._site_index(site)]
        parts = []
        for segment, first in zip(self._segments, self._starts, strict=False):
            low, high = max(start - first, 0), min(stop - first, segment.rows)
            if low < high:
                parts.append(segment.rows_of(name, slice(low, high)))
        if len(parts) == 1:
            return np.asarray(parts[0])
        empty = np.empty((0, self.width(name)), dtype=read_dtype(self.info.dtype))
        return np.concatenate(parts) if parts else empty

    def gather(self, rows: Array, site: str | None = None) -> Array:
        """Return the given rows, in the given order: (len(rows), width), as `read` does."""
        name = self.info.sites[self._site_index(site)]
        if len(self._segments) == 1:
            return self._segments[0].rows_of(name, rows)
        out = np.empty((len(rows), self.width(name)), dtype=read_dtype(self.info.dtype))
        owner = np.searchsorted(np.array(self._starts), rows, side="right") - 1
        for number, segment in enumerate(self._segments):
            mask = owner == number
            if mask.any():
                out[mask] = segment.rows_of(name, rows[mask] - self._starts[number])
        return out

    def _site_index(self, site: str | None) -> int:
        if site is None:
            return 0
        if site not in self.info.sites:
            raise UserError(
                f"The store “{self.folder.name}” has no site “{site}”.",
                next_step=f"It holds: {', '.join(self.info.sites)}.",
            )
        return self.info.sites.index(site)

    def _concatenate(self, parts: list[Array]) -> Array:
        return np.asarray(parts[0]) if len(parts) == 1 else np.concatenate(parts)


def repeated_tokens(window: Any) -> list[int]:
    """Return the tokens that a window, an entry of `windows`, has from the one before it."""
    if "repeated" not in window.dtype.names:
        return []
    return [int(token) for token in window["repeated"] if token >= 0]


class _Asked(msgspec.Struct, frozen=True):
    """Of the config that made a segment, how many rows it asked for."""

    tokens: int = 0


def segment_paths(folder: Path) -> list[Path]:
    """Return the files of a store in order."""
    return sorted(folder.glob("[0-9][0-9][0-9].h5"))


def store_result(store: ActivationStore, *, rows_added: int, seconds: float) -> HarvestResult:
    """Return what a job that filled a store answers; `rows_added` in `seconds` give its rate."""
    return HarvestResult(
        name=store.folder.name,
        site=store.site,
        rows=store.rows,
        width=store.width(),
        windows=len(store.windows),
        documents=len(store.documents),
        bytes=store.size_bytes,
        seconds=seconds,
        tokens_per_second=rows_added / seconds if seconds else 0.0,
    )
