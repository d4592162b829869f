"""A score of every feature over another figure of it: a click opens the feature."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyqtgraph as pg
from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from sae_desktop.gui.explore.labels.line_names import BoundAxis, Levels
from sae_desktop.gui.explore.labels.plot_frame import PlotFrame
from sae_desktop.gui.explore.labels.score_data import Level, Points
from sae_desktop.gui.parts import theme
from sae_desktop.gui.parts.plot_style import curve_pen, dress, plot_view

Array = npt.NDArray[Any]

_MOST_POINTS = 20_000
"""More are drawn as an image: the darker, the more features."""
_CELLS = (240, 120)
_NEAR, _NEAR_LINE = 12.0, 4.0
"""Pixels from a point, or a line, within which the pointer means it."""
_SIZE = 5
_STRENGTH = 0.55
"""Of the points’ colour, so that the lines over them are seen."""
_STEPS, _LEAST_STEP = 12, 15
_OVERSHOOT = 0.06
_HINT = "Point at a feature or a line to see which it is; a click opens a feature."


class FeatureScatter(QWidget):
    """Points, or where there are very many an image of them, with rivals as lines across."""

    opened = Signal(int)
    """A feature that was clicked."""

    def __init__(
        self, title: str, below: str, said: Callable[[int], str], *, logarithmic: bool = False
    ) -> None:
        """`below` names the lower axis; `said` gives what a feature is called."""
        super().__init__()
        self._below, self._said, self._logarithmic = below, said, logarithmic
        self._points: Points | None = None
        self._places: tuple[Array, Array] = (np.empty(0), np.empty(0))
        self._levels: tuple[Level, ...] = ()
        self._score = ""
        self._edges = (0.0, 1.0)
        self._below_axis = BoundAxis(orientation="bottom")
        self.view = plot_view({"bottom": self._below_axis}, still=True)
        self.plot = self.view.getPlotItem()
        self.plot.hideButtons()
        self.plot.setMenuEnabled(False)
        self.plot.setLogMode(x=logarithmic, y=False)
        self.plot.getAxis("bottom").enableAutoSIPrefix(False)
        self.plot.getAxis("left").enableAutoSIPrefix(False)
        self._spots = pg.ScatterPlotItem(pen=None, size=_SIZE, pxMode=True)
        self._image = pg.ImageItem()
        self._mark = pg.ScatterPlotItem(size=11, brush=None)
        self._mark.setZValue(20)
        for item in (self._image, self._spots, self._mark):
            self.plot.addItem(item)
        self._middle = pg.PlotCurveItem()  # places are logarithms already
        self._middle.setZValue(9)
        self.plot.addItem(self._middle, ignoreBounds=True)
        self._lines = Levels(self.plot)
        self.frame = PlotFrame(title, self.view, self.data_text)
        self.frame.readout.setText(_HINT)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.frame)
        self.view.scene().sigMouseMoved.connect(self._on_mouse_moved)
        self.view.scene().sigMouseClicked.connect(self._on_mouse_clicked)
        self.plot.vb.sigResized.connect(self._place_lines)
        theme.manager().themeChanged.connect(self._draw)

    def show_points(self, points: Points, levels: tuple[Level, ...], score: str) -> None:
        """Draw scores, called `score` at their axis, and the lines of rivals."""
        self._points, self._levels, self._score = points, levels, score
        x = np.log10(points.x) if self._logarithmic else np.asarray(points.x, float)
        self._places = (x, np.asarray(points.y, float))
        self.view.setAccessibleDescription(
            f"{len(points.features)} features; "
            + "; ".join(f"{level.name} {level.value:.2f}" for level in levels)
        )
        self._draw()

    def _draw(self) -> None:
        if self._points is None or not len(self._points.features):
            return
        colours = theme.palette()
        dress(self.plot)
        self.view.setBackground(colours.surface)
        self.plot.setLabel("bottom", self._below)
        self.plot.setLabel("left", self._score)
        x, y = self._places
        values = [float(y.min()), float(y.max()), *(level.value for level in self._levels)]
        low, high = min(values), max(values)
        room = max(high - low, 0.1) * _OVERSHOOT
        left, right = float(x.min()), float(x.max())
        side = max(right - left, 0.1) * _OVERSHOOT / 2
        self.plot.setYRange(low - room, high + 2 * room, padding=0)
        many = len(x) > _MOST_POINTS
        self._spots.setVisible(not many)
        self._image.setVisible(many)
        if many:
            box = QRectF(left, low, max(right - left, 1e-9), max(high - low, 1e-9))
            self._draw_image(x, y, box)
        else:
            brush = theme.blend(colours.surface, colours.accent, _STRENGTH)
            self._spots.setData(x=x, y=y, brush=pg.mkBrush(brush))
        self._middle.setData(*middle_line(x, y))
        self._middle.setPen(curve_pen(colours.text))
        self._mark.setPen(curve_pen(colours.text))
        self._mark.setData([])
        self._edges = (left - side, right + side)
        self._below_axis.most = right + side
        self._place_lines()

    def _place_lines(self, _resized: object = None) -> None:
        """Draw the rivals' lines over the points, and their names beside them."""
        if self._points is not None and len(self._points.features):
            self._lines.show_levels(self._levels, *self._edges)

    def _draw_image(self, x: Array, y: Array, box: QRectF) -> None:
        bounds = [[box.left(), box.right()], [box.top(), box.bottom()]]
        counts, _, _ = np.histogram2d(x, y, bins=_CELLS, range=bounds)
        share = np.log1p(counts) / max(np.log1p(counts.max()), 1e-9)
        pixels = np.zeros((*counts.shape, 4), np.uint8)
        pixels[..., :3] = theme.rgb(theme.palette().accent)
        pixels[..., 3] = np.where(counts > 0, 50 + 205 * share, 0)
        self._image.setImage(pixels, levels=(0, 255))
        self._image.setRect(box)

    # ------------------------------------------------------------------ the pointer
    def feature_at(self, place: QPointF) -> int | None:
        """Return which of the points the pointer means at a place of the scene."""
        box = self.plot.vb
        if self._points is None or not box.sceneBoundingRect().contains(place):
            return None
        at, pixel = box.mapSceneToView(place), box.viewPixelSize()
        x, y = self._places
        away = ((x - at.x()) / pixel[0]) ** 2 + ((y - at.y()) / pixel[1]) ** 2
        nearest = int(away.argmin()) if len(away) else -1
        return nearest if nearest >= 0 and away[nearest] <= _NEAR**2 else None

    def line_at(self, place: QPointF) -> Level | None:
        """Return which of the rivals' lines the pointer means."""
        box = self.plot.vb
        if not self._levels or not box.sceneBoundingRect().contains(place):
            return None
        at, pixel = box.mapSceneToView(place).y(), box.viewPixelSize()[1]
        nearest = min(self._levels, key=lambda level: abs(level.value - at))
        return nearest if abs(nearest.value - at) <= _NEAR_LINE * pixel else None

    def _on_mouse_moved(self, place: QPointF) -> None:
        nearest = self.feature_at(place)
        if nearest is None or self._points is None:
            self._mark.setData([])
            line = self.line_at(place)
            self.frame.readout.setText(_HINT if line is None else _told(line))
            self.view.setCursor(Qt.CursorShape.ArrowCursor)
            return
        x, y = self._places
        self._mark.setData(x=[x[nearest]], y=[y[nearest]])
        self.view.setCursor(Qt.CursorShape.PointingHandCursor)
        self.frame.readout.setText(self.said_of(nearest))

    def said_of(self, place: int) -> str:
        """Return what is said of a point: its feature, its score, the interval."""
        points = self._points
        assert points is not None
        feature = int(points.features[place])
        told = f"{self._score} {points.y[place]:.2f}"
        low, high = float(points.low[place]), float(points.high[place])
        if np.isfinite(low) and np.isfinite(high):
            told = f"{told} (95% interval {low:.2f} to {high:.2f})"
        return f"{told}: {self._said(feature)}"

    def _on_mouse_clicked(self, event: Any) -> None:
        nearest = self.feature_at(event.scenePos())
        if nearest is not None and self._points is not None:
            self.opened.emit(int(self._points.features[nearest]))

    def data_text(self) -> str:
        """Return the points as tab-separated text with a header."""
        lines = [f"feature\t{self._below}\t{self._score}\tlow\thigh"]
        points = self._points
        if points is not None:
            rows = zip(points.features, points.x, points.y, points.low, points.high, strict=True)
            lines += [
                f"{int(f)}\t{x:.6g}\t{y:.4g}\t{low:.4g}\t{high:.4g}" for f, x, y, low, high in rows
            ]
        lines += [
            f"{level.name}\t\t{level.value:.4g}\t{level.low:.4g}\t{level.high:.4g}"
            for level in self._levels
        ]
        return "\n".join(lines)


def _told(level: Level) -> str:
    """Return a rival’s mean with its interval, in words."""
    if level.low == level.high:
        return f"{level.name}: {level.value:.2f}"
    return f"{level.name}: mean {level.value:.2f}, 95% interval {level.low:.2f} to {level.high:.2f}"


def middle_line(x: Array, y: Array) -> tuple[Array, Array]:
    """Return the means of y over stretches of x with as many points each; none of few points."""
    steps = min(len(x) // _LEAST_STEP, _STEPS)
    if steps < 2:
        return np.empty(0), np.empty(0)
    parts = np.array_split(np.argsort(x, kind="stable"), steps)
    return (
        np.array([np.mean(x[part]) for part in parts]),
        np.array([np.mean(y[part]) for part in parts]),
    )
