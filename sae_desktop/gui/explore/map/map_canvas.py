"""What is seen of the map: a density image far away, points with names near by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QPointF, QRectF, QSize, Qt, QTimer, QVariantAnimation
from PySide6.QtGui import (
    QColor,
    QImage,
    QPainter,
    QPaintEvent,
    QPen,
    QPolygonF,
    QResizeEvent,
)
from PySide6.QtWidgets import QWidget

from sae_desktop.gui.explore.map.map_colours import category_colours, scale
from sae_desktop.gui.explore.map.map_names import MapName, NamePlacer, paint_names
from sae_desktop.gui.explore.map.map_places import (
    MapPlaces,
    View,
    category_image,
    density_image,
    mean_image,
    spread,
)
from sae_desktop.gui.parts import motion, theme
from sae_desktop.gui.parts.theme import rgb

Array = npt.NDArray[Any]

MOST_POINTS = 3000
"""So many features in view are drawn one by one; more as an image."""
_MOST_NAMES = 40
_NAMED_POINTS = 400
"""Among more points names would cover what they name."""
_CELL = 2
"""Pixels of a cell of the image."""
_AT_ONCE = 100_000
"""Of more features the image is moved along while the view moves, and drawn again after."""
_REST_MS = 60
_POINT = 3.0
_FLY_MS = 140
_FAR = 0.55
"""Of the whole map's width, what is at least in view where areas are named."""
_FLY_SHARE = 0.06
"""Of the whole map's width, what a flight ends with at least."""


