"""What a training needs from the machine, and whether it is available. Free of torch."""

from __future__ import annotations

from typing import Literal

import msgspec

from sae_desktop.training.config import TrainConfig

Resource = Literal["memory", "GPU memory", "disk"]


class PreflightConfig(msgspec.Struct, frozen=True, kw_only=True, tag="preflight"):
    """Tell whether a training fits and how long it takes, from a few real steps."""

    train: TrainConfig
    measure: bool = True
    """Take steps; without, only memory and disk are told."""


class Need(msgspec.Struct, frozen=True, kw_only=True):
    what: str
    """Such as “Adam’s moments”."""
    bytes: int


class Room(msgspec.Struct, frozen=True, kw_only=True):
    """One place: what is needed of it and what is free."""

    place: Resource
    needed_bytes: int
    free_bytes: int
    needs: list[Need]

    @property
    def fits(self) -> bool:
        return self.needed_bytes <= self.free_bytes


class PreflightResult(msgspec.Struct, frozen=True, kw_only=True):
    fits: bool
    problem: str
    """What is needed and what there is, where it does not fit; empty where it does."""
    would_fit: list[str]
    """Changes each of which makes it fit, such as “--features 98,304”."""
    device: str
    precision: str
    """Of the dense products: "float32" or "bfloat16"."""
    rooms: list[Room]
    largest_features: int
    """With everything else as it is."""
    step_seconds: float | None = None
    """Median of the steps taken; null where none were."""
    steps_measured: int = 0
    seconds_per_million_tokens: float | None = None
    seconds: float | None = None
    """The whole run, checkpoints and figures left out."""
