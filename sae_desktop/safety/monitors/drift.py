"""Whether text is still such as a monitor was calibrated on. Pure: numbers in, numbers out.

One number stands for a document, its highest score, since its units depend on one another. The
two samples are compared by the test of Kolmogorov and Smirnov, and the smallest of several p
values by Holm's method, so that many monitors do not make an alarm. That text of the same kind
gives an alarm happens at most once in 1/LEVEL runs. No alarm is no proof: a shift that leaves the
scores' distribution alone, and one in too little text, is not seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

LEVEL = 0.01
FEWEST = 20
"""Documents from which on a comparison is made."""


def drift_p(calibration: Array, found: Array) -> float | None:
    """Return the p value of one monitor's scores; None where there are too few documents."""
    from scipy.stats import ks_2samp

    if min(len(calibration), len(found)) < FEWEST:
        return None
    return float(ks_2samp(calibration, found, method="auto").pvalue)


def corrected(values: Sequence[float | None]) -> list[float | None]:
    """Return Holm's corrected p values, in the order given; None stays None."""
    known = [(p, place) for place, p in enumerate(values) if p is not None]
    out: list[float | None] = [None] * len(values)
    largest = 0.0
    for rank, (p, place) in enumerate(sorted(known)):
        largest = max(largest, min(p * (len(known) - rank), 1.0))
        out[place] = largest
    return out


def warning(p: float | None, rate: float, promised: float, calibration: Array, found: Array) -> str:
    """Return what is said of a drift; empty where nothing speaks for one."""
    if p is None or p > LEVEL:
        return ""
    higher = float(np.median(found)) >= float(np.median(calibration))
    return (
        f"This text’s scores differ from those of calibration (p = {p:.2g}); the typical document "
        f"scores {'higher' if higher else 'lower'}. The promise of {promised:.2%} does not extend "
        f"to this text, of which {rate:.2%} fire: calibrate on text of this kind."
    )
