"""When a change is more than harmless: a threshold from harmless runs, with a promised rate.

A run is a series of checkpoints, and each has scores, sizes of change since the one before. A
quarter of the harmless runs gives every score its unit: the largest it reached in one of them, the
median over these. A run's height is then the largest score in these units at any of its
checkpoints. The others give the threshold: of n of them, the ⌈(n + 1)(1 − rate)⌉-th smallest
height. A further harmless run of the same kind goes above it in at most that share of cases,
whatever the scores are like, if runs are exchangeable (split conformal prediction; Vovk, Gammerman
and Shafer, 2005): same model, text, recipe, number of checkpoints, with other seeds. Free of torch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from sae_desktop.errors import UserError
from sae_desktop.safety.change.config import Alert, WatchedCheckpoint

_UNIT_SHARE = 4
_TINY = 1e-9

Run = Sequence[Mapping[str, float]]
"""Scores of each checkpoint of a run."""


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """What a threshold comes from; kept as changes/<name>.calibration.json."""

    rate: float
    units: dict[str, float]
    heights: list[float]
    """Of the harmless runs that give the threshold, ascending."""
    threshold: float
    checkpoints: int
    """The promise is for runs of up to so many."""
    unit_runs: list[str] = []
    runs: list[str] = []
    settings: str = ""
    """Of the watches; a watch with others has other scores."""


def needed_runs(rate: float) -> int:
    """Return the harmless runs without which a rate cannot be promised, those for units included.

    n runs promise no less than 1 / (n + 1).
    """
    heights = math.ceil(1 / rate - 1e-9) - 1
    total = heights + 1
    while total - _unit_runs(total) < heights:
        total += 1
    return total


def _unit_runs(runs: int) -> int:
    return max(1, runs // _UNIT_SHARE)


def calibrate(
    runs: Mapping[str, Run], rate: float, settings: str = "", needed: int | None = None
) -> Calibration:
    """Return the threshold that harmless runs give.

    Raises UserError for too few runs, and for runs without the same scores.
    """
    enough = needed_runs(rate) if needed is None else needed
    if len(runs) < enough:
        raise UserError(
            f"A rate of {rate:g} cannot be promised from {_counted(len(runs))}: {enough} are "
            "needed.",
            kept="Nothing was changed.",
            next_step=f"Watch {_counted(enough - len(runs), 'further ')} with other seeds, or "
            "promise a higher rate.",
        )
    names = {frozenset(scores) for run in runs.values() for scores in run if scores}
    if len(names) != 1 or not all(any(run) for run in runs.values()):
        raise UserError(
            "The watches do not have the same scores, so they cannot be put together.",
            kept="Nothing was changed.",
            next_step="Watch every run with the same dictionary and traits.",
        )
    called = list(runs)
    for_units, rest = called[: _unit_runs(len(called))], called[_unit_runs(len(called)) :]
    units = {
        name: max(float(np.median([_largest(runs[run], name) for run in for_units])), _TINY)
        for name in sorted(next(iter(names)))
    }
    heights = sorted(height(runs[run], units) for run in rest)
    rank = math.ceil((len(heights) + 1) * (1 - rate) - 1e-9)
    return Calibration(
        rate=rate,
        units=units,
        heights=heights,
        threshold=heights[min(rank, len(heights)) - 1],
        checkpoints=min(len(run) for run in runs.values()),
        unit_runs=for_units,
        runs=rest,
        settings=settings,
    )


def _counted(runs: int, which: str = "") -> str:
    return f"{runs} {which}harmless run{'' if runs == 1 else 's'}"


def _largest(run: Run, name: str) -> float:
    return max((scores[name] for scores in run if scores), default=0.0)


def height(run: Run, units: Mapping[str, float]) -> float:
    """Return the largest score of a run, in units."""
    return max((scores[name] / unit for scores in run if scores for name, unit in units.items()))


def alert_of(
    calibration: Calibration, checkpoint: str, before: str, scores: Mapping[str, float]
) -> Alert | None:
    """Return what there is to say of a checkpoint; None where it is like harmless ones.

    Raises UserError where it lacks a score that the calibration has.
    """
    lacking = [name for name in calibration.units if name not in scores]
    if lacking:
        raise UserError(
            f"The calibration has the score “{lacking[0]}”, and this watch has not.",
            next_step="Watch with the dictionary and the traits of the calibration.",
        )
    ratios = {name: scores[name] / unit for name, unit in calibration.units.items()}
    measure = max(ratios, key=lambda name: ratios[name])
    if ratios[measure] <= calibration.threshold:
        return None
    as_far = sum(found >= ratios[measure] for found in calibration.heights)
    return Alert(
        checkpoint=checkpoint,
        since=before,
        measure=measure,
        ratio=ratios[measure],
        threshold=calibration.threshold,
        p=(1 + as_far) / (len(calibration.heights) + 1),
        promised=calibration.rate,
    )


def run_of(watched: Sequence[WatchedCheckpoint]) -> list[Mapping[str, float]]:
    """Return the scores of what was watched, checkpoint by checkpoint."""
    return [one.scores for one in watched if one.scores]
