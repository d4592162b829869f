"""Pictures and words out of the rows of a table: its image column, its words, or whole pages.

A row of JSON may be a page, with words and pictures in their order: `content`, a list of
{"type": "text", "text": …} and {"type": "image", "image": …} as chats have it, or `texts` beside
`images`, two lists of one length of which one has nothing where the other has something.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sae_desktop.corpus.arrow_tables import IpcTable, ParquetTable
from sae_desktop.corpus.decoding import head_bytes
from sae_desktop.corpus.delimited import DelimitedTable
from sae_desktop.corpus.json_text import JsonArray, JsonLines, json_layout
from sae_desktop.corpus.mixed import MOST_TEXT, FoundPicture, Item, MixedDocument, Refused
from sae_desktop.corpus.records import BadRowError, Report
from sae_desktop.errors import UserError
from sae_desktop.pictures.reading import MOST_BYTES

PICTURES = ("image", "picture", "img", "photo", "image_path", "file_name", "filename", "path")
WORDS = ("text", "caption", "captions", "sentence", "description", "prompt", "label", "name")
"""Names of columns, the first that is there."""
_MOST_PARTS = 10_000


class NoPicturesError(UserError):
    """A table that has none."""


def read_table(path: Path) -> Iterator[Item]:
    """Yield a document of each row.

    Raises NoPicturesError for a table without pictures, UserError for a damaged one.
    """
    for number, row in enumerate(_rows(path)):
        name = f"row {number + 1:,}"
        if isinstance(row, BadRowError):
            yield Refused(name, row.what)
            continue
        yield document_of(row, name, str(path), path.parent)


def document_of(row: Mapping[str, Any], name: str, table: str, folder: Path | None = None) -> Item:
    """Return what a row of a table holds; its pictures may be files in `folder` or below.

    Raises NoPicturesError for a table without a column of pictures.
    """
    try:
        parts = _parts(folder, row, name)
    except _UnusableError as error:
        return Refused(name, str(error))
    if parts is None:
        raise NoPicturesError(
            f"“{table}” has no column of pictures.",
            next_step=f"Call it “image”, or one of: {', '.join(PICTURES[1:])}.",
        )
    return MixedDocument(name, parts)


class _UnusableError(Exception):
    """Why one row cannot be used."""


def _rows(path: Path) -> Iterator[Mapping[str, Any] | BadRowError]:
    """Yield rows as the readers of texts do, with their limits."""
    name = path.name.lower()
    found: Iterator[tuple[int, Mapping[str, Any] | BadRowError]]
    if name.endswith((".parquet", ".pq", ".arrow", ".feather")):
        table = (ParquetTable if name.endswith((".parquet", ".pq")) else IpcTable)(path)
        table.read_everything()
        found = table.rows(list(table.declared))
    elif name.endswith((".csv", ".tsv")):
        found = DelimitedTable(path, "", Report()).rows([])
    elif json_layout(head_bytes(path).decode("utf-8", "replace")) == "array":
        found = JsonArray(path).rows([])
    else:
        found = JsonLines(path).rows([])
    return (row for _, row in found)


def _parts(
    folder: Path | None, row: Mapping[str, Any], name: str
) -> tuple[str | FoundPicture, ...] | None:
    if isinstance(row.get("content"), list):
        return _content(folder, row["content"], name)
    if isinstance(row.get("images"), list) and isinstance(row.get("texts"), list):
        return _side_by_side(folder, row["texts"], row["images"], name)
    column = next((one for one in PICTURES if one in row), None)
    if column is None:
        return None
    picture = _picture(folder, row[column], name)
    words = next((row[one] for one in WORDS if isinstance(row.get(one), str)), "")
    return (picture, words[:MOST_TEXT]) if words.strip() else (picture,)


def _content(folder: Path | None, content: list[Any], name: str) -> tuple[str | FoundPicture, ...]:
    parts: list[str | FoundPicture] = []
    for part in content[:_MOST_PARTS]:
        if not isinstance(part, dict):
            raise _UnusableError("a part of it is not an object")
        if part.get("type") == "text":
            parts.append(str(part.get("text", ""))[:MOST_TEXT])
        elif part.get("type") == "image":
            held = next((part[key] for key in PICTURES if key in part), None)
            parts.append(_picture(folder, held, f"{name}, part {len(parts) + 1}"))
        else:
            raise _UnusableError(f"a part of it is of the type “{str(part.get('type'))[:40]}”")
    return tuple(parts)


def _side_by_side(
    folder: Path | None, texts: list[Any], images: list[Any], name: str
) -> tuple[str | FoundPicture, ...]:
    if len(texts) != len(images):
        raise _UnusableError(f"it has {len(texts):,} texts beside {len(images):,} images")
    parts: list[str | FoundPicture] = []
    for text, image in zip(texts[:_MOST_PARTS], images, strict=False):
        if isinstance(text, str) and text:
            parts.append(text[:MOST_TEXT])
        if image is not None:
            parts.append(_picture(folder, image, f"{name}, part {len(parts) + 1}"))
    return tuple(parts)


def _picture(folder: Path | None, value: Any, name: str) -> FoundPicture:
    """Return the picture a cell holds or names: bytes, a file below the table, or both."""
    if isinstance(value, dict):
        inner, place = value.get("bytes"), value.get("path")
        if isinstance(inner, bytes):
            return FoundPicture(str(place or name), inner)
        value = place
    if isinstance(value, bytes):
        return FoundPicture(name, value)
    if not isinstance(value, str) or not value:
        raise _UnusableError("it has no picture")
    if value.startswith("data:image/"):
        return FoundPicture(name, _decoded(value))
    if "://" in value:
        raise _UnusableError("its picture is on the network, which is not asked")
    if folder is None:
        raise _UnusableError(f"“{value[:80]}” is a file that the dataset does not bring along")
    return FoundPicture(value, _below(folder, value))


def _decoded(value: str) -> bytes:
    head, _, data = value.partition(",")
    if not head.endswith(";base64") or len(data) > 2 * MOST_BYTES:
        raise _UnusableError("its picture is written in an unknown way")
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError) as error:
        raise _UnusableError("its picture is not valid base64") from error


def _below(folder: Path, value: str) -> Path:
    """Return a file of a table's own folder, wherever its links lead."""
    try:
        whole = folder.resolve()
        found = (whole / value).resolve()
    except (OSError, ValueError, RuntimeError) as error:
        raise _UnusableError(f"“{value[:80]}” is not a path") from error
    if not found.is_relative_to(whole):
        raise _UnusableError(f"“{value[:80]}” lies outside of the table’s folder")
    return found
