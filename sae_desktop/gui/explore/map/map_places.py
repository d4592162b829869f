"""Where features lie on the map: what is in view, how dense, what is under the pointer.

Free of Qt. F features, of which n have a place; views are (left, top, width, height) in the
map's units.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class View:
    """A piece of the map."""

    left: float
    top: float
    width: float
    height: float

    def moved(self, dx: float, dy: float) -> View:
        """Return the view moved by parts of its own size."""
        return View(
            self.left + dx * self.width, self.top + dy * self.height, self.width, self.height
        )

    def zoomed(self, factor: float, x: float, y: float) -> View:
        """Return the view `factor` times as wide; the point (x, y) stays where it is."""
        return View(
            x - (x - self.left) * factor,
            y - (y - self.top) * factor,
            self.width * factor,
            self.height * factor,
        )

    def between(self, other: View, share: float) -> View:
        """Return the view a share of the way to another."""
        pairs = zip(self.as_tuple(), other.as_tuple(), strict=True)
        return View(*(a + share * (b - a) for a, b in pairs))

    def as_tuple(self) -> tuple[float, float, float, float]:
        return (self.left, self.top, self.width, self.height)


class MapPlaces:
    """The places of all features that have one."""

    def __init__(self, x: Array, y: Array) -> None:
        """Take the columns map_x and map_y (F,), NaN for a feature without a place."""
        there = np.isfinite(x) & np.isfinite(y)
        self.features = np.flatnonzero(there)
        """(n,) ascending."""
        self.x = np.ascontiguousarray(np.asarray(x)[there], dtype=np.float32)
        self.y = np.ascontiguousarray(np.asarray(y)[there], dtype=np.float32)

    def whole(self, aspect: float) -> View:
        """Return the view of everything, for a window `aspect` times as wide as high."""
        if not len(self.features):
            return View(-1.0, -1.0, 2.0, 2.0)
        # Without the few farthest, which would make the rest a dot.
        left, right = np.percentile(self.x, [0.2, 99.8])
        top, bottom = np.percentile(self.y, [0.2, 99.8])
        width, height = max(right - left, 1e-3) * 1.1, max(bottom - top, 1e-3) * 1.1
        width, height = max(width, height * aspect), max(height, width / aspect)
        middle = ((left + right) / 2, (top + bottom) / 2)
        return View(
            float(middle[0] - width / 2),
            float(middle[1] - height / 2),
            float(width),
            float(height),
        )

    def place_of(self, feature: int) -> tuple[float, float] | None:
        """Return where a feature lies; None when it has no place."""
        at = int(np.searchsorted(self.features, feature))
        if at == len(self.features) or self.features[at] != feature:
            return None
        return float(self.x[at]), float(self.y[at])

    def cells(self, view: View, columns: int, rows: int) -> tuple[Array, Array]:
        """Return which places are in view, and the cell of each in a grid (rows × columns)."""
        column = (self.x - np.float32(view.left)) * np.float32(columns / view.width)
        row = (self.y - np.float32(view.top)) * np.float32(rows / view.height)
        inside = np.flatnonzero((column >= 0) & (column < columns) & (row >= 0) & (row < rows))
        return inside, row[inside].astype(np.int32) * columns + column[inside].astype(np.int32)

    def nearest(self, x: float, y: float) -> int | None:
        """Return the feature nearest to a point; None on an empty map."""
        if not len(self.features):
            return None
        distance = np.square(self.x - np.float32(x)) + np.square(self.y - np.float32(y))
        return int(self.features[distance.argmin()])

    def beside(self, feature: int, across: int, down: int) -> int | None:
        """Return the nearest feature to the right (across 1), left (−1), below (down 1) or above.

        What lies to the side of that way counts double. None: there is none on that side.
        """
        place = self.place_of(feature)
        if place is None:
            return None
        dx, dy = self.x - np.float32(place[0]), self.y - np.float32(place[1])
        along, aside = (dx * across, np.abs(dy)) if across else (dy * down, np.abs(dx))
        distance = np.where((along > 0) & (aside <= along), along + 2 * aside, np.inf)
        nearest = int(distance.argmin()) if len(distance) else 0
        found = len(distance) > 0 and np.isfinite(distance[nearest])
        return int(self.features[nearest]) if found else None

    def inside(self, outline: Array) -> Array:
        """Return the features within a closed outline (m, 2)."""
        if len(outline) < 3 or not len(self.features):
            return np.empty(0, dtype=np.int64)
        low, high = outline.min(axis=0), outline.max(axis=0)
        near = np.flatnonzero(
            (self.x >= low[0]) & (self.x <= high[0]) & (self.y >= low[1]) & (self.y <= high[1])
        )
        x, y = self.x[near].astype(np.float64), self.y[near].astype(np.float64)
        within = np.zeros(len(near), dtype=bool)
        for (x0, y0), (x1, y1) in zip(outline, np.roll(outline, -1, axis=0), strict=True):
            crosses = (y0 > y) != (y1 > y)
            if y0 != y1:
                within ^= crosses & (x < (x1 - x0) * (y - y0) / (y1 - y0) + x0)
        return self.features[near[within]]


def density_image(cells: Array, columns: int, rows: int) -> Array:
    """Return (rows, columns) float32 of 0 to 1: the logarithm of how many lie in each cell."""
    counts = np.bincount(cells, minlength=columns * rows)
    logs = np.log1p(counts).astype(np.float32)
    most = float(logs.max(initial=0.0))
    return (logs / most if most else logs).reshape(rows, columns)


def mean_image(cells: Array, values: Array, columns: int, rows: int) -> Array:
    """Return (rows, columns) float32: the mean of the values in each cell, NaN in an empty one."""
    counts = np.bincount(cells, minlength=columns * rows)
    sums = np.bincount(cells, values, minlength=columns * rows)
    with np.errstate(invalid="ignore", divide="ignore"):
        return (sums / counts).astype(np.float32).reshape(rows, columns)


def category_image(cells: Array, values: Array, columns: int, rows: int) -> Array:
    """Return (rows, columns) int32: one feature’s category in each cell, −2 in an empty one."""
    image = np.full(columns * rows, -2, dtype=np.int32)
    image[cells] = values
    return image.reshape(rows, columns)


def spread(values: Array) -> tuple[float, float]:
    """Return the range over which a column is coloured: its 2nd to its 98th percentile."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return 0.0, 1.0
    low, high = np.percentile(finite[:: max(1, len(finite) // 100_000)], [2, 98])
    return float(low), float(high if high > low else low + 1.0)
