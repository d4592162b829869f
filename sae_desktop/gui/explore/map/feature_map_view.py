"""The map of features under one's hands: dragged, zoomed, clicked, walked by the arrow keys."""

from __future__ import annotations

from typing import Any

import numpy as np
from PySide6.QtCore import QPoint, QPointF, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QWheelEvent

from sae_desktop.gui.explore.map.map_canvas import MapCanvas

_NEAR = 12.0
_CLICK = 4.0
_WAYS = {
    Qt.Key.Key_Left: (-1, 0),
    Qt.Key.Key_Right: (1, 0),
    Qt.Key.Key_Up: (0, -1),
    Qt.Key.Key_Down: (0, 1),
}


class FeatureMapView(MapCanvas):
    """Drag pans, the wheel zooms, Shift and drag draws a lasso, a click chooses a feature.

    Arrow keys go from feature to feature, with Ctrl they pan; Return chooses.
    """

    featureClicked = Signal(int)
    lassoDrawn = Signal(object)
    """The features within the outline, ascending."""
    featureHovered = Signal(object)
    """A feature's number, or None."""
    regionHovered = Signal(object)
    """Region whose name is under the pointer, or None."""
    regionClicked = Signal(object)
    """Region whose name was clicked."""

    # ------------------------------------------------------------------ hands
    def feature_at(self, point: QPointF) -> int | None:
        """Return the feature within reach of a point of the widget."""
        x, y = self._place(point)
        nearest = self.places.nearest(x, y)
        place = None if nearest is None else self.places.place_of(nearest)
        if place is None:
            return None
        away = self._point(*place) - point
        return nearest if abs(away.x()) + abs(away.y()) <= _NEAR else None

    def wheelEvent(self, event: QWheelEvent) -> None:
        steps = event.angleDelta().y() / 120
        self.set_view(self.view.zoomed(0.8**steps, *self._place(event.position())))
        event.accept()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._flight.stop()
            self._pressed, self._pressed_view = event.position(), self.view
            if self.lasso_mode or event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
                self._outline = [event.position()]

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._pressed is None or not event.buttons() & Qt.MouseButton.LeftButton:
            self._hover(event.position())
        elif self._outline:
            self._outline.append(event.position())
            self.update()
        else:
            away = event.position() - self._pressed
            self.set_view(
                self._pressed_view.moved(-away.x() / self.width(), -away.y() / self.height())
            )

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        pressed, self._pressed = self._pressed, None
        if self._outline:
            outline = np.array([self._place(point) for point in self._outline])
            self._outline = []
            self.update()
            found = self.places.inside(outline)
            if len(found):
                self.lassoDrawn.emit(found)
        elif pressed is not None:
            away = event.position() - pressed
            if abs(away.x()) + abs(away.y()) <= _CLICK:
                self._click(event.position())

    def _click(self, point: QPointF) -> None:
        region, feature = self._placed.region_at(point), self.feature_at(point)
        if region is not None:
            self.regionClicked.emit(region)
        elif feature is not None:
            self.featureClicked.emit(feature)

    def _hover(self, point: QPointF) -> None:
        region = self._placed.region_at(point)
        feature = None if region is not None else self.feature_at(point)
        hand = region is not None or feature is not None
        self.setCursor(Qt.CursorShape.PointingHandCursor if hand else Qt.CursorShape.ArrowCursor)
        self.regionHovered.emit(region)
        self.point_at(feature)

    def told_place(self) -> QPoint | None:
        """Return where what is pointed at can be told without covering it."""
        if self.pointed is not None:
            place = self.places.place_of(self.pointed)
            if place is not None:
                return self._point(*place).toPoint() + QPoint(12, 12)
        if self.underMouse():
            return self.mapFromGlobal(self.cursor().pos()) + QPoint(12, 12)
        return None

    def point_at(self, feature: int | None) -> None:
        """Say what one is looking at: with the pointer, or by the arrow keys."""
        if feature != self.pointed:
            self.pointed = feature
            self.update()
        self.featureHovered.emit(feature)

    def leaveEvent(self, event: Any) -> None:
        super().leaveEvent(event)
        self.regionHovered.emit(None)
        self.point_at(None)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        middle = self._place(QPointF(self.width() / 2, self.height() / 2))
        key = Qt.Key(event.key())
        if key in _WAYS:
            if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
                self.set_view(self.view.moved(*(0.1 * way for way in _WAYS[key])))
            else:
                self._step(*_WAYS[key])
        elif key in (Qt.Key.Key_Plus, Qt.Key.Key_Equal):
            self.set_view(self.view.zoomed(0.8, *middle))
        elif key == Qt.Key.Key_Minus:
            self.set_view(self.view.zoomed(1.25, *middle))
        elif key == Qt.Key.Key_0:
            self.show_whole()
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            feature = self._stood_on()
            if feature is not None:
                self.featureClicked.emit(feature)
        else:
            super().keyPressEvent(event)

    def _stood_on(self) -> int | None:
        """Return the feature the arrow keys start at: pointed at, selected, or in the middle."""
        for feature in (self.pointed, self.selected):
            place = None if feature is None else self.places.place_of(feature)
            if place is not None and self.rect().contains(self._point(*place).toPoint()):
                return feature
        return self.places.nearest(*self._place(QPointF(self.width() / 2, self.height() / 2)))

    def _step(self, across: int, down: int) -> None:
        """Go to the nearest feature on that side, and bring it into sight."""
        start = self._stood_on()
        found = None if start is None else self.places.beside(start, across, down)
        place = None if found is None else self.places.place_of(found)
        if place is None:
            return
        if not self.rect().adjusted(16, 16, -16, -16).contains(self._point(*place).toPoint()):
            self.set_view(self.view.moved(0.3 * across, 0.3 * down))
        if not self.rect().contains(self._point(*place).toPoint()):
            self.fly_to(*place)
        self.point_at(found)
