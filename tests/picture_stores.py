"""A store of words and pictures made by hand, without a model."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from stored import encoded_rows

from sae_desktop.activations.layout import (
    DOCUMENT_DTYPE,
    SPAN_DTYPE,
    WINDOW_DTYPE,
    Capacity,
    StoreInfo,
)
from sae_desktop.activations.picture_layout import NewPicture, PictureRecord, picture_rows
from sae_desktop.activations.store import ActivationStore
from sae_desktop.activations.store_writer import SegmentWriter, StoreBatch, segment_path
from sae_desktop.pictures.places import PictureLayout, Tile
from sae_desktop.pictures.thumbnails import thumbnail

IMAGE_TOKEN = 7
SITE = "blocks.0.hook_resid_post"


@dataclass(frozen=True)
class Shown:
    """A picture of one colour, its tokens a grid of rows × columns."""

    name: str
    colour: tuple[int, int, int] = (200, 30, 30)
    rows: int = 2
    columns: int = 3
    width: int = 60
    height: int = 40

    @property
    def file(self) -> bytes:
        out = io.BytesIO()
        Image.new("RGB", (self.width, self.height), self.colour).save(out, "PNG")
        return out.getvalue()

    @property
    def layout(self) -> PictureLayout:
        across, down = self.width / self.columns, self.height / self.rows
        tile = Tile(self.rows, self.columns, 0.0, 0.0, across, down)
        return PictureLayout(self.width, self.height, [tile])


Part = Shown | Sequence[int]
"""A picture, or the ids of a text."""


def picture_info(width: int = 8, **settings: object) -> StoreInfo:
    known = {"model": "hand", "sites": [SITE], "widths": [width], "dtype": "float32"}
    return StoreInfo(**{**known, "pictures": True, "reader_digest": "0" * 16, **settings})  # type: ignore[arg-type]


def write_picture_store(
    folder: Path,
    documents: Sequence[Sequence[Part]],
    rows_RD: np.ndarray | None = None,
    *,
    info: StoreInfo | None = None,
    segment: int = 0,
    keep: bool = False,
) -> ActivationStore:
    """Write documents, each a window, as one file of a store, and open the whole store.

    `rows_RD` are drawn from the normal distribution where they are not given; `keep`: the pictures
    themselves, too.
    """
    ids, picture, token, windows, new = [], [], [], [], []  # type: ignore[var-annotated]
    for number, document in enumerate(documents):
        begin = len(ids)
        for part in document:
            if not isinstance(part, Shown):
                ids += part
                picture += [-1] * len(part)
                token += [-1] * len(part)
                continue
            count, file = part.layout.tokens, part.file
            new.append(_new(part, file, number, len(ids), keep=keep))
            ids += [IMAGE_TOKEN] * count
            picture += [len(new) - 1] * count
            token += range(count)
        windows.append((begin, len(ids) - begin, number, 0, -1))
    if rows_RD is None:
        width = info.widths[0] if info else 8
        rows_RD = np.random.default_rng(segment).normal(size=(len(ids), width))
    info = info or picture_info(rows_RD.shape[1])
    found = picture_rows(picture, token, new)
    table = np.zeros(len(documents), dtype=DOCUMENT_DTYPE)
    table["ordinal"] = np.arange(len(documents)) + 1000 * segment
    table["title"] = [f"document {n}".encode() for n in range(len(documents))]
    table["source"] = b"pictures"
    room = Capacity(
        rows=len(ids), windows=len(windows), documents=len(table),
        pictures=len(new), picture_data=len(found.data),
    )  # fmt: skip
    writer = SegmentWriter.create(segment_path(folder, segment), info, room)
    writer.append(
        StoreBatch(
            activations={site: encoded_rows(rows_RD.astype(info.dtype)) for site in info.sites},
            tokens=np.array(ids, dtype="<i4"),
            positions=np.concatenate([np.arange(w[1]) for w in windows]).astype("<i4"),
            windows=np.array(windows, dtype=WINDOW_DTYPE),
            documents=table,
            spans=np.empty(0, dtype=SPAN_DTYPE),
            pictures=found,
        )
    )
    writer.commit()
    writer.close()
    return ActivationStore.open(folder)


def _new(part: Shown, file: bytes, document: int, first: int, *, keep: bool) -> NewPicture:
    record = PictureRecord(name=part.name, source="pictures", format="PNG", layout=part.layout)
    small = thumbnail(Image.open(io.BytesIO(file)).convert("RGB"))
    digest = hashlib.sha256(file).hexdigest()
    count = part.layout.tokens
    return NewPicture(record, digest, document, first, count, small, file if keep else b"")
