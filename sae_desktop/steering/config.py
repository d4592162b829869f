"""What steering is asked to do, and what it answers. Free of torch."""

from __future__ import annotations

import msgspec


class Clamp(msgspec.Struct, frozen=True, kw_only=True):
    """Set one feature to a multiple of its maximum at every token, the error kept.

    x' = x + (v − a)·d with v = clamp × the feature's maximum over the index's data
    (Scaling Monosemanticity, steering).
    """

    feature: int
    clamp: float


class SteerConfig(msgspec.Struct, frozen=True, kw_only=True, tag="steer"):
    """Continue a prompt twice, plain and with features clamped, from the same random numbers."""

    project: str
    index: str
    prompt: str
    clamps: list[Clamp]
    max_new_tokens: int = 40
    temperature: float = 0.0
    """0: always the likeliest token."""
    seed: int = 0
    chat: bool = False
    """Put the prompt through the model's chat template, where it has one."""
    device: str = "auto"


class TokenProbability(msgspec.Struct, frozen=True, kw_only=True):
    token: str
    plain: float
    steered: float


class SteeredToken(msgspec.Struct, frozen=True, kw_only=True, tag="steered_token"):
    """One step of the generation; a side that has ended hands an empty text."""

    position: int
    plain: str
    steered: str
    next_tokens: list[TokenProbability] = []
    """Only with position 0: the likeliest next tokens after the prompt, either side."""


class SteerResult(msgspec.Struct, frozen=True, kw_only=True):
    prompt: str
    plain: str
    steered: str
    next_tokens: list[TokenProbability]
