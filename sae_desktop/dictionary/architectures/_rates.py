"""Learning rates of short runs."""

from __future__ import annotations

LONG_RUN = 50_000
"""Steps from which on a run needs no larger rate."""
HIGHEST_RATE = 6e-3


def short_run_rate(rate: float, steps: int) -> float:
    """Return the rate of a long run, raised with the square root of how much shorter this one is.

    Adam moves a number by about the rate in a step: in the 300 steps of a first run a threshold
    or a bias gets .6 far at 2e-3, and has to get as far as an activation is large. JumpReLU, 512
    features on the built-in model, 293 steps: FVU .371 at 2e-3, .291 at 4e-3, .277 at 6e-3.
    Twice the highest rate kills: of 1,024 features there, two seeds, BatchTopK lost 4 and TopK 10
    at 6e-3 (FVU .228 and .233), 112 and 126 at 12e-3 (.233 and .240).
    """
    return float(min(HIGHEST_RATE, rate * max(1.0, LONG_RUN / steps) ** 0.5))
