"""What is said of a label: who made it, how far to believe it, what became of it. Free of Qt."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from sae_desktop.project_labels import (
    AGREED,
    DETECTION,
    IMPORTED,
    MODEL,
    NAMING,
    PERSON,
    REJECTED,
    UNWRITTEN,
    WRITTEN,
    Label,
    LabelStep,
)

AUTOMATIC = "automatic"
AGREED_TO, YOU_AGREED = "agreed", "you agreed"
AUTOMATIC_AGREED = f"{AUTOMATIC}, {YOU_AGREED}"
"""A name made by counting, and one that a person agreed to: it is their label from then on."""
NAMED_IN_WORDS = {
    "mine": "labelled or agreed to by a person",
    "model": "labelled by a model",
    "imported": "label imported",
    "automatic": f"{AUTOMATIC} name",
}
"""Whose name is shown (`NameKind` of the filter), as a condition."""
DEMONSTRATION = "SAE Desktop"
"""Who wrote the labels that come with the demonstration."""
_NAMES = {DEMONSTRATION: "The demonstration"}
_ISOLATE, _POP = "\u2068", "\u2069"
_RIGHT_TO_LEFT = ("R", "AL")
_SCORED = {
    DETECTION: "This is the label score, of its words as they stand.",
    NAMING: "This is the name score, from when the name was made; no label score is known of it.",
}
"""Measure → which of two figures of like kind a score is."""
_DONE = {
    "removed": "removed",
    WRITTEN: "wrote",
    UNWRITTEN: "took back",
    "edited": "replaced",
    "agreed": "agreed with",
    "rejected": "rejected",
    "chosen": "chose to show",
    "restored": "brought back",
    "undone": "undid the last step with",
    "merged": "took in",
}


def isolated(text: str) -> str:
    """Return a text whose direction does not turn what stands around it."""
    if text.isascii() or not any(unicodedata.bidirectional(c) in _RIGHT_TO_LEFT for c in text):
        return text
    return f"{_ISOLATE}{text}{_POP}"


def is_own(method: str, author: str, me: str) -> bool:
    """Whether a label is this person's own; one that nobody has signed is."""
    return method == PERSON and author in ("", me)


def by_whom(method: str, author: str, *, me: str = "", agreed: bool = False) -> str:
    """Return who made a label: “yours”, “by Anna”, “by Qwen3-4B”, “imported”, “automatic”.

    `agreed`: a person agreed to it; of their own labels that goes without saying.
    """
    said = YOU_AGREED if me else AGREED_TO
    made = _maker(method, author, me)
    return f"{made}, {said}" if agreed and method != PERSON else made


def whose(label: Label, *, me: str = "") -> str:
    """Return who made a label, and whether a person agreed to it."""
    return by_whom(label.method, label.author, me=me, agreed=label.state == AGREED)


def _maker(method: str, author: str, me: str) -> str:
    if method == PERSON:
        if author == DEMONSTRATION != me:
            return "the demonstration’s"
        return f"by {author}" if author and author != me else "yours"
    if method == MODEL:
        return f"by {author or 'a model'}"
    if method == IMPORTED:
        return f"imported from {author}" if author else "imported"
    return AUTOMATIC


def score_figure(score: float | None) -> str:
    """Return a score as it stands small beside a label; nothing where there is none."""
    return "" if score is None else f"{score:.2f}"


def score_sentence(score: float | None, low: float | None, high: float | None, measure: str) -> str:
    """Return what a score is and how sure it is; nothing where there is none."""
    if score is None:
        return ""
    if "AUROC" in measure:
        told = (
            f"{score:.2f}: of 100 pairs of texts, one where it fires and one where it is silent, "
            f"the name picks the right one in {100 * score:.0f}"
        )
        sure = (
            "" if low is None or high is None
            else f"95% interval {100 * low:.0f} to {100 * high:.0f}; "
        )  # fmt: skip
        told = f"{told} ({sure}guessing: 50)."
        return f"{told} {_SCORED[measure]}" if measure in _SCORED else told
    what = measure or "score"
    told = f"{what[:1].upper()}{what[1:]} {score:.2f}"
    if low is not None and high is not None:
        told += f", 95% interval {low:.2f}–{high:.2f}"
    return f"{told}."


def label_line(label: Label, *, me: str = "") -> str:
    """Return who made a label, its score and what was said of it, in one short line."""
    parts = [whose(label, me=me), score_figure(label.score)]
    parts.append("rejected" if label.state == REJECTED else "")
    return " · ".join(part for part in parts if part)


def label_tip(label: Label, *, me: str = "") -> str:
    """Return all there is to say of a label, in short lines."""
    made_by = whose(label, me=me)
    lines = [isolated(label.text)]
    lines.append(score_sentence(label.score, label.score_low, label.score_high, label.measure))
    lines.append(f"{made_by[:1].upper()}{made_by[1:]}{_when(label.made)}.")
    if label.rating:
        lines.append(f"Rated {label.rating} of 5.")
    if label.state == REJECTED:
        lines.append("Rejected: it is not proposed again.")
    return _lines(lines)


def step_sentence(step: LabelStep, *, me: str = "") -> str:
    """Return one step of the history of a feature's labels as a sentence."""
    text = isolated(step.text if len(step.text) <= 200 else f"{step.text[:199]}…")
    who = "You" if step.who and step.who == me else _NAMES.get(step.who, step.who or "Somebody")
    if step.what == WRITTEN and step.method == IMPORTED:
        return f"“{text}” was {by_whom(step.method, step.author, me=me)}."
    told = f"{who} {_DONE.get(step.what, 'changed')} “{text}”"
    own = step.what in (WRITTEN, UNWRITTEN) or is_own(step.method, step.author, step.who)
    return f"{told}." if own else f"{told} ({by_whom(step.method, step.author, me=me)})."


def _when(made: str) -> str:
    return f", {made[:16]} UTC" if made else ""


def _lines(lines: Iterable[str]) -> str:
    return "\n".join(line for line in lines if line)
