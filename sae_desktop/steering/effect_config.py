"""Measuring what features do to the output: what is asked and answered. Free of torch and Qt."""

from __future__ import annotations

from typing import Annotated

import msgspec

from sae_desktop.described import said
from sae_desktop.limits import Count

PROMPTS = 16


class OutputEffectConfig(msgspec.Struct, frozen=True, kw_only=True, tag="output_effect"):
    """What clamping each feature does to the next token's probabilities."""

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
    batch: Annotated[Count, said("Features at once", "How many are tried in one pass.")] = 64
    device: str = "auto"


class OutputEffectResult(msgspec.Struct, frozen=True, kw_only=True):
    index: str
    features: int
    """Measured: those that fire."""
    prompts: int
    median: float
    """Of the effects, nats."""
    largest: float
    seconds: float
