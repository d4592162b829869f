"""What a judge answered, read strictly: what is not clearly an answer counts as none.

A question numbers its items from 1. An answer is taken where it gives each number once and no
other: as a JSON object of numbers, as a JSON list of the right length, or as lines such as
“3: yes”. If a number is missing, repeated or beyond the last, the judge may have lost count, and
nothing of that answer is taken. A value that is none of those allowed leaves its own item
unanswered. Nothing is guessed from prose.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

Read = Callable[[Any], float | None]
"""What one value says; None where it is none of those allowed."""

LONGEST_ANSWER = 200_000
"""Characters. What is longer is not an answer to a short question."""

_THOUGHTS = re.compile(r"<(think|thinking|thought)>.*?</\1>", re.DOTALL | re.IGNORECASE)
_OPEN_THOUGHT = re.compile(r"<(think|thinking|thought)>", re.IGNORECASE)
_END_OF_THOUGHT = re.compile(r"</(think|thinking|thought)>", re.IGNORECASE)
_FENCE = re.compile(r"\A```[a-z]*\s*\n(.*)\n\s*```\s*\Z", re.DOTALL)
_LINE = re.compile(r"^\s*(?:[-*]\s*)?(\d{1,4})\s*[:.)\t=]\s*(\S+)\s*$", re.MULTILINE)
_YES = {"yes": 1.0, "true": 1.0, "1": 1.0, "no": 0.0, "false": 0.0, "0": 0.0}


def said(text: str) -> str:
    """Return an answer without the thoughts written before it; empty where it is all thought."""
    if len(text) > LONGEST_ANSWER:
        return ""
    text = _THOUGHTS.sub("", text)
    if _OPEN_THOUGHT.search(text):
        return ""
    # Some templates open the thought in the prompt: the answer holds its end alone.
    return _END_OF_THOUGHT.split(text)[-1].strip()


def yes_or_no(value: Any) -> float | None:
    """Return 1 for yes, 0 for no."""
    if isinstance(value, bool):
        return float(value)
    if isinstance(value, int):
        return _YES.get(str(value))
    if isinstance(value, str):
        return _YES.get(value.strip().rstrip(".,;").lower())
    return None


def whole_number(least: int, most: int) -> Read:
    """Return what reads a whole number between two bounds, and takes no other."""

    def read(value: Any) -> float | None:
        if isinstance(value, str):
            text = value.strip().rstrip(".,;")
            if not re.fullmatch(r"\d{1,3}", text, re.ASCII):
                return None
            value = int(text)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            return None
        return float(value) if least <= value <= most else None

    return read


def numbered(text: str, count: int, read: Read) -> tuple[float | None, ...]:
    """Return the answer to each of `count` items; None: unanswered."""
    nothing = (None,) * count
    found = _by_number(said(text), count)
    if found is None:
        return nothing
    return tuple(read(found[number]) for number in range(1, count + 1))


def one(text: str, read: Read, name: str = "1") -> float | None:
    """Return the answer to a question of one item: the value alone, or as JSON under its name."""
    plain = said(text)
    fenced = _FENCE.match(plain)
    data = _json(fenced.group(1) if fenced else plain)
    if data is None:
        return read(plain)
    if isinstance(data, _Pairs) and [key for key, _ in data.pairs] == [name]:
        return read(data.pairs[0][1])
    return None


def _by_number(text: str, count: int) -> Mapping[int, Any] | None:
    """Return number → value if all numbers are there once and no other; None otherwise."""
    fenced = _FENCE.match(text)
    data = _json(fenced.group(1) if fenced else text)
    if isinstance(data, list):
        return dict(enumerate(data, start=1)) if len(data) == count else None
    pairs = data.pairs if isinstance(data, _Pairs) else _LINE.findall(text)
    if isinstance(data, _Pairs) and len(pairs) == 1 and isinstance(pairs[0][1], list | _Pairs):
        return _of_values(pairs[0][1], count)
    return _complete(pairs, count)


def _of_values(inner: Any, count: int) -> Mapping[int, Any] | None:
    """Return the values of `{"answers": …}`."""
    if isinstance(inner, _Pairs):
        return _complete(inner.pairs, count)
    return dict(enumerate(inner, start=1)) if len(inner) == count else None


def _complete(pairs: list[tuple[str, Any]], count: int) -> Mapping[int, Any] | None:
    keys = [key.strip() for key, _ in pairs]
    if not all(re.fullmatch(r"\d{1,4}", key, re.ASCII) for key in keys):
        return None
    numbers = [int(key) for key in keys]
    if sorted(numbers) != list(range(1, count + 1)):
        return None
    return {number: value for number, (_, value) in zip(numbers, pairs, strict=True)}


class _Pairs:
    """A JSON object with every key that was written: twice the same one must be seen."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        self.pairs = pairs


def _json(text: str) -> Any:
    """Return JSON data; None where the text is not JSON."""
    if not text.startswith(("{", "[")):
        return None
    try:
        return json.loads(text, object_pairs_hook=_Pairs)
    except (ValueError, RecursionError):
        return None
