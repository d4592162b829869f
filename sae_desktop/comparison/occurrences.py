"""Where concepts occur in the text of an index. Free of torch and Qt. R rows, n occurrences."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sae_desktop.comparison.concepts import Concept
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.jobs import JobContext, SilentContext

Array = npt.NDArray[Any]

_PASSAGES_BETWEEN = 64


@dataclass(frozen=True)
class Occurrences:
    """Places of concepts, in the order of the text; none overlaps another."""

    concepts: Array
    """(n,) which concept."""
    first_rows: Array
    """(n,) row of its first token."""
    last_rows: Array
    """(n,) of its last."""
    documents: Array
    """(n,)"""

    def of_rows(self, rows: int) -> Array:
        """Return (R,) int32: which occurrence a row belongs to; −1: none."""
        found = np.full(rows, -1, np.int32)
        lengths = self.last_rows - self.first_rows + 1
        number = np.repeat(np.arange(len(lengths)), lengths)
        within = np.arange(len(number)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        # Two occurrences may meet in one token; it is the earlier one's.
        place = np.repeat(self.first_rows, lengths) + within
        found[place[::-1]] = number[::-1]
        return found


def find_occurrences(
    index: FeatureIndex, concepts: Sequence[Concept], context: JobContext | None = None
) -> Occurrences:
    """Find every concept's forms as whole words, the longest where several fit."""
    context = context or SilentContext()
    pattern, concept_of = _pattern(concepts)
    offsets = index.array("vocabulary/offsets")
    assert offsets is not None
    widths = np.diff(offsets)
    passages = index.passages
    found: list[tuple[Array, Array, Array]] = []
    documents: list[Array] = []
    for number in range(len(passages)):
        if number % _PASSAGES_BETWEEN == 0:
            context.check_cancelled()
            context.progress(number, len(passages), "passages", "Looking for the concepts")
        first, length = int(passages["first_row"][number]), int(passages["length"][number])
        tokens = index.tokens[first : first + length]
        text = b"".join(index.token_bytes(t) or b"" for t in tokens.tolist()).decode(
            "utf-8", "surrogateescape"
        )
        matches = list(pattern.finditer(text))
        if not matches:
            continue
        known = (tokens >= 0) & (tokens < len(widths))
        ends = np.cumsum(np.where(known, widths[np.where(known, tokens, 0)], 0))
        starts_at = _byte_offsets(text)
        begin = starts_at[[m.start() for m in matches]]
        end = starts_at[[m.end() for m in matches]]
        found.append(
            (
                np.array([concept_of[_key(m.group())] for m in matches]),
                first + np.searchsorted(ends, begin, side="right"),
                first + np.searchsorted(ends, end - 1, side="right"),
            )
        )
        documents.append(np.full(len(matches), passages["document"][number]))
    context.progress(len(passages), len(passages), "passages", "Looking for the concepts")
    if not found:
        none = np.empty(0, np.int64)
        return Occurrences(none, none, none, none)
    ids, firsts, lasts = (np.concatenate(part) for part in zip(*found, strict=True))
    return Occurrences(ids, firsts, lasts, np.concatenate(documents))


def _byte_offsets(text: str) -> Array:
    """Return (characters + 1,), where each character begins in the text's bytes."""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")
    sizes = 1 + (codes >= 0x80) + (codes >= 0x800) + (codes >= 0x10000)
    sizes[(codes >= 0xDC80) & (codes <= 0xDCFF)] = 1  # a byte that is no character
    return np.concatenate([[0], np.cumsum(sizes)])


def _pattern(concepts: Sequence[Concept]) -> tuple[re.Pattern[str], dict[str, int]]:
    """Return what finds any form, and the concept of each spelling found."""
    concept_of: dict[str, int] = {}
    for number, concept in enumerate(concepts):
        for form in concept.forms:
            concept_of.setdefault(form, number)
    for form, number in list(concept_of.items()):
        if form.islower():
            concept_of.setdefault(form[:1].upper() + form[1:], number)
    groups: dict[tuple[bool, bool], list[str]] = {}
    for form in sorted(concept_of, key=len, reverse=True):
        groups.setdefault((_stands_apart(form[0]), _stands_apart(form[-1])), []).append(form)
    return re.compile("|".join(_group(*bounds, forms) for bounds, forms in groups.items())), (
        concept_of
    )


def _group(before: bool, after: bool, forms: Sequence[str]) -> str:
    """Return a pattern for forms as whole words, line breaks allowed between their words."""
    spelled = "|".join(r"\s+".join(map(re.escape, form.split(" "))) for form in forms)
    return (r"(?<!\w)" if before else "") + f"(?:{spelled})" + (r"(?!\w)" if after else "")


def _stands_apart(character: str) -> bool:
    """Tell whether words of this letter's script stand apart: not in Chinese, Japanese, Thai."""
    name = unicodedata.name(character, "")
    joined = ("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR")
    return character.isalnum() and not name.startswith(joined)


def _key(found: str) -> str:
    return " ".join(found.split())
