"""JSON lines and JSON arrays of documents, one document in memory at a time."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from sae_desktop.corpus.columns import CHAT_NAMES, PEEK_ROWS, TEXT_NAMES, Kind, Part, asked_names
from sae_desktop.corpus.config import CorpusSettings
from sae_desktop.corpus.decoding import (
    LINE_LIMIT,
    byte_lines,
    byte_parts,
    decoded,
    lines_before,
    stretch_lines,
    wrongly_encoded,
)
from sae_desktop.corpus.records import BadRowError, UnreadableError
from sae_desktop.errors import UserError

PART_BYTES = 1 << 18
MOST_PARTS = 256
"""A file of lines is read in this many stretches at most, of this many bytes at least."""
_PEEK_BYTES = 1 << 20
# An object written over several lines breaks its first one sooner.
_LONG_LINE = 10_000
_KEY = re.compile(r'"([^"\\]+)"\s*:')
_BETWEEN = re.compile(r"[\s,]*")


class JsonTable:
    """Rows of a file of JSON. What is a text and not an object is a row with a column “text”."""

    declared: Mapping[str, Kind] = {}

    def __init__(self, file: Path) -> None:
        self.file = file
        self.label = str(file)

    def peek(self) -> list[dict[str, Any]]:
        """Return the first rows, up to the first that is wrong."""
        found: list[dict[str, Any]] = []
        size, bad = 0, None
        try:
            for _, row in self.rows(()):
                if isinstance(row, BadRowError):
                    if not found:
                        bad = bad or row
                    continue
                found.append(row)
                size += sum(len(value) for value in row.values() if isinstance(value, str))
                if len(found) == PEEK_ROWS or size > _PEEK_BYTES:
                    break
        except UserError:
            if not found:
                raise
        if bad is not None and not found:
            raise bad
        return found

    def parts(self) -> list[Part]:
        return [Part(self.file.stat().st_size)]

    def rows(
        self, needed: Sequence[str], part: Part | None = None
    ) -> Iterator[tuple[int, dict[str, Any] | BadRowError]]:
        raise NotImplementedError

    def place(self, number: int) -> str:
        raise NotImplementedError


class JsonLines(JsonTable):
    """A file with an object in each line."""

    def parts(self) -> list[Part]:
        stretches = byte_parts(self.file, PART_BYTES, MOST_PARTS)
        return [Part(end - first, first, end) for first, end in stretches]

    def rows(
        self, needed: Sequence[str], part: Part | None = None
    ) -> Iterator[tuple[int, dict[str, Any] | BadRowError]]:
        del needed
        if part is not None and (part.first > 0 or part.end < self.file.stat().st_size):
            # The number of a line in the middle is counted only where a person is told of it.
            for offset, line in stretch_lines(self.file, part.first, part.end):
                if not line.isspace():
                    yield -offset - 1, self._read(-offset - 1, offset, line)
            return
        offset = 0
        for number, line in enumerate(byte_lines(self.file), start=1):
            if not line.isspace():
                yield number, self._read(number, offset, line)
            offset += len(line)

    def place(self, number: int) -> str:
        if number < 0:
            number = lines_before(self.file, -number - 1) + 1
        return f"Line {number:,} of “{self.file}”"

    def _read(self, number: int, offset: int, line: bytes) -> dict[str, Any] | BadRowError:
        try:
            return _row(self._value(number, offset, line), number, self)
        except BadRowError as bad:
            return bad

    def _value(self, number: int, offset: int, line: bytes) -> Any:
        try:
            return msgspec.json.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            try:
                # Python's own writes NaN and lone surrogates, and reads them.
                return json.loads(line.decode())
            except UnicodeDecodeError as bad:
                wrong = wrongly_encoded(self.file, offset + bad.start)
                raise BadRowError(wrong.what, next_step=wrong.next_step) from error
            except (ValueError, RecursionError):
                raise BadRowError(
                    f"{self.place(number)} is not a JSON object with a text: {error}.",
                    next_step="Each line must be a JSON object with a column “text”.",
                ) from error


class JsonArray(JsonTable):
    """A file that is one array of objects."""

    def rows(
        self, needed: Sequence[str], part: Part | None = None
    ) -> Iterator[tuple[int, dict[str, Any] | BadRowError]]:
        del needed, part
        for number, value in enumerate(self._values(), start=1):
            try:
                yield number, _row(value, number, self)
            except BadRowError as bad:
                yield number, bad

    def place(self, number: int) -> str:
        return f"Entry {number:,} of “{self.file}”"

    def _values(self) -> Iterator[Any]:
        decode = json.JSONDecoder().raw_decode
        blocks = decoded(self.file)
        text = next(blocks, "").lstrip()
        at = number = 1
        while True:
            at = _between(text, at)
            if text[at : at + 1] == "]":
                return
            try:
                value, end = decode(text, at)
            except (json.JSONDecodeError, RecursionError) as error:
                # An entry that has no end yet is tried again with as much text again.
                rest = text[at:]
                more = _at_least(blocks, len(rest))
                if not more:
                    raise self._not_valid(number, error) from error
                if len(rest) > LINE_LIMIT:
                    raise self._too_long(number) from error
                text, at = rest + more, 0
                continue
            yield value
            at = end
            number += 1

    def _too_long(self, number: int) -> UnreadableError:
        return UnreadableError(
            f"{self.place(number)} is not valid JSON, or longer than the "
            f"{LINE_LIMIT / 1e6:,.0f} MB allowed for an entry.",
            next_step="Save the documents as JSON lines, or split that entry.",
        )

    def _not_valid(self, number: int, error: Exception) -> UnreadableError:
        return UnreadableError(
            f"{self.place(number)} is not valid JSON, or the file ends there ({error}).",
            next_step="The file may be cut short: copy or download it again.",
        )


def json_layout(head: str) -> str:
    """Return what a JSON file is, by its beginning: “lines” of objects, an “array”, a single
    “line” with an object, or something else, an “object”."""
    head = head.lstrip("\ufeff \t\r\n")
    if head.startswith("["):
        return "array" if head[1:].lstrip()[:1] in ("{", '"', "]", "") else "object"
    first, newline, rest = head.partition("\n")
    if head.startswith("{") and not newline and len(head) > _LONG_LINE:
        return "lines"
    try:
        whole = isinstance(json.loads(first), dict)
    except ValueError:
        whole = False
    following = rest.lstrip()[:1]
    if not whole or following not in ("{", ""):
        return "object"
    return "lines" if following else "line"


def names_documents(head: str, settings: CorpusSettings) -> bool:
    """Whether the beginning of a JSON file has a column that texts or chats are known by."""
    asked = [*asked_names(settings.text_column), *settings.chat_column.split(" + ")]
    known = {*TEXT_NAMES, *CHAT_NAMES, *asked}
    return any(name in known or name.casefold() in known for name in _KEY.findall(head))


def _at_least(blocks: Iterator[str], size: int) -> str:
    """Return the next blocks, until they have `size` characters together."""
    found: list[str] = []
    while sum(map(len, found)) <= size:
        block = next(blocks, "")
        if not block:
            break
        found.append(block)
    return "".join(found)


def _between(text: str, at: int) -> int:
    match = _BETWEEN.match(text, at)
    return match.end() if match else at


def _row(value: Any, number: int, table: JsonTable) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    if isinstance(value, str):
        return {"text": value}
    raise BadRowError(
        f"{table.place(number)} is not a JSON object with a text.",
        next_step="Each must be a JSON object with a column “text”, or a text.",
    )
