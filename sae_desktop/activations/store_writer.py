"""Filling a store: windows are appended to a segment and committed. Free of torch."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import msgspec
import numpy as np
import numpy.typing as npt

from sae_desktop.activations.layout import (
    BLOCK_ROWS,
    KIND,
    SCHEMA_VERSION,
    Capacity,
    StoreInfo,
    accepted_datasets,
    counters,
    damaged_store,
    read_committed,
    row_datasets,
    schema_of,
    segment_specs,
    tables_of,
)
from sae_desktop.activations.picture_layout import PictureRows, picture_rows
from sae_desktop.activations.statistics import RowSums, SiteStatistics
from sae_desktop.storage.hdf5 import RowWriter, create_contiguous, open_checked
from sae_desktop.storage.mapped import MappedFile, extents, read_struct

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class EncodedRows:
    """Rows (R, D) of a site as they are stored, with what was measured on them."""

    values: Array
    """(R, D); bfloat16 as uint16."""
    scales: Array | None
    """(R,) of int8; stored value × scale is the row."""
    sums: RowSums


@dataclass(frozen=True)
class StoreBatch:
    """Rows of whole windows on their way into a store. R rows, W windows, N documents."""

    activations: dict[str, EncodedRows]
    """By site."""
    tokens: Array
    """(R,) ids."""
    positions: Array
    """(R,) place of the row's token in its window, the BOS being 0."""
    windows: Array
    """(W,) of WINDOW_DTYPE, `first_row` counted from the beginning of this batch."""
    documents: Array
    """(N,) of DOCUMENT_DTYPE: those that first appear in this batch, `metadata_first` counted
    from the beginning of its metadata."""
    spans: Array
    """Of SPAN_DTYPE, for packed windows; `first_row` counted from the beginning of this batch."""
    metadata: bytes = b""
    pictures: PictureRows | None = None
    """None: all rows are of text."""


class SegmentFullError(Exception):
    """A batch does not fit into a segment's tables; nothing of it was written."""


