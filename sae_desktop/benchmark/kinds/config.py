"""What measuring kinds of instance is asked to do, and what it answers. Free of torch."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from sae_desktop.described import said
from sae_desktop.limits import Seed

Way = Literal["feature", "neuron", "difference of means", "random direction", "shuffled labels"]
WAYS: tuple[Way, ...] = (
    "feature", "neuron", "difference of means", "random direction", "shuffled labels",
)  # fmt: skip
"""The dictionary's, its cheap rivals, and two controls that have nothing to go by."""
OF_FEATURES: tuple[Way, ...] = ("feature", "shuffled labels")
"""The ways that choose a feature."""
GOOD = 0.9
"""An area from which on a concept is counted as found."""


class ConceptKindsConfig(msgspec.Struct, frozen=True, kw_only=True, tag="concept_kinds"):
    """Measure whether a feature is one concept in words, pictures, symbols and code."""

    project: str
    index: str
    concepts: tuple[str, ...] = ()
    """By name; none: all of the folder."""
    folder: str = ""
    """Of files of concepts; empty: those that are shipped."""
    learn: tuple[str, ...] = ("en", "de", "fr")
    """The kinds on whose first half of instances a feature is chosen; all of them together."""
    pictures: tuple[str, ...] = ()
    """Folders of drawings that are called by their code points, such as 1f40e.png; none: those of
    the shipped concepts that ship, where the model reads pictures."""
    seed: Annotated[Seed, said("Seed", "Of random directions and shuffled labels.")] = 0
    device: str = "auto"


class KindArea(msgspec.Struct, frozen=True, kw_only=True):
    """How well something tells a concept from the others in one kind, on what was held out."""

    kind: str
    area: float
    """Under the ROC curve."""
    low: float
    high: float
    """95% interval, for other instances of this kind."""
    instances: int
    """Of the concept."""
    others: int


class Strongest(msgspec.Struct, frozen=True, kw_only=True):
    """What a feature fires on most of all in the text of its index."""

    named: int
    """Of these texts those that name the concept there, in any language."""
    texts: int


class ConceptRow(msgspec.Struct, frozen=True, kw_only=True):
    """One way of finding one concept."""

    concept: str
    group: str
    way: Way
    number: int
    """The feature or neuron that was chosen; −1 of a direction."""
    learnt: float
    """Its area on what it was chosen on, which chance raises."""
    areas: list[KindArea]
    strongest: Strongest | None = None
    """None of what is not a feature."""


class ModalRow(msgspec.Struct, frozen=True, kw_only=True):
    """A feature that fires on pictures and text alike, and the concept it is."""

    feature: int
    concept: str
    """Chosen on words."""
    text: float
    """The area on words that were held out."""
    picture: float
    """The area of the same concept in pictures."""


class ModalScore(msgspec.Struct, frozen=True, kw_only=True):
    """How far features are the same concept in words and in pictures."""

    features: int
    """That fire on words that are chosen on and on pictures."""
    same: int
    """Of these with an area of at least GOOD on words held out and on pictures, for one concept
    that was chosen on other words."""
    other_way: int
    """The same, where the concept was chosen on pictures; there no picture is held out."""
    by_chance: float
    """The mean of `same` where pictures are paired with the words of other concepts."""
    best: list[ModalRow]


class ConceptKindsResult(msgspec.Struct, frozen=True, kw_only=True):
    index: str
    kinds: list[str]
    """Those that were measured, in the order of the table."""
    learn: list[str]
    rows: list[ConceptRow]
    modality: ModalScore | None = None
    """None without pictures."""
    notes: list[str] = []
    """What was not measured, and why."""
