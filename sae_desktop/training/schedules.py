"""Schedules over the steps of a run (Scaling Monosemanticity, Methods)."""

from __future__ import annotations

from typing import Protocol


class Schedule(Protocol):
    """The numbers a schedule follows; shares are of the whole run."""

    @property
    def steps(self) -> int: ...
    @property
    def lr(self) -> float: ...
    @property
    def sparsity(self) -> float: ...
    @property
    def lr_warm_up(self) -> float: ...
    @property
    def lr_decay(self) -> float: ...
    @property
    def sparsity_warm_up(self) -> float: ...


def learning_rate(step: int, schedule: Schedule) -> float:
    """Return the rate at a step: linear from 0, then the peak, then linear to 0 at the end."""
    rising = _share(step + 1, schedule.lr_warm_up * schedule.steps)
    falling = _share(schedule.steps - step, schedule.lr_decay * schedule.steps)
    return schedule.lr * min(rising, falling)


def sparsity_coefficient(step: int, schedule: Schedule) -> float:
    """Return λ at a step: linear from 0, then its final value."""
    return schedule.sparsity * _share(step, schedule.sparsity_warm_up * schedule.steps)


def _share(steps: float, of: float) -> float:
    return min(1.0, steps / of) if of > 0 else 1.0
