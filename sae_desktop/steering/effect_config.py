"""Measuring what features do to the output: what is asked and answered. Free of torch and Qt."""

from __future__ import annotations

from typing import Annotated

import msgspec

from sae_desktop.described import said
from sae_desktop.features.reading.known_strength import KnownStrength
from sae_desktop.limits import Count

PROMPTS = 16
CONTINUED = ("There is", "In the beginning", "The meaning of the word")
"""Beginnings that say little, so that a text may turn anywhere from them. Each feature's strengths
are tried on them, and the window offers the first where nothing is typed."""

ASKED = "What shall we talk about?"
"""The same for a model that is asked through its chat template."""


class OutputEffectConfig(msgspec.Struct, frozen=True, kw_only=True, tag="output_effect"):
    """What each feature does to the next token, and at which strength it turns a text."""

    project: str
    index: str
    prompts: list[str] = []
    """None: `count` beginnings of passages, taken evenly from the indexed text."""
    count: Annotated[
        Count, said("Prompts", "Beginnings of passages, taken evenly from the indexed text.")
    ] = PROMPTS
    strength: Annotated[
        float, said("Strength", "To which each feature is clamped, in multiples of its maximum.")
    ] = 1.0
    strengths: Annotated[
        bool,
        said(
            "Strengths that work",
            "Find for each feature the strength at which it turns a text and leaves it whole, by "
            "continuing three prompts at several strengths.",
        ),
    ] = True
    features: list[int] = []
    """Only these, beside those measured before; none: every feature that fires."""
    batch: Annotated[Count, said("Features at once", "How many are tried in one pass.")] = 96
    device: str = "auto"


class OutputEffectResult(msgspec.Struct, frozen=True, kw_only=True):
    index: str
    features: int
    """Measured: those that fire, or those asked for."""
    prompts: int
    median: float
    """Of the effects, nats."""
    largest: float
    seconds: float
    works: int = 0
    """Features with a strength that turns a text and leaves it whole, of those measured now."""
    breaks_first: int = 0
    """Features that break the text before they turn it."""
    too_little: int = 0
    """Features that do neither, up to the largest strength tried."""


class FeatureStrengthConfig(msgspec.Struct, frozen=True, kw_only=True, tag="feature_strength"):
    """At which strength one feature turns a text and leaves it whole. Nothing is written."""

    project: str
    index: str
    feature: int
    device: str = "auto"


class FeatureStrengthResult(msgspec.Struct, frozen=True, kw_only=True):
    index: str
    feature: int
    known: KnownStrength
