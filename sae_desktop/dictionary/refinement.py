"""A second look at what a first reading of a row leaves over: a step of LISTA, and leave-one-out.

LISTA (Gregor and LeCun, 2010) unrolls iterative sparse coding. One step of it, with the encoder's
own weights, from the activations a⁰ of a plain reading:

    a¹ = kept(x·W_enc + b_enc + η·(x − x̂(a⁰))·W_enc)

Leave-one-out takes the features that are active one at a time, and keeps those that the row still
needs when all others have written. With unit decoder rows feature i explains of what is then left

    (x − x̂)·W_dec,i + a_i,    which must exceed τ·threshold_i.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor


@dataclass(frozen=True)
class Refinement:
    """What a dictionary does after its first reading of a row."""

    step: float = 0.0
    """η; 0: there is one reading."""
    first_threshold: Tensor | None = None
    """(F,): what activations of the first reading must exceed; needed where there is a step."""
    leave_one_out: float = 0.0
    """τ; 0: every feature that is active stays."""

    def __post_init__(self) -> None:
        """Raise ValueError for a step without the thresholds before it."""
        if self.step and self.first_threshold is None:
            raise ValueError("a second reading needs the thresholds of the first one")

    def scaled(self, factor: Tensor | float) -> Refinement:
        """Return it for activations that are `factor` (or (F,) of them) times as large."""
        if self.first_threshold is None:
            return self
        return replace(self, first_threshold=self.first_threshold * factor)

    def to(self, device: torch.device | str) -> Refinement:
        """Return it on another device."""
        if self.first_threshold is None:
            return self
        return replace(self, first_threshold=self.first_threshold.to(device))
