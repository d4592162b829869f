"""What captions are asked to tell of clamped features, and what is answered. Free of torch."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from sae_desktop.described import said
from sae_desktop.limits import Count, Seed
from sae_desktop.steering.config import Unit

CaptionWay = Literal[
    "feature", "random direction", "other feature", "difference of means", "asked"
]  # fmt: skip
CAPTION_WAYS: tuple[CaptionWay, ...] = (
    "feature", "random direction", "other feature", "difference of means", "asked",
)  # fmt: skip
"""The concept's feature, then what stands beside it at the same size; asking changes no value."""
Tokens = Literal["pictures", "words", "all"]
"""On which tokens it is clamped: the picture's, the prompt's and those written, or both."""
TOKENS: tuple[Tokens, ...] = ("pictures", "words", "all")


class ConceptFeature(msgspec.Struct, frozen=True, kw_only=True):
    """A feature that a person takes for a concept's."""

    concept: str
    feature: int


class CaptionChangesConfig(msgspec.Struct, frozen=True, kw_only=True, tag="caption_changes"):
    """Clamp features of concepts while pictures of other concepts are captioned."""

    project: str
    index: str
    drawings: tuple[str, ...] = ()
    """Folders of drawings that are called by their code points, such as 1f40e.png; none: those of
    the shipped concepts that ship."""
    pictures: Count = 20
    """For each concept, drawn from those of the others."""
    concepts: tuple[str, ...] = ()
    """By name; none: those whose features tell them best, `most` of them."""
    features: tuple[ConceptFeature, ...] = ()
    """Features that are chosen already; these concepts are tried, and `concepts` beside them."""
    most: Count = 10
    folder: str = ""
    """Of files of concepts; empty: those that are shipped."""
    learn: tuple[str, ...] = ("en", "de", "fr")
    """The kinds of instance that features and the difference of means are of."""
    prompt: str = "English:"
    """What the caption is written after; it ends with its line."""
    asked: str = "{word}. {prompt}"
    """The prompt that asks for the concept: {word} is its word, {prompt} the prompt."""
    chat: bool = False
    """Put prompts through the model's chat template."""
    language: str = "en"
    """That of the captions, in which the concept may be named."""
    strengths: tuple[float, ...] = (0.5, 1.0, 2.0, 4.0, 8.0)
    unit: Unit = "maximum"
    where: tuple[Tokens, ...] = TOKENS
    tokens: Count = 24
    """Of a caption, at most."""
    seed: Annotated[Seed, said("Seed", "Of the pictures drawn and of random directions.")] = 0
    device: str = "auto"


class ChosenConcept(msgspec.Struct, frozen=True, kw_only=True):
    """A concept that was tried, and its feature."""

    concept: str
    feature: int
    words: float | None = None
    """The mean of its AUROCs on held-out words; None of a feature that a person named."""
    drawings: float | None = None
    """Its AUROC on drawings."""
    other: int = -1
    """The feature that stands beside it, which fires about as often."""
    spoken: list[str] = []
    """The words by which a caption names it."""


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """How many of how many."""

    count: int
    of: int
    low: float
    high: float
    """95% interval (Wilson 1927), for other pictures; 0 to 1 of none."""


class CaptionCounts(msgspec.Struct, frozen=True, kw_only=True):
    """What became of captions of pictures of other concepts."""

    changed: Share
    """Captions that are not those of the plain model."""
    named: Share
    """Captions that name the concept, of pictures whose plain caption does not."""
    broken: Share
    """Captions that are empty, or at least half of whose three-token sequences repeat."""
    log_probability: float | None
    """Mean over captions of the mean of their tokens' under the plain model, which sees the same
    picture and the plain prompt; None where all are empty."""


class CaptionPair(msgspec.Struct, frozen=True, kw_only=True):
    """A caption without and with what was done."""

    picture: str
    """The drawing's code point."""
    plain: str
    changed: str


class CaptionRow(msgspec.Struct, frozen=True, kw_only=True):
    """One way at one setting, of one concept."""

    concept: str
    way: CaptionWay
    where: Tokens | None
    """None where the prompt asks, and nothing is clamped."""
    strength: float
    counts: CaptionCounts
    pairs: list[CaptionPair]
    """Some of the captions, first those that name the concept."""


class SettingTried(msgspec.Struct, frozen=True, kw_only=True):
    """One way at one setting, over all concepts."""

    way: CaptionWay
    where: Tokens | None
    strength: float
    counts: CaptionCounts


class CaptionChangesResult(msgspec.Struct, frozen=True, kw_only=True):
    index: str
    prompt: str
    language: str
    unit: Unit
    concepts: list[ChosenConcept]
    rows: list[CaptionRow]
    settings: list[SettingTried]
    """Each of them, counted on all pictures."""
    ways: list[SettingTried]
    """Each way at the setting that names the concepts most often on half of the pictures, counted
    on the other half."""
    plain_broken: Share
    plain_log_probability: float | None
    seed: int
    notes: list[str] = []
    """What was left out, and why."""
