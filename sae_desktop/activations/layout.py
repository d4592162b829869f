"""What a store's segment holds, to the byte. Free of torch.

By row: `/activations/<site>` (rows × width), for int8 also `/scales/<site>`, `/norms/<site>`
(‖x‖₂), `/tokens` and `/positions`. By window `/windows`, by document `/documents` and the bytes
of `/metadata` (JSON objects); of packed windows also `/spans`, which document each row is of.
What there is of pictures, in stores that have some, is told in `picture_layout`.
`/checksums/<dataset>` is the CRC-32 of each block of BLOCK_ROWS rows.

What changes with every commit is in `/state`, two records that are written in turn. The last
part of one is its row of `/state/counters`: how much of each table counts, the number of the
commit, and a checksum. The record with the higher number is right; where a power failure left
half of its counters, it is the other one. Rows at or beyond the counter are not there.
`/committed` says the same for other programs, and is all that stores of schema 3 and before have.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from sae_desktop.activations.config import StoreDtype
from sae_desktop.activations.picture_layout import PICTURE_DTYPE, PICTURE_TABLES, ROW_DATASETS
from sae_desktop.activations.statistics import record_length
from sae_desktop.corpus.config import Order
from sae_desktop.errors import UserError
from sae_desktop.language_model.config import ModelDtype
from sae_desktop.storage.hdf5 import BFLOAT16, DatasetSpec, spec_bytes
from sae_desktop.storage.mapped import WHOLE, Accepted

Array = npt.NDArray[Any]

KIND = "activations"
SCHEMA_VERSION = 5
"""2: windows as they follow each other in the corpus. 3: shuffled ones, and such as repeat
tokens. 4: counters with a checksum. 5: pictures; a store without them is still of 4."""
_WITHOUT_PICTURES = 4
BLOCK_ROWS = 4096

WINDOW_DTYPE = np.dtype(
    [
        ("first_row", "<i8"),
        ("length", "<i4"),  # rows of this window
        ("document", "<i8"),  # row of /documents; of packed windows that of the first row
        ("offset", "<i8"),  # tokens of the document before this window
        ("first_token", "<i4"),  # id of the first token if its row was left out, else −1
    ]
)


def window_dtype(overlap: int) -> np.dtype[Any]:
    """Return what is kept of a window that repeats up to `overlap` tokens of the one before."""
    if not overlap:
        return WINDOW_DTYPE
    # The repeated tokens, the last one last, −1 where there are fewer; their rows are not kept.
    return np.dtype([*WINDOW_DTYPE.descr, ("repeated", "<i4", (overlap,))])


SPAN_DTYPE = np.dtype(
    [
        ("first_row", "<i8"),
        ("length", "<i4"),
        ("document", "<i8"),
        ("offset", "<i8"),  # tokens of the document before this span
    ]
)
TEXT_BYTES = 160
"""Kept of a document's source and title."""
DOCUMENT_DTYPE = np.dtype(
    [
        ("ordinal", "<i8"),  # place in the corpus
        ("source", f"S{TEXT_BYTES}"),
        ("language", "S16"),
        ("title", f"S{TEXT_BYTES}"),
        ("metadata_first", "<i8"),  # in /metadata
        ("metadata_bytes", "<i4"),
    ]
)
METADATA_BYTES = 16_384
"""Kept of one document's metadata at most."""

_TABLES = ("windows", "documents", "spans", "metadata")
_FIRST_COMMITTED = ("rows", *_TABLES, "slot")
"""What the numbers of `/committed` are, in order, in a store without `/state/counters`."""
_COUNTERS_ROOM = 1024
"""Numbers in a row: so far apart that no sector of a disk, of 512 or 4,096 bytes, holds parts of
both rows."""


class StoreInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What a store's rows are; written as attributes of each segment."""

    model: str
    """Name or path by which the model is loaded again; empty for imported activations."""
    model_revision: str = ""
    """The model's identity, to tell models apart; of earlier versions 16 digits."""
    model_origin: str = ""
    """In words, where its weights come from and what they went through."""
    model_dtype: ModelDtype = "auto"
    """Precision the model computed in, as asked for."""
    tokenizer_hash: str = ""
    bos_policy: str = "auto"
    bos_prepended: bool = False
    """Whether special tokens begin each window: `prefix`."""
    prefix: list[int] = []
    suffix: list[int] = []
    """Special tokens that end each window; their rows are not stored."""
    policy: str = ""
    """BOS and special tokens in words."""
    packing: str = "document"
    context_size: int = 0
    corpus: str = ""
    seed: int = 0
    order: Order = "files"
    """Of documents and windows; stores from before there was a choice have file after file."""
    overlap: int = 0
    """Tokens that windows repeat."""
    keep_first: bool = False
    pictures: bool = False
    """Whether some rows may be of pictures."""
    reader_digest: str = ""
    """Tells apart how pictures are prepared for the model."""
    sites: list[str]
    widths: list[int]
    dtype: StoreDtype = "float16"
    batch_tokens: int = 0
    """Tokens of a forward pass: with others, the last bits of a row may differ."""
    config: str = "{}"
    """The job's config as JSON."""


@dataclass(frozen=True)
class Capacity:
    """Room of a segment: entries of each table, bytes of metadata."""

    rows: int
    windows: int
    documents: int
    spans: int = 0
    metadata: int = 0
    pictures: int = 0
    picture_data: int = 0


def schema_of(info: StoreInfo) -> int:
    """Return which schema a segment has."""
    return SCHEMA_VERSION if info.pictures else _WITHOUT_PICTURES


def tables_of(info: StoreInfo) -> tuple[str, ...]:
    """Return the tables of a segment beside its rows, in the order of their counters."""
    return _tables(pictures=info.pictures)


def _tables(*, pictures: bool) -> tuple[str, ...]:
    return (*_TABLES, *PICTURE_TABLES) if pictures else _TABLES


