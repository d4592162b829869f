"""What a thinking model wrote before its answer, told apart from the answer."""

from __future__ import annotations

import re

_NAMES = "think|thinking|thought|thoughts|reasoning|reason"
_WHOLE = re.compile(rf"<({_NAMES})>.*?</\1>|◁think▷.*?◁/think▷", re.DOTALL | re.IGNORECASE)
_END = re.compile(rf"</({_NAMES})>|◁/think▷", re.IGNORECASE)
_BEGIN = re.compile(rf"<({_NAMES})>|◁think▷", re.IGNORECASE)
_MARKS = re.compile(rf"</?({_NAMES})>|◁/?think▷", re.IGNORECASE)


def answer_begins(text: str) -> int:
    """Return where the answer begins in what a model wrote.

    Templates often open the thoughts themselves, so that an end may stand alone; one that was cut
    off has a beginning alone, and is all thoughts.
    """
    place = 0
    for found in _WHOLE.finditer(text):
        if text[place : found.start()].strip():
            break  # it speaks of such a mark in its answer
        place = found.end()
    rest = text[place:]
    ends = list(_END.finditer(rest))
    opened = _BEGIN.match(rest.lstrip())
    if ends and not (begin := _BEGIN.search(rest)):
        return place + ends[-1].end()
    if opened and not ends:
        return len(text)
    if ends and begin is not None and ends[0].start() < begin.start():
        return place + ends[0].end()
    return place


def split_thoughts(text: str) -> tuple[str, str]:
    """Return (answer, thoughts), both without marks and space around them."""
    place = answer_begins(text)
    return text[place:].strip(), _MARKS.sub("", text[:place]).strip()
