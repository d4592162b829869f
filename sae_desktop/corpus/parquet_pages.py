"""What the pages of a Parquet file become, told by their headers before one is unpacked.

A page of a few bytes may unpack to gigabytes, and a value of a dictionary may be repeated millions
of times by a few bytes more. What the end of the file says of it need not be so, but each page is
unpacked to exactly what its own header says.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from sae_desktop.corpus.records import UnreadableError
from sae_desktop.corpus.unpacking import damaged
from sae_desktop.interruption import check_interrupted

FREE_BYTES = 64 << 20
"""Bytes to which anything may be unpacked, however small it is packed."""
MOST_PACKED = 100
"""Times its packed size that more than this may take: text that people wrote packs to a tenth."""
_MOST_BYTES = 1 << 30
_BATCH_BYTES = 32 << 20
# Values of a list in one group of rows: each takes some bytes whatever it holds.
_MOST_LISTED = 1 << 25
_HEADER_BYTES = (1 << 12, 1 << 16, 1 << 24)
_DICTIONARY_PAGE = 2
_PLAIN_DICTIONARY, _DELTA_BYTE_ARRAY, _RLE_DICTIONARY = 2, 7, 8


@dataclass(frozen=True)
class Page:
    """One page of a column, as its header tells."""

    packed: int
    unpacked: int
    """Bytes before and after unpacking."""
    values: int
    encoding: int
    is_dictionary: bool


def check_unpacked(file: Path, packed: int, unpacked: int) -> None:
    """Return if a part of a file may be unpacked. Raises UserError if it would fill the memory."""
    if unpacked <= FREE_BYTES or unpacked <= min(_MOST_BYTES, MOST_PACKED * packed):
        return
    raise UnreadableError(
        f"“{file}” cannot be read: {packed:,} of its bytes unpack to {unpacked / 1e6:,.0f} MB at "
        "once, which could fill the memory.",
        next_step="If you trust the file, write it again with smaller pages or batches, or as "
        "JSON lines.",
    )


def batch_rows(file: Path, opened: Any, group: int, columns: Sequence[str], most: int) -> int:
    """Return how many rows of a row group may be decoded at once, at least one and at most `most`.

    `opened`: a `pyarrow.parquet.ParquetFile`. Raises UserError where even one row could fill the
    memory, or where the pages' headers cannot be read.
    """
    told = opened.metadata.row_group(group)
    rows = most
    with file.open("rb") as stream:
        for number in range(told.num_columns):
            chunk = told.column(number)
            path = chunk.path_in_schema
            if not any(path == name or path.startswith(f"{name}.") for name in columns):
                continue
            pages = list(_pages(file, stream, chunk))
            listed = opened.schema.column(number).max_repetition_level > 0
            a_row = _bytes_of_value(pages)
            if listed:
                _check_listed(file, pages)
                a_row *= sum(page.values for page in pages) / max(told.num_rows, 1)
            rows = min(rows, int(_BATCH_BYTES // max(a_row, 1)))
    return max(rows, 1)


def listed_texts(opened: Any) -> list[str]:
    """Return the columns of texts within lists, which are read without repeating their values."""
    columns = (opened.schema.column(number) for number in range(len(opened.schema)))
    return [
        column.path
        for column in columns
        if column.max_repetition_level > 0 and column.physical_type == "BYTE_ARRAY"
    ]


def _bytes_of_value(pages: Sequence[Page]) -> float:
    """Return the most bytes that a value takes: many values of a page take on average."""
    dictionary = max((page.unpacked for page in pages if page.is_dictionary), default=0)
    longest = 0.0
    for page in pages:
        if page.is_dictionary or not page.values:
            continue
        if page.encoding in (_PLAIN_DICTIONARY, _RLE_DICTIONARY):
            longest = max(longest, dictionary)
        elif page.encoding == _DELTA_BYTE_ARRAY:  # a value may repeat the whole of the one before
            longest = max(longest, page.unpacked)
        else:
            longest = max(longest, page.unpacked / page.values)
    return longest


def _check_listed(file: Path, pages: Sequence[Page]) -> None:
    """Return if all that one row's list could hold may be unpacked."""
    values = sum(page.values for page in pages)
    repeated = [p.unpacked * p.values for p in pages if p.encoding == _DELTA_BYTE_ARRAY]
    packed = sum(page.packed for page in pages)
    unpacked = sum(page.unpacked for page in pages)
    if values > _MOST_LISTED or sum(repeated) > _MOST_BYTES:
        raise UnreadableError(
            f"“{file}” cannot be read: one group of its rows holds lists of {values:,} values, "
            "which could fill the memory.",
            next_step="If you trust the file, write it again with fewer rows in a row group, "
            "or as JSON lines.",
        )
    if unpacked > MOST_PACKED * packed:
        check_unpacked(file, packed, unpacked)


