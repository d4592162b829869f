"""The whole graph, small, in a corner of the canvas: where one is, and a way to elsewhere."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QMouseEvent, QPainter, QPaintEvent, QPen, QPixmap
from PySide6.QtWidgets import QWidget

from sae_desktop.gui.circuits.canvas.scene import ERROR, Scene
from sae_desktop.gui.parts import theme

_WIDEST, _HIGHEST = 168.0, 104.0
_PAD = 4.0
_AWAY = 8
_DOT = 2.0


class Minimap(QWidget):
    """Hidden while all of the graph is in sight. It is for the pointer: keys pan the canvas."""

    moved = Signal(object)
    """QPointF of the drawing that is to be in the middle."""

    def __init__(self, canvas: QWidget) -> None:
        super().__init__(canvas)
        self._scene: Scene | None = None
        self._seen = QRectF()
        self._scale = 1.0
        self._dots: QPixmap | None = None
        theme.manager().themeChanged.connect(self._forget)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAccessibleName("The whole graph")
        self.hide()

    def show_scene(self, scene: Scene | None) -> None:
        self._scene, self._dots = scene, None
        self.update()

    def _forget(self) -> None:
        self._dots = None
        self.update()

    def show_seen(self, seen: QRectF, area: QRectF) -> None:
        """Say which piece of the drawing is in sight, in an area of the canvas."""
        if self._scene is None:
            self.hide()
            return
        placing = self._scene.placing
        all_seen = seen.adjusted(-1, -1, 1, 1).contains(QRectF(0, 0, placing.width, placing.height))
        room = area.width() > 3 * _WIDEST and area.height() > 2.5 * _HIGHEST
        self._scale = min(_WIDEST / placing.width, _HIGHEST / placing.height)
        width = round(placing.width * self._scale + 2 * _PAD)
        height = round(placing.height * self._scale + 2 * _PAD)
        self.setGeometry(
            round(area.right()) - width - _AWAY, round(area.bottom()) - height - _AWAY,
            width, height,
        )  # fmt: skip
        self._seen = seen
        self.setVisible(room and not all_seen)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        if self._scene is None:
            return
        painter = QPainter(self)
        colours, scene = theme.palette(), self._scene
        if self._dots is None or self._dots.size() != self.size() * self.devicePixelRatioF():
            self._dots = self._painted(scene)
        painter.drawPixmap(0, 0, self._dots)
        seen = QRectF(
            _PAD + self._seen.left() * self._scale, _PAD + self._seen.top() * self._scale,
            self._seen.width() * self._scale, self._seen.height() * self._scale,
        )  # fmt: skip
        painter.setPen(QPen(colours.focus, 1.5))
        painter.drawRect(seen.intersected(QRectF(self.rect()).adjusted(1, 1, -1, -1)))
        painter.setPen(QPen(colours.border, 1))
        painter.drawRect(self.rect().adjusted(0, 0, -1, -1))

    def _painted(self, scene: Scene) -> QPixmap:
        """Return the nodes as dots; they are many, and stay while one moves about."""
        ratio, colours = self.devicePixelRatioF(), theme.palette()
        dots = QPixmap(self.size() * ratio)
        dots.setDevicePixelRatio(ratio)
        dots.fill(colours.raised)
        painter = QPainter(dots)
        for node in scene.nodes.tolist():
            share = 0.3 + 0.7 * float(scene.strength[node])
            of = colours.muted_text if scene.kind[node] == ERROR else colours.accent
            painter.fillRect(
                QRectF(
                    _PAD + float(scene.placing.x[node]) * self._scale - _DOT / 2,
                    _PAD + float(scene.placing.y[node]) * self._scale - _DOT / 2, _DOT, _DOT,
                ),
                theme.blend(colours.raised, of, share),
            )  # fmt: skip
        painter.end()
        return dots

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._go(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if event.buttons() & Qt.MouseButton.LeftButton:
            self._go(event)

    def _go(self, event: QMouseEvent) -> None:
        place = event.position() - QPointF(_PAD, _PAD)
        self.moved.emit(place / self._scale)
