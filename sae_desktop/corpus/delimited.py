"""Tables as text: CSV, TSV and the like, with one row in memory at a time."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

from sae_desktop.corpus.columns import PEEK_ROWS, TEXT_NAMES, Kind, Part, asked_names
from sae_desktop.corpus.decoding import (
    HEAD,
    LINE_LIMIT,
    byte_parts,
    decoded,
    stretch_lines,
    text_lines,
    wrongly_encoded,
)
from sae_desktop.corpus.json_text import MOST_PARTS, PART_BYTES
from sae_desktop.corpus.records import Report, UnreadableError
from sae_desktop.errors import UserError

_DELIMITERS = (",", "\t", ";", "|")
_SAMPLE_ROWS = 50
_LONGEST_NAME = 60
_MOST_MEASURED = 1 << 30
"""Bytes of the largest file that is looked through for where its rows begin; of a larger one
the rows are mixed over a stretch only."""
RAGGED_KIND = "rows with more fields than the header names"
_KNOWN_NAMES = {
    *TEXT_NAMES, "id", "label", "source", "language", "lang", "title", "url", "date", "author",
    "prompt", "response", "question", "answer", "instruction", "output", "input",
}  # fmt: skip


class DelimitedTable:
    """A file of rows of fields. The delimiter is the one that cuts the first rows most evenly.

    Without a header the columns are “column 1”, “column 2” and so on. A row with fewer fields
    than the header lacks the last ones; one with more is left out and counted, since a text in
    it may be cut.
    """

    def __init__(
        self, file: Path, text_column: str, report: Report, *, strict: bool = False
    ) -> None:
        """`strict` refuses a quotation mark that is not closed, or stands within a field."""
        self.file = file
        self._strict = strict
        self.label = str(file)
        self._report = report
        sample = _beginning(file)
        self.delimiter = "\t" if file.name.lower().endswith(".tsv") else find_delimiter(sample)
        first = next(csv.reader(io.StringIO(sample), delimiter=self.delimiter), [])
        self.has_header = has_header(first, text_column)
        self.names = (
            [name.strip() for name in first]
            if self.has_header
            else [f"column {number}" for number in range(1, len(first) + 1)]
        )
        rows = self.peek()
        self.declared: Mapping[str, Kind] = {
            name: "other" if _numbers([row[name] for row in rows]) else "text"
            for name in self.names
        }

    def peek(self) -> list[dict[str, Any]]:
        return [row for _, row in islice(self._rows(count=False), PEEK_ROWS)]

    def parts(self) -> list[Part]:
        size = self.file.stat().st_size
        if size < 2 * PART_BYTES or size > _MOST_MEASURED:
            return [Part(size)]
        return list(_row_parts(self.file, size, self.file.stat().st_mtime_ns, self.delimiter))

    def rows(
        self, needed: Sequence[str], part: Part | None = None
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        del needed
        return self._rows(count=True, part=part)

    def place(self, number: int) -> str:
        return f"Row {number:,} of “{self.file}”"

    def _rows(
        self, *, count: bool, part: Part | None = None
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        csv.field_size_limit(LINE_LIMIT)
        lines, before = text_lines(self.file), 0
        if part is not None and part.end < 2**62:
            lines, before = _stretch_text(self.file, part), part.number
        reader = csv.reader(lines, delimiter=self.delimiter, strict=self._strict)
        width, number = len(self.names), before
        try:
            for number, fields in enumerate(reader, start=before + 1):
                if not fields or (number == 1 and self.has_header):
                    continue
                if len(fields) > width:
                    if count:
                        self._report.left_out[RAGGED_KIND] += 1
                        self._report.first_ragged = self._report.first_ragged or self.place(number)
                    continue
                fields += [""] * (width - len(fields))
                yield number, dict(zip(self.names, fields, strict=True))
        except csv.Error as error:
            raise UnreadableError(
                f"{self.place(number + 1)}, at line {reader.line_num:,}, cannot be read: {error}.",
                next_step="An unclosed quotation mark may be the reason: double those that are "
                "part of a text.",
            ) from error


@lru_cache(maxsize=64)
def _row_parts(file: Path, size: int, changed: int, delimiter: str) -> tuple[Part, ...]:
    """Return stretches of whole rows: a quoted field may hold any number of lines.

    `changed` tells a file that was rewritten from what is remembered. One stretch where the
    file cannot be entered in the middle.
    """
    del changed
    whole = (Part(size),)
    if len(byte_parts(file, PART_BYTES, 2)) < 2 or _has_old_newlines(file):
        return whole
    csv.field_size_limit(LINE_LIMIT)
    least = max(PART_BYTES, size // MOST_PARTS)
    begins = [(0, 0)]
    after = 0

    def lines() -> Iterator[str]:
        nonlocal after
        for offset, line in stretch_lines(file, 0, size):
            after = offset + len(line)
            yield line.decode()

    try:
        for number, _ in enumerate(csv.reader(lines(), delimiter=delimiter), start=1):
            if after - begins[-1][0] >= least:
                begins.append((after, number))
    except (csv.Error, UserError, UnicodeDecodeError):  # told where the row is read
        return whole
    ends = [*(offset for offset, _ in begins[1:]), size]
    found = zip(begins, ends, strict=True)
    return tuple(Part(end - at, at, end, number) for (at, number), end in found if end > at)


def _has_old_newlines(file: Path) -> bool:
    """Whether a file ends its lines with a carriage return alone."""
    with file.open("rb") as stream:
        head = stream.read(HEAD)
    return b"\r" in head.replace(b"\r\n", b"").removesuffix(b"\r")


def _stretch_text(file: Path, part: Part) -> Iterator[str]:
    for offset, line in stretch_lines(file, part.first, part.end):
        try:
            yield line.decode().replace("\r\n", "\n").replace("\r", "\n")
        except UnicodeDecodeError as error:
            raise wrongly_encoded(file, offset + error.start) from error


def _beginning(file: Path) -> str:
    found: list[str] = []
    for block in decoded(file):
        found.append(block)
        if sum(map(len, found)) >= HEAD:
            break
    return "".join(found)[:HEAD]


def _numbers(values: Sequence[str]) -> bool:
    given = [value for value in values if value]
    return bool(given) and all(map(_number, given))


def find_delimiter(sample: str) -> str:
    """Return what cuts the rows of `sample` into the same number of fields most often."""
    best, best_score = ",", (0.5, 0)
    for delimiter in _DELIMITERS:
        try:
            rows = list(islice(csv.reader(io.StringIO(sample), delimiter=delimiter), _SAMPLE_ROWS))
        except csv.Error:
            continue
        widths = Counter(len(row) for row in rows[:-1] or rows if row)
        if not widths:
            continue
        width = len(rows[0])
        score = (widths[width] / sum(widths.values()), width)
        if width > 1 and score > best_score:
            best, best_score = delimiter, score
    return best


def has_header(first: Sequence[str], text_column: str) -> bool:
    """Whether the first row names the columns."""
    names = [name.strip() for name in first]
    if text_column in names or any(name in names for name in asked_names(text_column)):
        return True
    if text_column.startswith("column ") and text_column.removeprefix("column ").isdigit():
        return False
    if any(name.casefold() in _KNOWN_NAMES for name in names):
        return True
    return len(set(names)) == len(names) and all(
        name and len(name) <= _LONGEST_NAME and not _number(name) for name in names
    )


def _number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
