"""Tables as text: CSV, TSV and their kin, a row in memory at a time."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from sae_desktop.corpus.columns import PEEK_ROWS, TEXT_NAMES, Kind
from sae_desktop.corpus.decoding import HEAD, LINE_LIMIT, decoded, text_lines
from sae_desktop.corpus.records import Report
from sae_desktop.errors import UserError

_DELIMITERS = (",", "\t", ";", "|")
_SAMPLE_ROWS = 50
_LONGEST_NAME = 60
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

    def __init__(self, file: Path, text_column: str, report: Report) -> None:
        self.file = file
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

    def rows(self, needed: Sequence[str]) -> Iterator[tuple[int, dict[str, Any]]]:
        del needed
        return self._rows(count=True)

    def place(self, number: int) -> str:
        return f"Row {number:,} of “{self.file}”"

    def _rows(self, *, count: bool) -> Iterator[tuple[int, dict[str, Any]]]:
        csv.field_size_limit(LINE_LIMIT)
        reader = csv.reader(text_lines(self.file), delimiter=self.delimiter)
        width, number = len(self.names), 0
        try:
            for number, fields in enumerate(reader, start=1):
                if not fields or (number == 1 and self.has_header):
                    continue
                if len(fields) > width:
                    if count:
                        self._report.left_out[RAGGED_KIND] += 1
                    continue
                fields += [""] * (width - len(fields))
                yield number, dict(zip(self.names, fields, strict=True))
        except csv.Error as error:
            raise UserError(
                f"{self.place(number + 1)}, at line {reader.line_num:,}, cannot be read: {error}.",
                next_step="A quotation mark that is not closed there may be the reason: double "
                "those that belong to a text.",
            ) from error


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
    if text_column in names:
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
