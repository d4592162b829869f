"""What is said of a label: who made it, how far to believe it, what became of it. Free of Qt."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from sae_desktop.project_labels import (
    AGREED,
    IMPORTED,
    MODEL,
    PERSON,
    REJECTED,
    STATISTICS,
    Label,
    LabelStep,
)

KINDS = {
    PERSON: "Mine",
    MODEL: "A model’s",
    IMPORTED: "Imported",
    STATISTICS: "Automatic",
}
"""Method → what a label of it is called where kinds are chosen from."""
DEMONSTRATION = "SAE Desktop"
"""Who wrote the labels that come with the demonstration."""
_ISOLATE, _POP = "\u2068", "\u2069"
_RIGHT_TO_LEFT = ("R", "AL")
_DONE = {
    "edited": "changed",
    "removed": "removed",
    "agreed": "agreed with",
    "rejected": "rejected",
    "chosen": "chose to show",
    "restored": "brought back",
    "undone": "took back the step on",
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


def by_whom(method: str, author: str, *, me: str = "") -> str:
    """Return who made a label: “yours”, “by Anna”, “by Qwen3-4B”, “imported”, “automatic”."""
    if method == PERSON:
        if author == DEMONSTRATION != me:
            return "the demonstration’s"
        return f"by {author}" if author and author != me else "yours"
    if method == MODEL:
        return f"by {author or 'a model'}"
    if method == IMPORTED:
        return f"imported from {author}" if author else "imported"
    return "automatic"


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
        if low is None or high is None:
            return f"{told} (guessing: 50)."
        return f"{told} (95% interval {100 * low:.0f} to {100 * high:.0f}; guessing: 50)."
    what = measure or "score"
    told = f"{what[:1].upper()}{what[1:]} {score:.2f}"
    if low is not None and high is not None:
        told += f", 95% interval {low:.2f}–{high:.2f}"
    return f"{told}."


def label_line(label: Label, *, me: str = "") -> str:
    """Return who made a label, its score and what was said of it, in one short line."""
    parts = [by_whom(label.method, label.author, me=me), score_figure(label.score)]
    parts.append("rejected" if label.state == REJECTED else "")
    return " · ".join(part for part in parts if part)


def label_tip(label: Label, *, me: str = "") -> str:
    """Return all there is to say of a label, in short lines."""
    whose = by_whom(label.method, label.author, me=me)
    if label.method == STATISTICS and label.state == AGREED:
        whose += ", agreed with"
    lines = [isolated(label.text)]
    lines.append(score_sentence(label.score, label.score_low, label.score_high, label.measure))
    lines.append(f"{whose[:1].upper()}{whose[1:]}{_when(label.made)}.")
    if label.rating:
        lines.append(f"Rated {label.rating} of 5.")
    if label.state == REJECTED:
        lines.append("Rejected: it is not proposed again.")
    return _lines(lines)


def step_sentence(step: LabelStep, *, me: str = "") -> str:
    """Return one step of the history of a feature's labels as a sentence."""
    who = "You" if step.who and step.who == me else step.who or "Somebody"
    done = _DONE.get(step.what, "changed")
    text = step.text if len(step.text) <= 200 else f"{step.text[:199]}…"
    return f"{who} {done} “{isolated(text)}” ({by_whom(step.method, step.author, me=me)})."


def _when(made: str) -> str:
    return f", {made[:16]} UTC" if made else ""


def _lines(lines: Iterable[str]) -> str:
    return "\n".join(line for line in lines if line)