def _pages(file: Path, stream: IO[bytes], chunk: Any) -> Iterator[Page]:
    """Yield the pages of a column in a row group. Raises UserError for one that is damaged."""
    place = chunk.data_page_offset
    if chunk.has_dictionary_page and 0 < chunk.dictionary_page_offset < place:
        place = chunk.dictionary_page_offset
    end, left = place + chunk.total_compressed_size, chunk.num_values
    while place < end and left > 0:
        check_interrupted()
        page, size = _page(file, stream, place)
        check_unpacked(file, page.packed, page.unpacked)
        place += size + page.packed
        left -= 0 if page.is_dictionary else page.values
        yield page


def _page(file: Path, stream: IO[bytes], place: int) -> tuple[Page, int]:
    """Return the page whose header stands at a byte, and the header's size."""
    for most in _HEADER_BYTES:
        stream.seek(place)
        head = _Compact(stream.read(most))
        try:
            told = head.struct()
            kind, unpacked, packed = (int(told[number]) for number in (1, 2, 3))
            if min(unpacked, packed) < 0:
                break
            if kind == _DICTIONARY_PAGE:
                return Page(packed, max(packed, unpacked), 0, 0, True), head.at
            data: dict[int, Any] = told.get(5) or told.get(8) or {}
            # Of the first version the encoding is the second field, of the second the fourth.
            encoding = data.get(2 if 5 in told else 4, 0)
            values = max(int(data.get(1, 0)), 0)
            return Page(packed, max(packed, unpacked), values, encoding, False), head.at
        except IndexError:
            continue
        except (KeyError, TypeError, ValueError, AttributeError):
            break
    raise damaged(file, f"there is no page at byte {place:,}")


class _Compact:
    """Reads Thrift's compact protocol. Raises IndexError at the end of the bytes."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0

    def struct(self, depth: int = 0) -> dict[int, Any]:
        """Return the fields of a struct by their numbers."""
        if depth > 8:
            raise ValueError
        fields: dict[int, Any] = {}
        number = 0
        while kind := self._byte():
            number = number + (kind >> 4) if kind >> 4 else self._signed()
            fields[number] = kind & 15 == 1 if kind & 15 < 3 else self._value(kind & 15, depth)
        return fields

    def _value(self, kind: int, depth: int) -> Any:
        if kind in (1, 2, 3):
            return self._byte()
        if kind in (4, 5, 6):
            return self._signed()
        if kind == 7:
            return self._skip(8)
        if kind == 8:
            return self._skip(self._number())
        if kind in (9, 10):
            head = self._byte()
            count = self._number() if head >> 4 == 15 else head >> 4
            return [self._value(head & 15, depth + 1) for _ in range(count)]
        if kind == 12:
            return self.struct(depth + 1)
        raise ValueError

    def _byte(self) -> int:
        self.at += 1
        return self._data[self.at - 1]

    def _skip(self, size: int) -> None:
        self.at += size
        if self.at > len(self._data):
            raise IndexError

    def _number(self) -> int:
        number = shift = 0
        while shift < 70:
            byte = self._byte()
            number |= (byte & 127) << shift
            if byte < 128:
                return number
            shift += 7
        raise ValueError

    def _signed(self) -> int:
        number = self._number()
        return (number >> 1) ^ -(number & 1)
