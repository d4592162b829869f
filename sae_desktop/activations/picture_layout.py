"""What a store's segment holds of pictures, to the byte. Free of torch.

Only stores that have pictures hold it. By row: `/picture`, the number of the picture the row is
of, and `/picture_token`, which of that picture's tokens it is; both −1 of a row of text. By picture
`/pictures`, and in the bytes of `/picture_data`, one after another, its record (JSON), its
thumbnail (WebP) and, where it was asked for, its file as it was found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from sae_desktop.pictures.places import PictureLayout
from sae_desktop.pictures.reading import MOST_BYTES, MOST_PIXELS, MOST_SIDE

Array = npt.NDArray[Any]

ROW_DATASETS = ("picture", "picture_token")
PICTURE_TABLES = ("pictures", "picture_data")
PICTURE_DTYPE = np.dtype(
    [
        ("digest", "S64"),  # SHA-256 of the picture's file, hexadecimal
        ("document", "<i8"),  # row of /documents
        ("first_row", "<i8"),  # its first token's
        ("rows", "<i4"),  # to its last token's, tokens of text between two of its tiles included
        ("tokens", "<i4"),  # its own
        ("width", "<i4"),  # pixels of the upright picture
        ("height", "<i4"),
        ("data_first", "<i8"),  # in /picture_data
        ("record_bytes", "<i4"),
        ("thumbnail_bytes", "<i4"),
        ("whole_bytes", "<i8"),  # 0: the picture itself is not kept
    ]
)
MOST_THUMBNAIL = 1 << 18
"""Bytes: one of 160 pixels a side takes up to some 40,000."""
MOST_RECORD = 1 << 22
_MOST_TEXT = 4096
_FARTHEST = 1e9
"""Pixels: so far away no patch of a picture is."""


class PictureRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What a store knows of a picture, beside its digest and size."""

    name: str
    """Where it is within its source: a path below a folder, an archive's member, a table's row."""
    source: str = ""
    """The folder, archive or table, as it was named."""
    format: str = ""
    notes: list[str] = []
    """What was done to it beyond reading, in words."""
    layout: PictureLayout


@dataclass(frozen=True)
class NewPicture:
    """A picture on its way into a store, with all its tokens in one window."""

    record: PictureRecord
    digest: str
    document: int
    """Row of /documents."""
    first_row: int
    """Counted from the beginning of the batch."""
    rows: int
    thumbnail: bytes
    whole: bytes = b""


@dataclass(frozen=True)
class PictureRows:
    """Pictures and their rows on their way into a store. R rows of the batch, P pictures."""

    picture: Array
    """(R,) counted from the batch's first picture; −1 of text."""
    token: Array
    """(R,)."""
    pictures: Array
    """(P,) of PICTURE_DTYPE, `first_row` and `data_first` counted from the batch's beginning."""
    data: bytes


def picture_rows(
    picture: npt.ArrayLike, token: npt.ArrayLike, pictures: Sequence[NewPicture]
) -> PictureRows:
    """Return pictures and their rows as a store keeps them."""
    table, data = np.zeros(len(pictures), dtype=PICTURE_DTYPE), bytearray()
    for number, one in enumerate(pictures):
        record, layout = msgspec.json.encode(_cut(one.record)), one.record.layout
        sizes = len(record), len(one.thumbnail), len(one.whole)
        table[number] = (
            one.digest.encode(), one.document, one.first_row, one.rows, layout.tokens,
            layout.width, layout.height, len(data), *sizes,
        )  # fmt: skip
        data += record + one.thumbnail + one.whole
    return PictureRows(np.array(picture, "<i4"), np.array(token, "<i4"), table, bytes(data))


def _cut(record: PictureRecord) -> PictureRecord:
    """Return a record whose names are no longer than is kept of one, their ends."""
    name, source = record.name[-_MOST_TEXT:], record.source[-_MOST_TEXT:]
    return msgspec.structs.replace(record, name=name, source=source)


def decode_record(data: bytes, entry: Any) -> PictureRecord:
    """Return a picture's record, held to its entry of the table.

    Raises ValueError where it cannot be: whoever asks for places of its tokens gets as many as
    there are rows.
    """
    record = msgspec.json.decode(data, type=PictureRecord)
    layout = record.layout
    tokens = int(entry["tokens"])
    # A tile has a token at least: one without any may still say that it has billions of rows.
    sides = [n for tile in layout.tiles for n in (tile.rows, tile.columns)]
    if layout.loose < 0 or min(sides, default=1) < 1:
        raise ValueError("its layout has parts without a token")
    if layout.tokens != tokens:
        raise ValueError(f"its layout has {layout.tokens:,} tokens, not {tokens:,}")
    if (layout.width, layout.height) != (int(entry["width"]), int(entry["height"])):
        raise ValueError("its layout is of another size")
    cells = [size for tile in layout.tiles for size in (tile.cell_width, tile.cell_height)]
    corners = [at for tile in layout.tiles for at in (tile.left, tile.top)]
    if not all(0.0 < size <= _FARTHEST for size in cells) or not all(
        -_FARTHEST <= at <= _FARTHEST for at in corners
    ):
        raise ValueError("its layout has places that are nowhere near it")
    return record


def check_entries(table: Array, rows: int, documents: int, data: int) -> None:
    """Raise ValueError for pictures (P,) that a segment of so much cannot have."""
    sizes = [table[name].astype(np.int64) for name in ("record_bytes", "thumbnail_bytes")]
    whole, first = table["whole_bytes"], table["data_first"]
    own, count, tokens = table["first_row"], table["rows"], table["tokens"]
    width, height = (table[name].astype(np.int64) for name in ("width", "height"))
    limits = zip((*sizes, whole), (MOST_RECORD, MOST_THUMBNAIL, MOST_BYTES), strict=True)
    possible = [(size >= 0) & (size <= most) for size, most in limits]
    faults = (
        (~np.logical_and.reduce(possible), "its data have an impossible size"),
        # Nothing is added to what may be the largest number there is.
        ((first < 0) | (first > data - sum(sizes) - whole), "its data lie outside of what is kept"),
        (
            (own < 0) | (tokens < 0) | (tokens > count) | (own > rows - count),
            "its rows lie outside of the store",
        ),
        (
            (table["document"] < 0) | (table["document"] >= documents),
            "it is of a document that is not there",
        ),
        (
            (width < 1) | (width > MOST_SIDE) | (height < 1) | (height > MOST_SIDE)
            | (width * height > MOST_PIXELS),
            "its size in pixels is impossible",
        ),
    )  # fmt: skip
    for wrong, fault in faults:
        if wrong.any():
            raise ValueError(fault)