class MapCanvas(QWidget):
    """A piece of the map; what is done with it by hand is added by `FeatureMapView`."""

    def __init__(self) -> None:
        super().__init__()
        self.places = MapPlaces(np.empty(0), np.empty(0))
        self.view = View(-1.0, -1.0, 2.0, 2.0)
        self.names: Callable[[Array], dict[int, str]] = lambda _features: {}
        self.lasso_mode = False
        self.region_names: Sequence[MapName] = ()
        """Names of areas and clusters, those that come first where there is no room for all."""
        self.selected: int | None = None
        self.pointed: int | None = None
        """The feature under the pointer, or that the arrow keys have come to."""
        self._neighbours: list[tuple[int, float]] = []
        self._shows_whole = True
        self._values: Array | None = None
        self._categorical = False
        self._range = (0.0, 1.0)
        self._image: QImage | None = None
        self._drawn_view = self.view
        """What the image shows."""
        self._rest = QTimer(self, singleShot=True, interval=_REST_MS)
        self._rest.timeout.connect(self.redraw)
        self._placed = NamePlacer(self.font(), QRectF())
        self._visible: Array = np.empty(0, dtype=np.int64)
        self._pressed: QPointF | None = None
        self._pressed_view = self.view
        self._outline: list[QPointF] = []
        self._flight = QVariantAnimation(self)
        self._flight.setDuration(_FLY_MS)
        self._flight.setStartValue(0.0)
        self._flight.setEndValue(1.0)
        self._flight.valueChanged.connect(self._on_flown)
        self._from = self._to = self.view
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setMinimumSize(160, 160)
        self.setAccessibleName("Map of the features")
        theme.manager().themeChanged.connect(self.redraw)

    def sizeHint(self) -> QSize:
        return QSize(360, 360)

    # ------------------------------------------------------------------ content
    def set_places(self, places: MapPlaces) -> None:
        """Show another map, the whole of it."""
        self.places = places
        self.selected, self.pointed, self._neighbours = None, None, []
        self._values = None
        self._image = None  # of another map
        self.show_whole()

    def colour_by(self, values: Array | None, *, categorical: bool = False) -> None:
        """Colour by a figure (F,) of the features; None: by how many there are."""
        chosen = None if values is None else np.asarray(values)[self.places.features]
        self._values, self._categorical = chosen, categorical
        if chosen is not None and not categorical:
            self._range = spread(chosen.astype(np.float32))
        self.redraw()

    def select(self, feature: int | None, neighbours: list[tuple[int, float]]) -> None:
        """Mark a feature and its (neighbour, cosine) pairs, and fly there if it is out of sight."""
        self.selected, self._neighbours = feature, neighbours
        place = None if feature is None else self.places.place_of(feature)
        if place is not None and not self.rect().contains(self._point(*place).toPoint()):
            self.fly_to(*place)
        self.update()

    def fly_to(self, x: float, y: float) -> None:
        """Go to a place in a moment, near enough to tell features apart."""
        whole = self.places.whole(self._aspect())
        width = min(self.view.width, whole.width * _FLY_SHARE)
        height = width / self._aspect()
        self._from, self._to = self.view, View(x - width / 2, y - height / 2, width, height)
        if self.isVisible() and self.window().isActiveWindow():
            motion.start(self._flight)
        else:
            self.set_view(self._to)

    def show_whole(self) -> None:
        """Show everything, at any size of the widget, until another piece is looked at."""
        self.set_view(self.places.whole(self._aspect()))
        self._shows_whole = True

    def set_view(self, view: View) -> None:
        """Show a piece of the map; of very many features, sharp once it rests."""
        self.view = view
        self._shows_whole = False
        if self._image is not None and len(self.places.features) > _AT_ONCE:
            self._rest.start()
            self.update()
        else:
            self.redraw()

    def _on_flown(self, share: float) -> None:
        self.set_view(self._from.between(self._to, float(share)))

    def _aspect(self) -> float:
        return max(self.width(), 1) / max(self.height(), 1)

    # ------------------------------------------------------------------ drawing
    def redraw(self) -> None:
        """Draw what is in view again."""
        columns, rows = max(self.width() // _CELL, 1), max(self.height() // _CELL, 1)
        inside, cells = self.places.cells(self.view, columns, rows)
        self._rest.stop()
        self._visible = inside
        self._image, self._drawn_view = None, self.view
        if len(inside) > MOST_POINTS:
            self._image = self._rasterised(inside, cells, columns, rows)
        self.update()

    def _rasterised(self, inside: Array, cells: Array, columns: int, rows: int) -> QImage:
        colours = theme.palette()
        ground = np.array(rgb(colours.surface), dtype=np.float32)
        density = density_image(cells, columns, rows)
        filled = density > 0
        if self._values is None:
            share = np.where(filled, 0.2 + 0.8 * density, 0.0)[..., None]
            image = ground + share * (np.array(rgb(colours.accent), np.float32) - ground)
        elif self._categorical:
            number = category_image(cells, self._values[inside], columns, rows)
            image = category_colours()[np.where(number < 0, -1, number % len(theme.run_colours()))]
            image = np.where(filled[..., None], image, ground)
        else:
            values = self._values[inside].astype(np.float64)
            known = np.isfinite(values)
            mean = mean_image(cells[known], values[known], columns, rows)
            filled = np.isfinite(mean)
            image = scale(self._share(mean))
            image = np.where(filled[..., None], image, ground)
        data = np.full((rows, columns, 4), 255, dtype=np.uint8)
        data[..., 2::-1] = image.clip(0, 255).astype(np.uint8)
        found = QImage(data.data, columns, rows, columns * 4, QImage.Format.Format_RGB32)
        return found.copy()  # the array goes away

    def _share(self, values: Array) -> Array:
        low, high = self._range
        return np.nan_to_num((values - low) / (high - low)).clip(0, 1)

    def _point(self, x: float, y: float) -> QPointF:
        return QPointF(
            (x - self.view.left) / self.view.width * self.width(),
            (y - self.view.top) / self.view.height * self.height(),
        )

    def _place(self, point: QPointF) -> tuple[float, float]:
        return (
            self.view.left + point.x() / max(self.width(), 1) * self.view.width,
            self.view.top + point.y() / max(self.height(), 1) * self.view.height,
        )

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        colours = theme.palette()
        painter.fillRect(self.rect(), colours.surface)
        if self._image is not None:
            drawn = self._drawn_view
            corner = self._point(drawn.left + drawn.width, drawn.top + drawn.height)
            painter.drawImage(QRectF(self._point(drawn.left, drawn.top), corner), self._image)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self._image is None:
            self._paint_points(painter)
        self._placed = self._place_names()
        paint_names(painter, self._placed.placed, self.font())
        self._paint_selected(painter)
        self._paint_pointed(painter)
        if self._outline:
            painter.setPen(QPen(colours.focus, 1, Qt.PenStyle.DashLine))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawPolygon(QPolygonF(self._outline))
        if self.hasFocus():
            painter.setPen(colours.focus)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(self.rect().adjusted(0, 0, -1, -1))

    def _paint_points(self, painter: QPainter) -> None:
        chosen = self._visible
        x, y = self._pixels(chosen)
        painter.setPen(Qt.PenStyle.NoPen)
        brushes = [QColor(*map(int, c)) for c in self._point_colours(chosen)]
        for at_x, at_y, brush in zip(x.tolist(), y.tolist(), brushes, strict=True):
            painter.setBrush(brush)
            painter.drawEllipse(QPointF(at_x, at_y), _POINT, _POINT)

    def _point_colours(self, chosen: Array) -> Array:
        if self._values is None:
            return np.tile(np.array(rgb(theme.palette().accent)), (len(chosen), 1))
        values = self._values[chosen]
        if self._categorical:
            number = np.where(values < 0, -1, values % len(theme.run_colours()))
            return category_colours()[number]
        return scale(self._share(values.astype(np.float64)))

    def _name(self, names: NamePlacer, chosen: Array, x: Array, y: Array) -> None:
        """Name features from the middle outwards, beside their points."""
        order = np.argsort(np.abs(x - self.width() / 2) + np.abs(y - self.height() / 2))
        order = order[: 4 * _MOST_NAMES]
        found = self.names(self.places.features[chosen[order]])
        named = 0
        for number in order.tolist():
            text = found.get(int(self.places.features[chosen[number]]), "")
            name = MapName(text, 0.0, 0.0)
            if text and names.add(name, QPointF(float(x[number]), float(y[number]))):
                named += 1
            if named >= _MOST_NAMES:
                break

    def _place_names(self) -> NamePlacer:
        """Place the names of areas where the map is seen from afar, of clusters, of features."""
        names = NamePlacer(self.font(), QRectF(self.rect()))
        far = self.view.width > _FAR * self.places.whole(self._aspect()).width
        for name in self.region_names:
            if far or not name.wide:
                names.add(name, self._point(name.x, name.y))
        if self._image is None and len(self._visible) <= _NAMED_POINTS:
            self._name(names, self._visible, *self._pixels(self._visible))
        return names

    def _pixels(self, chosen: Array) -> tuple[Array, Array]:
        """Return where places are on the widget."""
        x = (self.places.x[chosen] - self.view.left) / self.view.width * self.width()
        y = (self.places.y[chosen] - self.view.top) / self.view.height * self.height()
        return x, y

    def _paint_selected(self, painter: QPainter) -> None:
        place = None if self.selected is None else self.places.place_of(self.selected)
        if place is None:
            return
        colours = theme.palette()
        at = self._point(*place)
        for other, cosine in self._neighbours:
            there = self.places.place_of(other)
            if there is not None:
                line = QColor(colours.link)
                line.setAlphaF(min(max(cosine, 0.15), 1.0))
                painter.setPen(QPen(line, 1.5))
                painter.drawLine(at, self._point(*there))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(colours.surface, 4))
        painter.drawEllipse(at, 7, 7)
        painter.setPen(QPen(colours.text, 2))
        painter.drawEllipse(at, 7, 7)

    def _paint_pointed(self, painter: QPainter) -> None:
        """Draw around the feature under the pointer, or that the arrow keys have come to."""
        place = None if self.pointed is None else self.places.place_of(self.pointed)
        if place is not None:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(theme.palette().focus, 2))
            painter.drawEllipse(self._point(*place), 6, 6)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if self._shows_whole:
            self.show_whole()
            return
        middle = self.view.left + self.view.width / 2, self.view.top + self.view.height / 2
        width = max(self.view.width, self.view.height * self._aspect())
        height = width / self._aspect()
        self.set_view(View(middle[0] - width / 2, middle[1] - height / 2, width, height))
