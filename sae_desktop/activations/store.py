"""The activation store: a folder of contiguous HDF5 segments, written in place and mapped.

A segment holds, by row, `/activations/<site>` (rows × width), `/norms/<site>` (‖x‖₂ of each
row), `/tokens` and `/positions`; by window `/windows`; by document `/documents`; and the
counter `/committed` (rows, windows, documents). Rows at or beyond the counter are not there.
"""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import msgspec
import numpy as np
import numpy.typing as npt

from sae_desktop.activations.config import HarvestResult
from sae_desktop.errors import UserError
from sae_desktop.storage.hdf5 import (
    DatasetSpec,
    RowWriter,
    create_contiguous,
    map_dataset,
    open_checked,
)

KIND = "activations"
SCHEMA_VERSION = 1

WINDOW_DTYPE = np.dtype(
    [
        ("first_row", "<i8"),
        ("length", "<i4"),  # rows of this window
        ("document", "<i8"),  # row of /documents
        ("offset", "<i8"),  # tokens of the document before this window
    ]
)
_TEXT = 160  # bytes kept of a document's source and title
DOCUMENT_DTYPE = np.dtype(
    [
        ("ordinal", "<i8"),  # place in the corpus
        ("source", f"S{_TEXT}"),
        ("language", "S16"),
        ("title", f"S{_TEXT}"),
    ]
)

Array = npt.NDArray[Any]


class StoreInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What a store's rows are; written as attributes of each segment."""

    model: str
    """Name or path by which the model is loaded again; empty for imported activations."""
    model_revision: str = ""
    """Hash of the model's configuration and weights index, to tell models apart."""
    tokenizer_hash: str = ""
    bos_policy: str = "auto"
    bos_prepended: bool = False
    context_size: int = 0
    corpus: str = ""
    seed: int = 0
    keep_first: bool = False
    sites: list[str]
    widths: list[int]
    dtype: str = "float16"
    config: str = "{}"
    """The job's config as JSON."""


@dataclass(frozen=True)
class StoreBatch:
    """Rows of whole windows on their way into a store. R rows, W windows, N documents."""

    activations: dict[str, Array]
    """Site → (R, width)."""
    tokens: Array
    """(R,) ids."""
    positions: Array
    """(R,) place of the row's token in its window, the BOS being 0."""
    windows: Array
    """(W,) of WINDOW_DTYPE, `first_row` counted from the beginning of this batch."""
    documents: Array
    """(N,) of DOCUMENT_DTYPE: documents that first appear in this batch."""


def encode_text(text: str, size: int = _TEXT) -> bytes:
    """Return at most `size` bytes of valid UTF-8, the end of a long text kept."""
    data = text.replace("\0", " ").encode("utf-8", "replace")
    if len(data) <= size:
        return data
    tail = data[-(size - 3) :].decode("utf-8", "ignore")
    return ("…" + tail).encode()[:size]


class StoreWriter:
    """Appends windows to one segment and commits them.

    Rows are safe once `commit` returned; a crash before that loses only what came since.
    """

    def __init__(self, path: Path) -> None:
        self._rows = RowWriter(path)
        with h5py.File(path, "r") as file:
            counts = file["committed"][:]
        self.rows, self.windows, self.documents = (int(n) for n in counts)
        self.committed_rows = self.rows

    @classmethod
    def create(
        cls, folder: Path, info: StoreInfo, *, rows: int, windows: int, documents: int
    ) -> StoreWriter:
        """Make a store's first segment with room for so many rows, windows and documents."""
        path = folder / "000.h5"
        specs = [DatasetSpec("committed", (3,), "<i8")]
        for site, width in zip(info.sites, info.widths, strict=True):
            specs.append(DatasetSpec(f"activations/{site}", (rows, width), info.dtype))
            specs.append(DatasetSpec(f"norms/{site}", (rows,), "<f4"))
        specs += [
            DatasetSpec("tokens", (rows,), "<i4"),
            DatasetSpec("positions", (rows,), "<i4"),
            DatasetSpec("windows", (windows,), WINDOW_DTYPE),
            DatasetSpec("documents", (documents,), DOCUMENT_DTYPE),
        ]
        create_contiguous(
            path, KIND, SCHEMA_VERSION, specs, {"info": msgspec.json.encode(info).decode()}
        )
        return cls(path)

    @property
    def capacity(self) -> int:
        return self._rows.capacity("tokens")

    def append(self, batch: StoreBatch) -> None:
        """Write a batch after the rows already there. Raises UserError when the disk is full."""
        windows = batch.windows.copy()
        windows["first_row"] += self.rows
        for site, values in batch.activations.items():
            self._rows.write(f"activations/{site}", self.rows, values)
            norms = np.linalg.norm(values.astype(np.float32), axis=1)
            self._rows.write(f"norms/{site}", self.rows, norms)
        self._rows.write("tokens", self.rows, batch.tokens)
        self._rows.write("positions", self.rows, batch.positions)
        self._rows.write("windows", self.windows, windows)
        self._rows.write("documents", self.documents, batch.documents)
        self.rows += len(batch.tokens)
        self.windows += len(windows)
        self.documents += len(batch.documents)

    def commit(self) -> None:
        """Sync the appended rows, then advance the counter and sync it."""
        if self.rows == self.committed_rows:
            return
        self._rows.sync()
        counts = np.array([self.rows, self.windows, self.documents], dtype="<i8")
        self._rows.write("committed", 0, counts)
        self._rows.sync()
        self.committed_rows = self.rows

    def close(self) -> None:
        self._rows.close()