def segment_specs(info: StoreInfo, room: Capacity) -> list[DatasetSpec]:
    """Return the datasets of a segment."""
    blocks = -(-room.rows // BLOCK_ROWS)
    by_row: list[DatasetSpec] = []
    state: list[DatasetSpec] = []
    for site, width in zip(info.sites, info.widths, strict=True):
        dtype = BFLOAT16 if info.dtype == "bfloat16" else info.dtype
        by_row.append(DatasetSpec(f"activations/{site}", (room.rows, width), dtype))
        if info.dtype == "int8":
            by_row.append(DatasetSpec(f"scales/{site}", (room.rows,), "<f4"))
        by_row.append(DatasetSpec(f"norms/{site}", (room.rows,), "<f4"))
        state.append(DatasetSpec(f"state/statistics/{site}", (2, record_length(width)), "<f8"))
    by_row.append(DatasetSpec("tokens", (room.rows,), "<i4"))
    by_row.append(DatasetSpec("positions", (room.rows,), "<i4"))
    pictures: list[DatasetSpec] = []
    if info.pictures:
        by_row += [DatasetSpec(name, (room.rows,), "<i4") for name in ROW_DATASETS]
        pictures.append(DatasetSpec("pictures", (room.pictures,), PICTURE_DTYPE))
        pictures.append(DatasetSpec("picture_data", (room.picture_data,), "u1"))
    checksums = [DatasetSpec(f"checksums/{spec.name}", (blocks,), "<u4") for spec in by_row]
    running = len(by_row) + len(tables_of(info))
    return [
        DatasetSpec("committed", (2 + len(tables_of(info)),), "<i8"),
        *by_row,
        *pictures,
        DatasetSpec("windows", (room.windows,), window_dtype(info.overlap)),
        DatasetSpec("documents", (room.documents,), DOCUMENT_DTYPE),
        DatasetSpec("spans", (room.spans,), SPAN_DTYPE),
        DatasetSpec("metadata", (room.metadata,), "u1"),
        *checksums,
        DatasetSpec("state/counters", (2, _COUNTERS_ROOM), "<i8"),
        DatasetSpec("state/checksums", (2, running), "<u4"),
        *state,
    ]


def segment_bytes(info: StoreInfo, room: Capacity) -> int:
    """Return the size of a segment's file, its structure of a few kB aside."""
    return sum(spec_bytes(spec) for spec in segment_specs(info, room))


def counters(number: int, counts: Mapping[str, int]) -> Array:
    """Return the row of `/state/counters` of commit `number`."""
    names = ("rows", *_tables(pictures="pictures" in counts))
    numbers = np.array([number, *(counts[name] for name in names)], dtype="<i8")
    row = np.zeros((1, _COUNTERS_ROOM), dtype="<i8")
    row[0, : len(numbers) + 1] = [*numbers, zlib.crc32(numbers.tobytes())]
    return row


@dataclass(frozen=True)
class Committed:
    """What the last commit of a segment that is whole has left."""

    counts: dict[str, int]
    """Entries of the rows and of each table."""
    slot: int
    """Which of the two records of `/state` belongs to it."""
    number: int
    """How many commits there were; of stores without it 0."""


def read_committed(arrays: Mapping[str, Array]) -> Committed:
    """Return what counts of a segment now. Raises ValueError where both records are damaged.

    The first schema had fewer numbers: what it does not count is 0.
    """
    if "state/counters" not in arrays:
        counts = [int(n) for n in np.array(arrays["committed"])][: len(_FIRST_COMMITTED)]
        named = dict(zip(_FIRST_COMMITTED, counts, strict=False))
        found = dict.fromkeys(_FIRST_COMMITTED, 0) | named
        slot = found.pop("slot")
        if slot not in (0, 1):
            raise ValueError(f"it names the record {slot:,} of two")
        return Committed(found, slot, 0)
    names = ("rows", *_tables(pictures="pictures" in arrays))
    records = np.array(arrays["state/counters"][:, : len(names) + 2])
    whole = [Committed(_counts(names, row), slot, int(row[0]))
             for slot, row in enumerate(records) if _is_whole(row)]  # fmt: skip
    if not whole:
        raise ValueError("neither record of what was committed is whole")
    return max(whole, key=lambda record: record.number)


def _counts(names: Sequence[str], row: Array) -> dict[str, int]:
    return dict(zip(names, (int(n) for n in row[1:-1]), strict=True))


def _is_whole(row: Array) -> bool:
    """Whether a row of counters is as it was written; one that never was is zeros."""
    return not row.any() or int(row[-1]) == zlib.crc32(row[:-1].astype("<i8").tobytes())


def row_datasets(info: StoreInfo) -> list[str]:
    """Return the names of the datasets by row, in the order of their running checksums."""
    names = []
    for site in info.sites:
        names.append(f"activations/{site}")
        if info.dtype == "int8":
            names.append(f"scales/{site}")
        names.append(f"norms/{site}")
    return [*names, "tokens", "positions", *(ROW_DATASETS if info.pictures else ())]


_MOST_OVERLAP = 2**20
_STORED = {"float16": "<f2", "bfloat16": "<u2", "float32": "<f4", "int8": "i1"}
_SINCE_SECOND = ("metadata_first", "metadata_bytes")


def accepted_datasets(info: StoreInfo) -> dict[str, Accepted]:
    """Return what a reader takes of a segment. Raises ValueError for an info that cannot be.

    What the first schema lacks is not needed.
    """
    if not info.sites or len(info.sites) != len(info.widths) or min(info.widths) < 1:
        raise ValueError("it names no site, or no width")
    if not 0 <= info.overlap <= _MOST_OVERLAP:
        raise ValueError(f"its windows repeat {info.overlap:,} tokens")
    numbers, sums = np.dtype("<f4"), np.dtype("<u4")
    table = {
        "committed": Accepted(WHOLE, ("counters",)),
        "tokens": Accepted(WHOLE, ("R",)),
        "positions": Accepted(WHOLE, ("R",)),
        "windows": Accepted(window_dtype(info.overlap), ("W",), lacking=("first_token",)),
        "documents": Accepted(DOCUMENT_DTYPE, ("D",), lacking=_SINCE_SECOND),
        "spans": Accepted(SPAN_DTYPE, ("S",), needed=info.packing == "packed"),
        "metadata": Accepted(np.dtype("u1"), ("bytes",), needed=False),
        "state/counters": Accepted(np.dtype("<i8"), (2, _COUNTERS_ROOM), needed=False),
        "state/checksums": Accepted(sums, (2, "running"), needed=False),
    }
    for site, width in zip(info.sites, info.widths, strict=True):
        table[f"activations/{site}"] = Accepted(np.dtype(_STORED[info.dtype]), ("R", width))
        table[f"scales/{site}"] = Accepted(numbers, ("R",), needed=info.dtype == "int8")
        table[f"norms/{site}"] = Accepted(numbers, ("R",))
        record = (2, record_length(width))
        table[f"state/statistics/{site}"] = Accepted(np.dtype("<f8"), record, needed=False)
    if info.pictures:
        table |= {name: Accepted(np.dtype("<i4"), ("R",)) for name in ROW_DATASETS}
        table["pictures"] = Accepted(PICTURE_DTYPE, ("P",))
        table["picture_data"] = Accepted(np.dtype("u1"), ("picture_bytes",))
        table["state/counters"] = Accepted(np.dtype("<i8"), (2, _COUNTERS_ROOM))
    for name in row_datasets(info):
        table[f"checksums/{name}"] = Accepted(sums, ("blocks",), needed=False)
    return table


def damaged_store(path: Path, error: object) -> UserError:
    return UserError(
        f"The store file “{path}” is damaged: {error}.",
        next_step="Restore it from a copy, or harvest again under another name.",
    )


def read_dtype(dtype: StoreDtype) -> np.dtype[Any]:
    """Return the dtype of the rows that a store of `dtype` gives to read."""
    return np.dtype(np.float16 if dtype == "float16" else np.float32)


def decode_rows(values: Array, scales: Array | None) -> Array:
    """Return rows (R, D) as floating-point numbers: as stored, or float32 made of them.

    bfloat16 comes as uint16, int8 with its scales (R,).
    """
    if values.dtype == np.uint16:
        return np.asarray((values.astype(np.uint32) << 16).view(np.float32))
    if scales is not None:
        return np.asarray(values.astype(np.float32) * scales[:, None])
    return np.asarray(values)


def metadata_bytes(metadata: Mapping[str, str], roles: Sequence[tuple[str, int, int]]) -> bytes:
    """Return a document's other columns and the roles of a chat as JSON; empty: nothing to keep.

    What exceeds METADATA_BYTES is left out, the last columns first.
    """
    kept: dict[str, object] = {"roles": roles} if roles else {}
    size = len(msgspec.json.encode(kept)) if roles else 1
    if size > METADATA_BYTES:
        kept, size = {}, 1
    for name, value in metadata.items():
        entry = len(msgspec.json.encode({name: value})) - 1  # a brace is a comma then
        if size + entry > METADATA_BYTES:
            break
        kept[name] = value
        size += entry
    return msgspec.json.encode(kept) if kept else b""


def encode_text(text: str, size: int = TEXT_BYTES) -> bytes:
    """Return at most `size` bytes of valid UTF-8, the end of a long text kept."""
    data = text.replace("\0", " ").encode("utf-8", "replace")
    if len(data) <= size:
        return data
    tail = data[-(size - 3) :].decode("utf-8", "ignore")
    return ("…" + tail).encode()[:size]
