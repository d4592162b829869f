"""The best value of a setting against compute, from runs that share a compute or a size.

In groups of runs that differ in one setting only, the log of the loss is a parabola in the log
of the setting (Hoffmann et al., 2022, approach 2). All groups are fitted at once, with one width,
their lowest points on a line: a group whose best lies at the edge of what was tried is not left
out, which would favour those that noise moved inwards. Free of torch. n runs in G groups.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sae_desktop.training.sweeps.power_law import PowerLaw
from sae_desktop.training.sweeps.predicted import Predict
from sae_desktop.training.sweeps.region import LEVEL, OPEN, Interval

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Valleys:
    """Where the groups' parabolas are lowest."""

    law: PowerLaw
    """The best setting, in compute."""
    best: Array
    """(G,) the best setting of each group, on the law."""
    lowest: Array
    """(G,) the loss there."""
    variance: float
    """Of the residuals, the parameters spent taken off."""
    freedom: int
    """Runs beyond the parameters."""
    predict: Predict
    """The interval of the best setting at a compute."""


def fit_valleys(group: Array, setting: Array, compute: Array, loss: Array) -> Valleys | None:
    """Fit log loss = l_g + κ·(log setting − m_g)² with m = a + e·log compute.

    group (n,) from 0 to G − 1; setting, compute and loss (n,) above 0. The interval of e is
    Fieller's, that of a ratio of two coefficients. None where κ is not above 0 or there are no
    more runs than parameters.
    """
    from scipy.stats import t

    groups, n = int(group.max()) + 1, len(loss)
    freedom = n - groups - 3
    if freedom < 1:
        return None
    u, c = np.log(setting), np.log(compute)
    middle_u, middle_c = u.mean(), c.mean()
    u, c = u - middle_u, c - middle_c
    table = np.column_stack([np.eye(groups)[group], u * u, u, u * c])
    solved, _, rank, _ = np.linalg.lstsq(table, np.log(loss))
    width, slope, tilt = solved[-3:]
    if rank < table.shape[1] or width <= 0:
        return None
    residuals = np.log(loss) - table @ solved
    variance = float(np.square(residuals).sum() / freedom)
    spread = variance * np.linalg.inv(table.T @ table)
    exponent, offset = -tilt / (2 * width), -slope / (2 * width)
    of_group = np.bincount(group, weights=c) / np.bincount(group)
    lowest = offset + exponent * of_group
    limit = float(t.ppf((1 + LEVEL) / 2, freedom))

    def at(budget: float) -> Interval:
        away = math.log(budget) - middle_c
        weights = np.array([1.0, away])  # of slope and tilt
        found = _ratio(
            float(weights @ (slope, tilt)), -2 * width,
            float(weights @ spread[-2:, -2:] @ weights), 4 * spread[-3, -3],
            float(-2 * weights @ spread[-2:, -3]), limit,
        )  # fmt: skip
        if found.low is None or found.high is None:
            return OPEN
        return Interval(low=math.exp(middle_u + found.low), high=math.exp(middle_u + found.high))

    law = PowerLaw(
        coefficient=float(np.exp(middle_u + offset - exponent * middle_c)),
        exponent=float(exponent),
        irreducible=None,
        exponent_interval=_ratio(
            tilt, -2 * width, spread[-1, -1], 4 * spread[-3, -3], -2 * spread[-1, -3],
            limit,
        ),
        irreducible_interval=None,
        residuals=residuals.tolist(),
        points=n,
    )  # fmt: skip
    return Valleys(
        law=law,
        best=np.exp(middle_u + lowest),
        lowest=np.exp(solved[:groups] - width * lowest**2),
        variance=variance,
        freedom=freedom,
        predict=at,
    )


def _ratio(
    above: float, below: float, of_above: float, of_below: float, both: float, t: float
) -> Interval:
    """Return Fieller's interval of above / below from their variances and covariance."""
    square = below**2 - t**2 * of_below
    if square <= 0:  # the lower one is not told from 0
        return OPEN
    half = above * below - t**2 * both
    root = math.sqrt(max(0.0, half**2 - square * (above**2 - t**2 * of_above)))
    return Interval(low=float((half - root) / square), high=float((half + root) / square))
