"""Schedules over the steps of a run (Scaling Monosemanticity, Methods)."""

from __future__ import annotations

DECAY_SHARE = 0.2
"""The learning rate falls linearly to 0 over this last share of the run."""
WARM_UP_SHARE = 0.05
"""λ rises linearly from 0 over this first share of the run."""


def learning_rate(step: int, steps: int, peak: float) -> float:
    """Return the rate at a step: `peak`, then linear to 0 at `steps`."""
    left = steps - step
    return peak * min(1.0, left / (DECAY_SHARE * steps))


def sparsity_coefficient(step: int, steps: int, final: float) -> float:
    """Return λ at a step: linear from 0, then `final`."""
    return final * min(1.0, step / (WARM_UP_SHARE * steps))
