"""What the jobs over several dictionaries are asked to do, and what they answer. Free of torch and
Qt.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from sae_desktop.described import said
from sae_desktop.limits import Count, Seed, ShareWithin

NEAREST = 10
LEAST_F1 = 0.5
LEAST_OCCURRENCES = 10


class MatchConfig(msgspec.Struct, frozen=True, kw_only=True, tag="match"):
    """For every feature the nearest features of the other dictionaries."""

    project: str
    dictionaries: tuple[str, ...] = ()
    """At least two; none: all of the first one's model and width that the project has."""
    nearest: Count = NEAREST
    """Nearest features to keep, per feature and other dictionary."""
    device: str = "auto"


class MatchedPair(msgspec.Struct, frozen=True, kw_only=True):
    """Two dictionaries, the smaller first."""

    smaller: str
    larger: str
    unmatched_smaller: int
    """Features of the smaller whose nearest in the larger has a cosine below one half."""
    unmatched_larger: int
    mean_cosine: float
    """Of the smaller one's features with their nearest in the larger."""
    kept: bool
    """Whether it had been matched before, and neither dictionary changed since."""
    over: tuple[str, ...] = ()
    """The outputs by which they were compared, where a dictionary writes several."""


class MatchResult(msgspec.Struct, frozen=True, kw_only=True):
    pairs: list[MatchedPair]
    seconds: float


class CompletenessConfig(msgspec.Struct, frozen=True, kw_only=True, tag="completeness"):
    """Which concepts of a list have a feature in which dictionary."""

    project: str
    name: str
    """Of the table; it replaces one of that name."""
    concepts: str
    """A list of the project's, or one that ships."""
    indexes: tuple[str, ...]
    """Of the same text, with their firings kept; one of each dictionary."""
    least_f1: Annotated[
        ShareWithin,
        said("Least F1", "Held-out F1 from which a concept counts as having a feature."),
    ] = LEAST_F1
    least_occurrences: Annotated[
        Count,
        said(
            "Least occurrences",
            "Concepts that occur less often in either half of the text are not judged.",
        ),
    ] = LEAST_OCCURRENCES
    control: Annotated[
        bool,
        said(
            "Include random directions",
            "Also search the same number of random directions that fire equally often.",
        ),
    ] = True
    seed: Seed = 0
    device: str = "auto"


class Detector(msgspec.Struct, frozen=True, kw_only=True):
    """What tells best where a concept occurs, chosen and scored on different halves of the text.

    Each half may choose a feature of its own; the figures are then of both.
    """

    feature: int
    """Of the two that were chosen, the better on the half it was not chosen on."""
    threshold: float
    """It detects above this activation."""
    f1: float
    """Mean over the two halves, each scored with what was chosen on the other."""
    precision: float
    """Likewise."""
    recall: float
    feature_f1: float | None = None
    """Of `feature`, on the half it was not chosen on; None: not told, in older tables."""
    other: int | None = None
    """What the other half chose, where that is another feature."""
    other_f1: float | None = None
    """Of `other`; 0 with no other: the other half chose none."""

    def features_text(self) -> str:
        """Return which features were scored, each with its F1: "#5 (0.90), #71 (0.20)"."""
        if self.feature_f1 is None or self.other_f1 is None:
            return f"#{self.feature}"
        own = f"#{self.feature} ({self.feature_f1:.2f})"
        if self.other is None:
            return f"{own}, in the other half none"
        return f"{own}, #{self.other} ({self.other_f1:.2f})"


class ConceptRow(msgspec.Struct, frozen=True, kw_only=True):
    """One concept in all dictionaries."""

    concept: str
    occurrences: int
    frequency: float
    """Occurrences over tokens of the text."""
    judged: bool
    detectors: list[Detector | None]
    """One a dictionary, in the table's order; None: no feature fires on it, or not judged."""
    control: list[float]
    """F1 of the best random direction, one a dictionary; empty without a control."""


class DictionaryCompleteness(msgspec.Struct, frozen=True, kw_only=True):
    """What one dictionary has of the judged concepts."""

    dictionary: str
    index: str
    features: int
    alive: int
    """Features that fire on the text."""
    found: int
    """Judged concepts that have a feature."""
    control_found: int | None
    """Judged concepts that have one among the random directions; None: not asked."""
    even_chance: float | None
    """Frequency at which a concept has a feature with a chance of one half; None: the list
    does not tell (all or none found, or frequency makes no difference)."""
    even_chance_low: float | None
    """Of the interval; None beside an `even_chance`: the list does not set it."""
    even_chance_high: float | None
    even_chance_level: float = 0.9
    """Of the interval. (That of older tables is narrower than it says.)"""

    def product_text(self) -> str:
        """Return frequency × alive features with its interval: "0.52 (95% interval 0.4 to 0.7)".

        Empty where the list does not tell.
        """
        if self.even_chance is None:
            return ""
        low, high = (
            None if end is None else f"{end * self.alive:.2f}"
            for end in (self.even_chance_low, self.even_chance_high)
        )
        level = f"{self.even_chance_level:.0%} interval"
        if low is None and high is None:
            told = f"{level} cannot be determined"
        elif low is None or high is None:
            told = f"{level} {low} or more" if high is None else f"{level} {high} or less"
        else:
            told = f"{level} {low} to {high}"
        return f"{self.even_chance * self.alive:.2f} ({told})"


class CompletenessResult(msgspec.Struct, frozen=True, kw_only=True):
    """Content of `completeness/<name>.json`."""

    schema_version: int = 1
    name: str
    concepts: str
    tokens: int
    """Rows of the text."""
    judged: int
    least_f1: float
    least_occurrences: int
    dictionaries: list[DictionaryCompleteness]
    """From the smallest to the largest."""
    rows: list[ConceptRow]
    """The most frequent first."""
    seconds: float
