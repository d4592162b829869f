"""The names that are proposed for a feature: gathered from where they lie. Free of Qt."""

from __future__ import annotations

from dataclasses import dataclass

PERSON, MODEL, IMPORTED, STATISTICS = "", "model", "imported", "statistics"
PROPOSED, AGREED, REJECTED = "proposed", "agreed", "rejected"
MOST_KEYS = 9
"""A candidate is chosen by one digit."""
_LONGEST = 400


@dataclass(frozen=True)
class Candidate:
    """A name with who made it and how far it is to be believed."""

    text: str
    method: str
    author: str = ""
    score: float | None = None
    low: float | None = None
    high: float | None = None
    measure: str = ""
    state: str = PROPOSED
    number: int | None = None
    """Of a label in the notes; None for what is not kept there."""

    @property
    def line(self) -> str:
        """The name in one line that is not endless."""
        text = " ".join(self.text[: 4 * _LONGEST].split())
        return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"

    @property
    def said(self) -> str:
        """Who made it and its score, as it stands under the name."""
        by = {
            PERSON: self.author or "yours",
            MODEL: self.author or "a model",
            IMPORTED: f"imported, {self.author}" if self.author else "imported",
            STATISTICS: "automatic",
        }[self.method]
        parts = [by] if self.score is None else [by, f"score {self.score:.2f}"]
        if self.state == REJECTED:
            parts.append("rejected")
        return " · ".join(parts)

    @property
    def scored(self) -> str:
        """What its score is, with its interval; nothing without one."""
        if self.score is None:
            return ""
        told = f"{self.measure or 'score'} {self.score:.2f}"
        if self.low is None or self.high is None:
            return f"{told}."
        return f"{told} (95% interval {self.low:.2f} to {self.high:.2f})."