class _Segment:
    """One file of a store, mapped."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with open_checked(path, KIND, SCHEMA_VERSION) as file:
            try:
                self.info = msgspec.json.decode(file.attrs["info"], type=StoreInfo)
                self._committed = map_dataset(path, file["committed"])
                self.tokens = map_dataset(path, file["tokens"])
                self.positions = map_dataset(path, file["positions"])
                self._windows = map_dataset(path, file["windows"])
                self._documents = map_dataset(path, file["documents"])
                self.activations = {
                    site: map_dataset(path, file[f"activations/{site}"]) for site in self.info.sites
                }
                self.norms = {
                    site: map_dataset(path, file[f"norms/{site}"]) for site in self.info.sites
                }
            except (KeyError, ValueError, msgspec.DecodeError) as error:
                raise UserError(
                    f"The store file “{path}” is damaged: {error}.",
                    next_step="Harvest again under another name.",
                ) from error

    @property
    def rows(self) -> int:
        return int(self._committed[0])

    @property
    def windows(self) -> Array:
        return np.asarray(self._windows[: int(self._committed[1])])

    @property
    def documents(self) -> Array:
        return np.asarray(self._documents[: int(self._committed[2])])


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
        paths = sorted(folder.glob("[0-9][0-9][0-9].h5"))
        if not paths:
            raise UserError(
                f"There is no activation store “{folder.name}”.",
                next_step="Harvest one, or import activations.",
            )
        return cls(folder, [_Segment(path) for path in paths])

    @property
    def rows(self) -> int:
        """Committed rows when the store was opened."""
        return int(self._starts[-1])

    @property
    def site(self) -> str:
        """The first site; stores hold one unless they were asked for more."""
        return self.info.sites[0]

    def width(self, site: str | None = None) -> int:
        """Number of dimensions of a row at `site`. Raises UserError for a site not stored."""
        return self.info.widths[self._site_index(site)]

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
        parts, documents = [], 0
        for segment, start in zip(self._segments, self._starts, strict=False):
            part = segment.windows.copy()
            part["first_row"] += start
            part["document"] += documents
            documents += len(segment.documents)
            parts.append(part)
        return np.concatenate(parts)

    @property
    def documents(self) -> Array:
        """(documents,) of DOCUMENT_DTYPE."""
        return np.concatenate([segment.documents for segment in self._segments])

    def read(self, start: int, stop: int, site: str | None = None) -> Array:
        """Return rows start…stop−1 as stored, shape (stop − start, width)."""
        name = self.info.sites[self._site_index(site)]
        parts = []
        for segment, first in zip(self._segments, self._starts, strict=False):
            low, high = max(start - first, 0), min(stop - first, segment.rows)
            if low < high:
                parts.append(segment.activations[name][low:high])
        if len(parts) == 1:
            return np.asarray(parts[0])
        return np.concatenate(parts) if parts else np.empty((0, self.width(name)))

    def gather(self, rows: Array, site: str | None = None) -> Array:
        """Return the given rows, in the given order, as stored: (len(rows), width)."""
        name = self.info.sites[self._site_index(site)]
        if len(self._segments) == 1:
            return np.asarray(self._segments[0].activations[name][rows])
        out = np.empty((len(rows), self.width(name)), dtype=self.info.dtype)
        owner = np.array([bisect.bisect_right(self._starts, int(row)) - 1 for row in rows])
        for number, segment in enumerate(self._segments):
            mask = owner == number
            out[mask] = segment.activations[name][rows[mask] - self._starts[number]]
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


def describe_store(folder: Path, *, rows_added: int, seconds: float) -> HarvestResult:
    """Return what a job that filled a store answers; `rows_added` in `seconds` give its rate."""
    store = ActivationStore.open(folder)
    return HarvestResult(
        name=folder.name,
        site=store.site,
        rows=store.rows,
        width=store.width(),
        windows=len(store.windows),
        documents=len(store.documents),
        bytes=store.size_bytes,
        seconds=seconds,
        tokens_per_second=rows_added / seconds if seconds else 0.0,
    )
