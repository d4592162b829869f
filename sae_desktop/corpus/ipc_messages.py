"""What the messages of an Arrow file become, told before one of them is unpacked.

Each compressed buffer begins with the size that it is unpacked to, which a few bytes may say is
gigabytes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from sae_desktop.corpus.parquet_pages import check_unpacked
from sae_desktop.corpus.unpacking import damaged
from sae_desktop.interruption import check_interrupted

_MAGIC = b"ARROW1"
_MOST_METADATA = 1 << 26
_DICTIONARY, _RECORD = 2, 3
_LIST_OF_BLOCKS = struct.Struct("<qixxxxq")


def check_messages(file: Path) -> None:
    """Return if every batch of an Arrow file or stream may be unpacked.

    Raises UserError where one would fill the memory, or where its messages cannot be followed.
    """
    size = file.stat().st_size
    with file.open("rb") as stream:
        try:
            is_file = stream.read(len(_MAGIC)) == _MAGIC
            places = _blocks(stream, size) if is_file else _stream(stream, size)
            for place, body in places:
                check_interrupted()
                for packed, unpacked in _compressed(stream, place, body):
                    check_unpacked(file, packed, unpacked)
        except (struct.error, IndexError, ValueError, OverflowError) as error:
            raise damaged(file, "its messages do not follow one another") from error


def _blocks(stream: IO[bytes], size: int) -> Iterator[tuple[int, int]]:
    """Yield where the metadata of each message of a file stands, and where its body does."""
    stream.seek(size - len(_MAGIC) - 4)
    (length,) = struct.unpack("<i", stream.read(4))
    if not 0 < length < min(size, _MOST_METADATA):
        raise ValueError
    stream.seek(size - len(_MAGIC) - 4 - length)
    footer = _Table.root(stream.read(length))
    for field in (_DICTIONARY, _RECORD):
        for block in footer.structs(field, _LIST_OF_BLOCKS):
            offset, metadata, _ = block
            yield offset, offset + metadata


def _stream(stream: IO[bytes], size: int) -> Iterator[tuple[int, int]]:
    place = 0
    while place + 8 <= size:
        table, begin = _message(stream, place)
        if table is None:
            return
        yield place, begin
        place = begin + table.number(3, "<q")
        if place < begin:
            raise ValueError


def _message(stream: IO[bytes], place: int) -> tuple[_Table | None, int]:
    """Return the message at a byte, None at the end, and the byte behind its metadata."""
    stream.seek(place)
    mark, length = struct.unpack("<Ii", stream.read(8))
    begin = place + 8
    if mark != 0xFFFFFFFF:  # as Arrow wrote before 0.15
        length, begin = mark, place + 4
    if not length:
        return None, begin
    if not 0 < length < _MOST_METADATA:
        raise ValueError
    stream.seek(begin)
    return _Table.root(stream.read(length)), begin + length


def _compressed(stream: IO[bytes], place: int, body: int) -> Iterator[tuple[int, int]]:
    """Yield the bytes of each compressed buffer of a message, and what they say they become."""
    message, _ = _message(stream, place)
    kind = 0 if message is None else message.number(1, "<B")
    if message is None or kind not in (_DICTIONARY, _RECORD):
        return
    batch = message.table(2)
    if batch is not None and kind == _DICTIONARY:
        batch = batch.table(1)
    if batch is None or batch.table(3) is None:
        return
    packed_all = unpacked_all = 0
    for offset, packed in batch.structs(2, struct.Struct("<qq")):
        if packed < 8:
            continue
        stream.seek(body + offset)
        (unpacked,) = struct.unpack("<q", stream.read(8))
        packed_all += packed
        unpacked_all += packed if unpacked < 0 else unpacked  # −1: not compressed after all
    yield packed_all, unpacked_all


class _Table:
    """A table of a flatbuffer. Raises struct.error, IndexError or ValueError where it is none."""

    def __init__(self, data: bytes, at: int) -> None:
        self._data, self._at = data, at
        self._fields = at - self._read("<i", at)

    @classmethod
    def root(cls, data: bytes) -> _Table:
        return cls(data, struct.unpack_from("<I", data)[0])

    def _read(self, kind: str, at: int) -> int:
        if at < 0:
            raise ValueError
        return int(struct.unpack_from(kind, self._data, at)[0])

    def _place(self, field: int) -> int:
        """Return the byte of a field; 0 where it is left out."""
        entry = 4 + 2 * field
        if entry >= self._read("<H", self._fields):
            return 0
        inside = self._read("<H", self._fields + entry)
        return self._at + inside if inside else 0

    def number(self, field: int, kind: str) -> int:
        place = self._place(field)
        return self._read(kind, place) if place else 0

    def table(self, field: int) -> _Table | None:
        place = self._place(field)
        return _Table(self._data, place + self._read("<I", place)) if place else None

    def structs(self, field: int, kind: struct.Struct) -> Iterator[tuple[Any, ...]]:
        place = self._place(field)
        if not place:
            return
        begin = place + self._read("<I", place)
        count = self._read("<I", begin)
        for number in range(count):
            yield kind.unpack_from(self._data, begin + 4 + number * kind.size)
