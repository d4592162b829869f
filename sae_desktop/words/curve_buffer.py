"""Points of a training run's curves, as they come and as they are read. Free of Qt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from sae_desktop.training.run_log import COLUMNS, RunChange, RunCurves
from sae_desktop.words.curve_info import CURVES, XAxis

Array = npt.NDArray[Any]
_FIRST_CAPACITY = 1024
_DERIVED = "explained_variance"
ALL_COLUMNS = (
    *COLUMNS,
    *(c.column for c in CURVES if c.column not in COLUMNS and c.column != _DERIVED),
)


class CurveBuffer:
    """Columns of a run in arrays that double when they are full."""

    def __init__(self, features: int = 0) -> None:
        """`features` of the dictionary; 0 when unknown: it has no compute axis then."""
        self._values = np.empty((_FIRST_CAPACITY, len(ALL_COLUMNS)))
        self.points = 0
        self.features = features
        self.changes: list[RunChange] = []
        """Settings changed by a person during the run."""

    @classmethod
    def of_run(cls, run: RunCurves, features: int = 0) -> CurveBuffer:
        """Return a buffer that holds a run's log."""
        buffer = cls(features)
        buffer.changes = list(run.changes)
        points = len(run.columns["rows"])
        buffer._reserve(points)
        for number, name in enumerate(ALL_COLUMNS):
            column = run.columns.get(name)
            buffer._values[:points, number] = np.nan if column is None else column
        buffer.points = points
        return buffer

    def append(self, values: Mapping[str, float]) -> None:
        """Add a point; columns not named are NaN.

        A point that is not after the last one takes the place of all from there on: a resumed
        run repeats what came after its checkpoint.
        """
        rows = values.get("rows", np.nan)
        if self.points and rows <= self.column("rows")[-1]:
            self.points = int(np.searchsorted(self.column("rows"), rows))
        self._reserve(self.points + 1)
        self._values[self.points] = [values.get(name, np.nan) for name in ALL_COLUMNS]
        self.points += 1

    def column(self, name: str) -> Array:
        """Return all points of a column, NaN where it was not measured."""
        if name == _DERIVED:
            return np.asarray(1.0 - self.column("fvu"))
        return self._values[: self.points, ALL_COLUMNS.index(name)]

    def measured(self) -> list[str]:
        """Return the curves that have at least one point."""
        return [i.column for i in CURVES if bool(np.isfinite(self.column(i.column)).any())]

    def x(self, axis: XAxis) -> Array:
        """Return where all points lie on an axis, NaN where that is unknown."""
        if axis == "compute":
            known = float(self.features) if self.features else np.nan
            return np.asarray(self.column("step") * known)
        return self.column(axis)

    def curve(self, name: str, axis: XAxis = "rows") -> tuple[Array, Array]:
        """Return (x, values) where the column was measured."""
        x, values = self.x(axis), self.column(name)
        keep = np.isfinite(values) & np.isfinite(x)
        return x[keep], values[keep]

    def value_at(self, name: str, x: float, axis: XAxis = "rows") -> float | None:
        """Return a column's value at the measured point nearest to `x`; None before any."""
        places, values = self.curve(name, axis)
        if not len(places):
            return None
        return float(values[int(np.argmin(np.abs(places - x)))])

    def end(self, axis: XAxis) -> float:
        """Return where the last point lies on an axis; 0 without one."""
        x = self.x(axis)
        x = x[np.isfinite(x)]
        return float(x[-1]) if len(x) else 0.0

    def change_x(self, change: RunChange, axis: XAxis) -> float:
        """Return where a change lies on an axis; NaN where that is unknown."""
        if axis == "rows":
            return float(change.rows)
        if axis == "step":
            return float(change.step)
        if axis == "compute":
            return float(change.step * self.features) if self.features else float("nan")
        if not self.points:
            return float("nan")
        return float(np.interp(change.step, self.column("step"), self.column("seconds")))

    def last(self, name: str) -> float | None:
        """Return the last measured value of a column."""
        _, values = self.curve(name)
        return float(values[-1]) if len(values) else None

    def _reserve(self, points: int) -> None:
        if points > len(self._values):
            grown = np.empty((max(points, 2 * len(self._values)), len(ALL_COLUMNS)))
            grown[: self.points] = self._values[: self.points]
            self._values = grown
