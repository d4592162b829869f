"""Points of a training run's curves, as they come and as they are read. Free of Qt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sae_desktop.training.run_log import COLUMNS, RunCurves

Array = npt.NDArray[Any]
_FIRST_CAPACITY = 1024


@dataclass(frozen=True)
class CurveInfo:
    """How a column is drawn."""

    column: str
    title: str
    unit: str
    logarithmic: bool
    """Whether its axis can be logarithmic: it is positive and spans decades."""
    least_span: float = 0.0
    """A linear axis that begins at 0 spans at least this; 0: the axis follows the values."""


CURVES = (
    CurveInfo("loss", "Loss", "", True),
    CurveInfo("fvu", "FVU", "", True),
    CurveInfo("l0", "L0", "features/row", True),
    CurveInfo("dead_fraction", "Dead", "share of features", False, 0.05),
    CurveInfo("loss_recovered", "Loss recovered", "share", False),
    CurveInfo("rows_per_second", "Throughput", "rows/s", False, 10.0),
)


class CurveBuffer:
    """Columns of a run in arrays that double when they are full."""

    def __init__(self) -> None:
        self._values = np.empty((_FIRST_CAPACITY, len(COLUMNS)))
        self.points = 0

    @classmethod
    def of_run(cls, run: RunCurves) -> CurveBuffer:
        """Return a buffer that holds a run's log."""
        buffer = cls()
        points = len(run.columns["rows"])
        buffer._reserve(points)
        for number, name in enumerate(COLUMNS):
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
        self._values[self.points] = [values.get(name, np.nan) for name in COLUMNS]
        self.points += 1

    def column(self, name: str) -> Array:
        """Return all points of a column, NaN where it was not measured."""
        return self._values[: self.points, COLUMNS.index(name)]

    def curve(self, name: str) -> tuple[Array, Array]:
        """Return (rows consumed, values) where the column was measured."""
        values = self.column(name)
        keep = np.isfinite(values)
        return self.column("rows")[keep], values[keep]

    def at(self, rows: float) -> dict[str, float]:
        """Return column → value at the point nearest to `rows`, where it was measured."""
        found = {}
        for info in CURVES:
            x, y = self.curve(info.column)
            if len(x):
                found[info.column] = float(y[int(np.argmin(np.abs(x - rows)))])
        return found

    def last(self, name: str) -> float | None:
        """Return the last measured value of a column."""
        _, values = self.curve(name)
        return float(values[-1]) if len(values) else None

    def table(self) -> str:
        """Return all points as tab-separated text with a heading."""
        lines = ["\t".join(COLUMNS)]
        for row in self._values[: self.points]:
            lines.append("\t".join("" if np.isnan(value) else f"{value:.8g}" for value in row))
        return "\n".join(lines) + "\n"

    def _reserve(self, points: int) -> None:
        if points > len(self._values):
            grown = np.empty((max(points, 2 * len(self._values)), len(COLUMNS)))
            grown[: self.points] = self._values[: self.points]
            self._values = grown