class SegmentWriter:
    """Appends windows to one segment and commits them.

    Rows are safe once `commit` returned; a crash before that loses only what came since.
    """

    def __init__(self, path: Path) -> None:
        """Open a segment where its last commit left it. Raises UserError if it is damaged."""
        with open_checked(path, KIND, SCHEMA_VERSION) as file:
            self._out = RowWriter(path, file)
            try:
                self._read(file)
            except (ValueError, KeyError, IndexError) as error:
                self._out.close()
                raise damaged_store(path, error) from error
        self.committed_rows = self.rows

    def _read(self, file: h5py.File) -> None:
        self.info = read_struct(file, "info", StoreInfo)
        table = accepted_datasets(self.info)
        found = MappedFile(self.path, extents(self.path, file, table)).arrays
        committed = read_committed(found)
        self._slot = slot = committed.slot
        self._number = committed.number
        self._counters = "state/counters" in found
        self.statistics = {
            site: SiteStatistics(width, np.array(found[f"state/statistics/{site}"][slot]))
            for site, width in zip(self.info.sites, self.info.widths, strict=True)
        }
        self.counts = committed.counts
        """Entries appended, of rows and of each table."""
        running = (int(n) for n in found["state/checksums"][slot])
        names = [*row_datasets(self.info), *tables_of(self.info)]
        self._checksums = dict(zip(names, running, strict=True))

    @classmethod
    def create(cls, path: Path, info: StoreInfo, room: Capacity) -> SegmentWriter:
        """Make a segment with its space reserved. Raises UserError where there is no room."""
        attributes = {"info": msgspec.json.encode(info).decode(), "block_rows": BLOCK_ROWS}
        create_contiguous(path, KIND, schema_of(info), segment_specs(info, room), attributes)
        return cls(path)

    @property
    def path(self) -> Path:
        return self._out.path

    @property
    def rows(self) -> int:
        """Appended so far."""
        return self.counts["rows"]

    @property
    def rows_left(self) -> int:
        return self._out.capacity("tokens") - self.rows

    def append(self, batch: StoreBatch) -> None:
        """Write a batch after the rows already there.

        Raises UserError when the disk is full, SegmentFullError when a table is.
        """
        windows, documents, spans = batch.windows.copy(), batch.documents.copy(), batch.spans.copy()
        windows["first_row"] += self.rows
        spans["first_row"] += self.rows
        documents["metadata_first"] += self.counts["metadata"]
        tables: dict[str, Array] = {
            "windows": windows,
            "documents": documents,
            "spans": spans,
            "metadata": np.frombuffer(batch.metadata, dtype=np.uint8),
        }
        rows = {"tokens": batch.tokens, "positions": batch.positions}
        if self.info.pictures:
            added_rows, added_tables = self._of_pictures(batch)
            rows, tables = rows | added_rows, tables | added_tables
        for name, values in tables.items():
            if self.counts[name] + len(values) > self._out.capacity(name):
                raise SegmentFullError(name)
        for site, encoded in batch.activations.items():
            self._write_rows(f"activations/{site}", encoded.values)
            if encoded.scales is not None:
                self._write_rows(f"scales/{site}", encoded.scales)
            self._write_rows(f"norms/{site}", encoded.sums.norms)
            self.statistics[site].add(encoded.sums)
        for name, values in rows.items():
            self._write_rows(name, values)
        self.counts["rows"] += len(batch.tokens)
        for name, values in tables.items():
            data = self._out.write(name, self.counts[name], values)
            self._checksums[name] = zlib.crc32(data, self._checksums[name])
            self.counts[name] += len(values)

    def _of_pictures(self, batch: StoreBatch) -> tuple[dict[str, Array], dict[str, Array]]:
        """Return what is kept of pictures, by row and by table, counted over the segment."""
        none = np.full(len(batch.tokens), -1)
        found = batch.pictures or picture_rows(none, none, ())
        pictures = found.pictures.copy()
        pictures["first_row"] += self.rows
        pictures["data_first"] += self.counts["picture_data"]
        shift = np.where(found.picture >= 0, self.counts["pictures"], 0)
        rows = {"picture": (found.picture + shift).astype("<i4"), "picture_token": found.token}
        data = np.frombuffer(found.data, dtype=np.uint8)
        return rows, {"pictures": pictures, "picture_data": data}

    def _write_rows(self, name: str, values: Array) -> None:
        """Write rows and carry their block's checksum on; a full block's is written too."""
        data = self._out.write(name, self.rows, values)
        row_bytes = len(data) // max(len(values), 1)
        row, left = self.rows, len(values)
        while left:
            taken = min(left, BLOCK_ROWS - row % BLOCK_ROWS)
            self._checksums[name] = zlib.crc32(data[: taken * row_bytes], self._checksums[name])
            data = data[taken * row_bytes :]
            row, left = row + taken, left - taken
            if row % BLOCK_ROWS == 0:
                block = np.array([self._checksums[name]], dtype="<u4")
                self._out.write(f"checksums/{name}", row // BLOCK_ROWS - 1, block)
                self._checksums[name] = 0

    def commit(self) -> None:
        """Sync the appended rows and their record, then write the counter and sync it.

        Each write is into what the last commit does not need: half of one changes nothing.
        """
        if self.rows == self.committed_rows:
            return
        slot = 1 - self._slot
        running = np.array([list(self._checksums.values())], dtype="<u4")
        self._out.write("state/checksums", slot, running)
        for site, statistics in self.statistics.items():
            self._out.write(f"state/statistics/{site}", slot, statistics.record[None])
        self._out.sync()
        self._number += 1
        if self._counters:
            self._out.write("state/counters", slot, counters(self._number, self.counts))
        counts = [self.counts[name] for name in ("rows", *tables_of(self.info))]
        self._out.write("committed", 0, np.array([*counts, slot], dtype="<i8"))
        self._out.sync()
        self._slot, self.committed_rows = slot, self.rows

    def close(self) -> None:
        self._out.close()


def segment_path(folder: Path, number: int) -> Path:
    """Return where a store's segment is."""
    return folder / f"{number:03}.h5"
