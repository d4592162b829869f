"""JSON files of others, read piece by piece with bounds on what they may unpack to."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

import msgspec

from sae_desktop.errors import UserError

MOST_LINE = 64 * 2**20
"""Bytes of one line, or of one JSON file that is read at once: some hundred features."""
_MOST_EXPANSION = 500
_LEAST_TOTAL = 64 * 2**20
_NEXT = "Download it again, or export it again from the program that made it."


def json_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the objects of a .jsonl or .jsonl.gz file.

    Raises UserError for a damaged file, one that unpacks to far more than it is, and a line that
    is not a JSON object.
    """
    try:
        most = max(_MOST_EXPANSION * path.stat().st_size, _LEAST_TOTAL)
        packed = path.suffix == ".gz"
        with gzip.open(path) if packed else path.open("rb") as file:
            stream = cast(BinaryIO, file)
            total = 0
            for number, line in enumerate(iter(lambda: stream.readline(MOST_LINE + 1), b""), 1):
                total += len(line)
                if len(line) > MOST_LINE or total > most:
                    raise UserError(
                        f"“{path}” unpacks to far more than its own size: line {number} was not "
                        "read.",
                        next_step=_NEXT,
                    )
                if line.strip():
                    yield _object(path, line, f"line {number}")
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"“{path}” is damaged: {error}.", next_step=_NEXT) from error


def json_file(path: Path) -> dict[str, Any]:
    """Return the object of a .json file. Raises UserError for one that is too large or none."""
    try:
        size = path.stat().st_size
        if size > 16 * MOST_LINE:
            raise UserError(
                f"“{path}” has {size:,} bytes, more than can be read at once.",
                next_step="Export it in batches of fewer features.",
            )
        return _object(path, path.read_bytes(), "it")
    except OSError as error:
        raise UserError(f"“{path}” cannot be read: {error}.", next_step=_NEXT) from error


def _object(path: Path, data: bytes, where: str) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UserError(
            f"“{path}”: {where} is not valid JSON: {error}.", next_step=_NEXT
        ) from error
    if not isinstance(found, dict):
        raise UserError(f"“{path}”: {where} is not a JSON object.", next_step=_NEXT)
    return found


# ---------------------------------------------------------------- fields
def numbers(value: object) -> list[float]:
    """Return a list of numbers; anything else in it raises ValueError."""
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(v, int | float) for v in value):
        raise ValueError("not a list of numbers")
    return [float(v) for v in value]


def texts(value: object) -> list[str]:
    """Return a list of texts; anything else in it raises ValueError."""
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
        raise ValueError("not a list of texts")
    return list(value)


def whole(value: object) -> int:
    """Return a whole number, as many write it as text. Raises ValueError for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("not a whole number")
    return int(value)


def pairs(names: object, values: object) -> list[tuple[str, float]]:
    """Return (text, number) of two lists, as many as the shorter has."""
    return list(zip(texts(names), numbers(values), strict=False))
