"""Numbers as people type them, in any locale: read as what was meant, or not at all."""

from __future__ import annotations

import math
import re
import unicodedata

_NUMBER = re.compile(r"([+-]?)([0-9.,]*)(?:e([+-]?[0-9]+))?", re.IGNORECASE)
_SIGNS = {"−": "-", "–": "-", "﹣": "-", "－": "-", "＋": "+"}
_POINTS = {"٫": ".", "．": ".", "，": ",", "٬": "'"}
_GROUPING = "'’‘_"
_DIRECTIONS = {"\u200e", "\u200f", "\u061c", "\u202a", "\u202c", "\u2066", "\u2069"}


class NotANumberError(ValueError):
    """What was typed cannot be read; the text says why."""


def read_number(text: str, *, grouping: str = "") -> float:
    """Return the number a person typed.

    The decimal point may be a point or a comma, spaces of any width and apostrophes may part
    the thousands, and an exponent may follow: `1e-4`, `0,0003`, `1 234.5`, `1.234,5`.
    `grouping` is the separator of thousands where the person lives. Raises NotANumberError,
    also where a comma might mean either.
    """
    sign, whole, exponent = _parts(text)
    points, commas = whole.count("."), whole.count(",")
    if points and commas:
        decimal = "." if whole.rindex(".") > whole.rindex(",") else ","
        if whole.count(decimal) > 1:
            raise NotANumberError(f"“{text.strip()}” is not a number.")
        group = "," if decimal == "." else "."
        left, right = whole.split(decimal)
        digits = f"{_ungrouped(left, group, text)}.{right}"
    elif points > 1 or commas > 1:
        digits = _ungrouped(whole, "." if points else ",", text)
    elif commas and grouping == "," and _is_grouped(whole, ","):
        plain, decimal = whole.replace(",", ""), whole.replace(",", ".")
        raise NotANumberError(f"“{text.strip()}”: write {plain} or {decimal}.")
    else:
        digits = whole.replace(",", ".")
    return _value(f"{sign}{digits}e{exponent or 0}", text)


def read_count(text: str) -> int:
    """Return the whole number a person typed: `2000000`, `2 000 000`, `2,000,000`, `2e6`.

    Raises NotANumberError, also for one that is not whole.
    """
    sign, whole, exponent = _parts(text)
    for separator in ".,":
        if separator in whole and not exponent and _is_grouped(whole, separator):
            whole = whole.replace(separator, "")
    if not exponent and whole.isdecimal():
        return int(f"{sign}{whole}")
    if not exponent:  # 1,00 may be a hundred mistyped
        raise NotANumberError(f"“{text.strip()}” is not a whole number.")
    value = read_number(f"{sign}{whole}e{exponent}")
    if not value.is_integer():
        raise NotANumberError(f"“{text.strip()}” is not a whole number.")
    return int(value)


def _parts(text: str) -> tuple[str, str, str]:
    """Return sign, digits with points and commas, exponent."""
    clean = "".join(_plain(character) for character in text)
    found = _NUMBER.fullmatch(clean)
    if found is None or not any(c.isdecimal() for c in found[2]):
        raise NotANumberError(
            f"“{text.strip()}” is not a number." if text.strip() else "A number is missing."
        )
    return found[1], found[2], found[3] or ""


def _plain(character: str) -> str:
    if character in _DIRECTIONS or character in _GROUPING or character.isspace():
        return ""
    if character in _SIGNS:
        return _SIGNS[character]
    if character in _POINTS:
        plain = _POINTS[character]
        return "" if plain in _GROUPING else plain
    if unicodedata.category(character) == "Nd":
        return str(unicodedata.decimal(character))
    return character


def _is_grouped(whole: str, separator: str) -> bool:
    first, *groups = whole.split(separator)
    return (
        1 <= len(first) <= 3
        and not first.startswith("0")
        and all(len(group) == 3 and group.isdecimal() for group in groups)
    )


def _ungrouped(whole: str, separator: str, text: str) -> str:
    if separator in whole and not _is_grouped(whole, separator):
        raise NotANumberError(f"“{text.strip()}” is not a number.")
    return whole.replace(separator, "")


def _value(digits: str, text: str) -> float:
    try:
        value = float(digits)
    except ValueError:
        raise NotANumberError(f"“{text.strip()}” is not a number.") from None
    if not math.isfinite(value):
        raise NotANumberError(f"“{text.strip()}” is too large.")
    return value
