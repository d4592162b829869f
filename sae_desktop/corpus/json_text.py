"""JSON lines and JSON arrays of documents, one document in memory at a time."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from sae_desktop.corpus.columns import CHAT_NAMES, PEEK_ROWS, TEXT_NAMES, Kind
from sae_desktop.corpus.config import CorpusSettings
from sae_desktop.corpus.decoding import LINE_LIMIT, byte_lines, decoded, wrongly_encoded
from sae_desktop.errors import UserError

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
        size = 0
        try:
            for _, row in self.rows(()):
                found.append(row)
                size += sum(len(value) for value in row.values() if isinstance(value, str))
                if len(found) == PEEK_ROWS or size > _PEEK_BYTES:
                    break
        except UserError:
            if not found:
                raise
        return found

    def rows(self, needed: Sequence[str]) -> Iterator[tuple[int, dict[str, Any]]]:
        raise NotImplementedError

    def place(self, number: int) -> str:
        raise NotImplementedError


class JsonLines(JsonTable):
    """A file with an object in each line."""

    def rows(self, needed: Sequence[str]) -> Iterator[tuple[int, dict[str, Any]]]:
        del needed
        offset = 0
        for number, line in enumerate(byte_lines(self.file), start=1):
            if not line.isspace():
                yield number, _row(self._value(number, offset, line), self.place(number))
            offset += len(line)

    def place(self, number: int) -> str:
        return f"Line {number:,} of “{self.file}”"

    def _value(self, number: int, offset: int, line: bytes) -> Any:
        try:
            return msgspec.json.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            try:
                # Python's own writes NaN and lone surrogates, and reads them.
                return json.loads(line.decode())
            except UnicodeDecodeError as bad:
                raise wrongly_encoded(self.file, offset + bad.start) from error
            except (ValueError, RecursionError):
                raise UserError(
                    f"{self.place(number)} is no JSON object with a text: {error}.",
                    next_step="Each line must be a JSON object with a column “text”.",
                ) from error


class JsonArray(JsonTable):
    """A file that is one array of objects."""

    def rows(self, needed: Sequence[str]) -> Iterator[tuple[int, dict[str, Any]]]:
        del needed
        for number, value in enumerate(self._values(), start=1):
            yield number, _row(value, self.place(number))

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

    def _too_long(self, number: int) -> UserError:
        return UserError(
            f"{self.place(number)} is no JSON, or longer than the {LINE_LIMIT / 1e6:,.0f} MB that "
            "an entry may have.",
            next_step="Write the documents as JSON lines, or split that entry.",
        )

    def _not_valid(self, number: int, error: Exception) -> UserError:
        return UserError(
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
    known = {*TEXT_NAMES, *CHAT_NAMES, settings.text_column, *settings.chat_column.split(" + ")}
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


def _row(value: Any, place: str) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    if isinstance(value, str):
        return {"text": value}
    raise UserError(
        f"{place} is no JSON object with a text.",
        next_step="Each must be a JSON object with a column “text”, or a text.",
    )
