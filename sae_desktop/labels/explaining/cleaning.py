"""What a model answered, as a label: one line of bounded length, or why it is none."""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Any, Literal, NamedTuple

from sae_desktop.labels.chat import Answer

LONGEST = 200
"""Characters of a label; a longer one is cut at a word."""
_RAMBLING = 4_000
"""Characters, beyond which an answer is no description cut short but something else."""
_REFUSALS = re.compile(
    r"^\W*(i[’' ]?a?m (very )?sorry|sorry,|i (can ?not|can[’']t|am unable|am not able|won[’']t|"
    r"must decline)|as an ai\b|as a (large )?language model|unfortunately,? i)",
    re.IGNORECASE,
)
_REPLY = re.compile(
    r"^\W*((well|okay|ok|sure|certainly|of course|hmm+|let me|let[’']s|looking at|based on|"
    r"in my opinion)\b|i([’']d|[’']ll)? (would |will )?(think|believe|guess|say|see|suppose|assume|"
    r"notice)\b|(it|this|the) (feature |neuron )?(seems|appears|looks like)\b|"
    r"here (is|are)\b|here[’']s\b)",
    re.IGNORECASE,
)
"""How prose begins that speaks to whoever asked."""
_FENCE = re.compile(r"```[a-z]*\s*\n?(.*?)```", re.DOTALL)
_OBJECT = re.compile(r"\{[^{}]*\}", re.DOTALL)
_NAMED = re.compile(
    r"^\W*(?:the )?(?:label|description|explanation|answer|feature)\W{0,3}[:=]\s*(.+)$",
    re.IGNORECASE | re.MULTILINE,
)
_HARMLESS = frozenset("\u200c\u200d")
"""Joiners that scripts need."""
_WORD = re.compile(r"[^\W_]+")
_LISTED = re.compile(r"\d+\.\s*(\(\d+\)|\d+\.)")
_PIECE = 3
"""Words in a row that are taken from the question: fewer may be a label all the same."""
_QUOTES = "\"'`“”‘’«»*_"
Fault = Literal[
    "",
    "refused",
    "nothing",
    "not whole",
    "repeats itself",
    "repeats the prompt",
    "too long",
    "reply",
]


class Cleaned(NamedTuple):
    """A label, or why there is none."""

    label: str
    fault: Fault = ""
    cut: bool = False
    prose: bool = False
    """Whether it was not in the form that was asked for, but in prose."""


def label_of(answer: Answer, told: str = "", marks: tuple[str, ...] = ()) -> Cleaned:
    """Return the label that an answer holds.

    `told`: how the model was told to answer; a small one gives back a piece of it, such as its
    example, or a text with the `marks` it was given.
    """
    text = answer.text[: 4 * _RAMBLING]
    found = _of_json(text)
    prose = found is None
    if found is None:
        if answer.finish == "cut" or len(answer.text) > _RAMBLING:
            return Cleaned("", "too long")
        if not text.strip():
            return Cleaned("", "not whole" if answer.finish == "length" else "nothing")
        if _REFUSALS.match(text):
            return Cleaned("", "refused")
        if "{" in text[:20] and answer.finish == "length":
            return Cleaned("", "not whole")
        named = _NAMED.search(text)
        found = named.group(1) if named else _first_line(text)
    line = one_line(found)
    line = line.removesuffix(".") if line.count(".") == 1 else line
    line = line.strip(_QUOTES + " ")
    if _REFUSALS.match(line):
        return Cleaned("", "refused")
    if prose and _REPLY.match(line):
        return Cleaned("", "reply")
    if not any(c.isalnum() for c in line):
        return Cleaned("", "nothing")
    if _repeats(line):
        return Cleaned("", "repeats itself")
    if _echoes(line, told, marks):
        return Cleaned("", "repeats the prompt")
    short = shortened(line)
    return Cleaned(short, "", short != line, prose)


def one_line(text: str) -> str:
    """Return a stranger's text on one line, without what controls, hides or turns characters."""
    kept = []
    for c in text[: 4 * _RAMBLING]:
        kind = unicodedata.category(c)
        if kind in ("Cc", "Zl", "Zp"):
            kept.append(" ")
        elif c in _HARMLESS or kind not in ("Cf", "Cs", "Co", "Cn"):
            kept.append(c)
    return " ".join("".join(kept).split())


def shortened(line: str) -> str:
    """Return a line of at most LONGEST characters, cut at a word."""
    if len(line) <= LONGEST:
        return line
    head = line[: LONGEST - 1]
    return f"{head.rpartition(' ')[0] or head}…"


def _of_json(text: str) -> str | None:
    """Return the label of the first JSON object that has one; None where none has."""
    candidates = [text, *_FENCE.findall(text), *reversed(_OBJECT.findall(text))]
    for candidate in candidates:
        try:
            data: Any = json.loads(candidate)
        except (ValueError, RecursionError):
            continue
        value = data.get("label") if isinstance(data, dict) else None
        if isinstance(value, str):
            return value
    return None


def _first_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip(" #>-*_`")]
    return lines[0].strip(" #>-*") if lines else ""


def _echoes(line: str, told: str, marks: tuple[str, ...]) -> bool:
    """Whether a label is a piece of the question: some words of it in a row, or one of its texts,
    with its number or its marks."""
    words, asked = _WORD.findall(line.casefold()), _WORD.findall(told.casefold())
    piece = len(words) >= _PIECE and f" {' '.join(words)} " in f" {' '.join(asked)} "
    return piece or _LISTED.match(line) is not None or any(mark in line for mark in marks)


def _repeats(line: str) -> bool:
    """Whether it is the same few words over and over, as a model that is lost writes."""
    words = line.casefold().split()
    return len(words) >= 8 and len(set(words)) * 3 < len(words)
