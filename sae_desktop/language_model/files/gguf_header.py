"""What a .gguf file says about itself, checked against the file's size before other code reads
it.
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

from sae_desktop.errors import UserError

_STRING, _ARRAY = 8, 9
_NUMBERS = {
    0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d",
}  # fmt: skip
_MOST_FIELDS, _MOST_TENSORS, _MOST_DIMENSIONS = 1 << 16, 1 << 20, 8
_LONGEST_NAME = 1 << 16
# The least that a tensor's numbers take, in bits.
_LEAST_BITS = 1


@dataclass
class GgufHeader:
    """The fields that are single values, and the tensors."""

    fields: dict[str, Any] = field(default_factory=dict)
    """By their names without the architecture's: “block_count”."""
    tensors: int = 0
    numbers: int = 0
    """Elements of all tensors."""


def read_header(path: Path) -> GgufHeader:
    """Return what a .gguf file says of itself. Raises UserError where it cannot be so."""
    with path.open("rb") as file:
        try:
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError as error:  # it is empty
            raise _damaged(path, "it is empty") from error
        with data:
            try:
                return _Reader(data).header()
            except (struct.error, ValueError, OverflowError, KeyError) as error:
                raise _damaged(path, str(error) or "it ends too early") from error


class _Reader:
    def __init__(self, data: mmap.mmap) -> None:
        self._data, self._at, self._end = data, 0, len(data)
        self._order = "<"

    def header(self) -> GgufHeader:
        if self._data[:4] != b"GGUF":
            raise ValueError("it does not start like a .gguf file")
        self._at = 4
        version = self._number("I")
        if version & 0xFFFF == 0:  # the numbers of a big-endian file
            self._order = ">"
            version = struct.unpack(">I", self._data[4:8])[0]
        if version not in (2, 3):
            raise ValueError(f"it is of version {version}")
        tensors, fields = self._number("Q"), self._number("Q")
        if tensors > _MOST_TENSORS or fields > _MOST_FIELDS:
            raise ValueError(f"it names {tensors:,} tensors and {fields:,} fields")
        found = GgufHeader(tensors=tensors)
        for _ in range(fields):
            name = self._string(_LONGEST_NAME).decode("utf-8", "replace")
            value = self._value(self._number("I"))
            if value is not None:
                found.fields[name.partition(".")[2] or name] = value
        for _ in range(tensors):
            found.numbers += self._tensor()
        return found

    def _tensor(self) -> int:
        self._string(_LONGEST_NAME)
        count = self._number("I")
        if count > _MOST_DIMENSIONS:
            raise ValueError(f"a tensor has {count:,} dimensions")
        size: int = prod(self._number("Q") for _ in range(count))
        self._number("I")
        offset = self._number("Q")
        if offset > self._end or size * _LEAST_BITS > 8 * self._end:
            raise ValueError("a tensor goes beyond its end")
        return size

    def _value(self, kind: int) -> Any:
        """Return a single number or text; None of an array, which is passed over."""
        if kind == _STRING:
            return self._string(self._end).decode("utf-8", "replace")
        if kind != _ARRAY:
            return self._number(_NUMBERS[kind])
        inner, count = self._number("I"), self._number("Q")
        if inner == _STRING:
            if count > self._end // 8:
                raise ValueError(f"it names {count:,} texts")
            for _ in range(count):
                self._skip(self._number("Q"))
            return None
        self._skip(count * struct.calcsize(_NUMBERS[inner]))
        return None

    def _string(self, most: int) -> bytes:
        size = self._number("Q")
        if size > most:
            raise ValueError(f"a text has {size:,} bytes")
        begin = self._at
        self._skip(size)
        return self._data[begin : self._at]

    def _skip(self, size: int) -> None:
        self._at += size
        if self._at > self._end:
            raise ValueError("it ends too early")

    def _number(self, form: str) -> Any:
        size = struct.calcsize(form)
        found = struct.unpack_from(self._order + form, self._data, self._at)[0]
        self._at += size
        return found


def _damaged(path: Path, why: str) -> UserError:
    return UserError(
        f"“{path}” is not a .gguf file, or is damaged ({why}).",
        kept="Nothing was loaded.",
        next_step="Copy or download it again.",
    )
