"""Measuring what features do to the output: what is asked and answered. Free of torch and Qt."""

from __future__ import annotations

import msgspec

from sae_desktop.limits import Count

PROMPTS = 16


class OutputEffectConfig(msgspec.Struct, frozen=True, kw_only=True, tag="output_effect"):
    """What clamping each feature does to the next token's probabilities."""

    project: str
    index: str
    prompts: list[str] = []
    """None: this many beginnings of passages, taken evenly from the indexed text."""
    count: Count = PROMPTS
    strength: float = 1.0
    """In multiples of each feature's maximum."""
    batch: Count = 64
    """Features tried at once."""
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
