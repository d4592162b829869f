"""The graph on screen: pieces that are kept, what is lit over them, strips of tokens and layers."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QWidget

from sae_desktop.circuits.reading.placing import Box
from sae_desktop.gui.circuits.canvas.axes import Axes
from sae_desktop.gui.circuits.canvas.camera import Camera, fitting
from sae_desktop.gui.circuits.canvas.far_names import FarNames
from sae_desktop.gui.circuits.canvas.minimap import Minimap
from sae_desktop.gui.circuits.canvas.painting import TEXT_FROM, Painter
from sae_desktop.gui.circuits.canvas.scene import Lit, Scene
from sae_desktop.gui.circuits.canvas.tiles import Tiles
from sae_desktop.gui.parts import theme

_REST_MS = 90
"""After the zoom has changed, until the drawing is painted sharp."""
_AFTER_MS = 1
"""After a frame, until a piece is painted ahead of the view: well before the next frame is due."""
_AHEAD_MS = 24
"""Until another one is, where no frame came meanwhile: more than one would make frames late."""
_VEIL = 0.72
"""How far what is not lit steps back."""
_LETTERS = 18
_TOKEN_LETTERS = 8
_LOGIT_LETTERS = 28
"""Of a name in a box."""


class GraphCanvas(QWidget):
    """Draws a scene; what is done with it by hand is added by `GraphView`."""

    viewChanged = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.scene: Scene | None = None
        self.camera = Camera()
        self.selected: int | None = None
        self.pointed: int | None = None
        """Under the pointer, or where the arrow keys have come to."""
        self.marked: frozenset[int] = frozenset()
        """Nodes that are ringed, such as those of a group that is selected beside."""
        self.frozen = False
        """What is lit stays, wherever the pointer goes."""
        self._lit: Lit | None = None
        self._painter: Painter | None = None
        self._axes: Axes | None = None
        self._far: FarNames | None = None
        self._shows_all = True
        self._moving = False
        """Whether the drawing is dragged: then frames come before pieces of it."""
        self._tiles = Tiles(self._paint_piece)
        self._rest = QTimer(self, singleShot=True, interval=_REST_MS)
        self._rest.timeout.connect(self._sharpen)
        self._idle = QTimer(self, singleShot=True, timerType=Qt.TimerType.PreciseTimer)
        self._idle.timeout.connect(self._prepare)
        self._minimap = Minimap(self)
        self._minimap.moved.connect(self._go_to)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setMinimumSize(240, 160)
        self.setAccessibleName("Attribution graph")
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        theme.manager().themeChanged.connect(self._on_theme_changed)

    def sizeHint(self) -> QSize:
        return QSize(720, 480)

    # ------------------------------------------------------------------ what is drawn
    def box(self) -> Box:
        """Return the size of a node, by the size of the text."""
        metrics = QFontMetricsF(self.font())
        letter = metrics.averageCharWidth()
        widths = (letters * letter for letters in (_LETTERS, _TOKEN_LETTERS, _LOGIT_LETTERS))
        name, token, logit = widths
        return Box(name + 16, round(metrics.height() + 8), token + 12, logit + 16)

    def show_scene(self, scene: Scene | None, *, whole: bool = False) -> None:
        """Draw another scene; `whole`: all of it, else what was in sight."""
        self.scene = scene
        self._painter = None if scene is None else Painter(scene, self.font())
        self._axes = None
        if scene is not None:
            self._axes = Axes(scene.tokens, scene.layers, self.fontMetrics())
        for name in ("selected", "pointed"):
            node = getattr(self, name)
            if node is not None and (scene is None or not self._is_shown(node)):
                setattr(self, name, None)
        self._tiles.clear()
        self._far = None
        self._minimap.show_scene(scene)
        self._light()
        if whole or self._shows_all:
            self.show_all()
        else:
            self.set_camera(self.camera)

    def aspect(self) -> float:
        """Return the width of the drawing's area over its height."""
        area = self.area()
        return max(area.width(), 1.0) / max(area.height(), 1.0)

    def _is_shown(self, node: int) -> bool:
        return (
            self.scene is not None
            and 0 <= node < len(self.scene.shown)
            and bool(self.scene.shown[node])
        )

    # ------------------------------------------------------------------ the view
    def area(self) -> QRectF:
        """Return where the drawing is seen, between the strips."""
        left, bottom = 0.0, 0.0
        if self._axes is not None and self.scene is not None:
            left = float(self._axes.left)
            bottom = float(self._axes.bottom(turned=self._turned()))
        return QRectF(left, 0.0, max(self.width() - left, 1.0), max(self.height() - bottom, 1.0))

    def _turned(self) -> bool:
        if self._axes is None or self.scene is None:
            return False
        return self._axes.turned(self.scene.placing, self.camera.zoom)

    def show_all(self) -> None:
        """Show the whole graph, at any size of the widget, until another piece is looked at."""
        if self.scene is None:
            self.update()
            return
        placing = self.scene.placing
        for _ in range(2):  # how high the strip of tokens is depends on the zoom
            area = self.area()
            self.camera = fitting((placing.width, placing.height), (area.width(), area.height()))
        self._far = None
        self.set_camera(self.camera, at_once=True)
        self._shows_all = True

    def set_camera(self, camera: Camera, *, at_once: bool = False) -> None:
        """Look at a piece of the drawing; after a zoom it is painted sharp in a moment."""
        if self.scene is None:
            return
        area, placing = self.area(), self.scene.placing
        zoomed, before = camera.zoom != self.camera.zoom, self.camera
        self.camera = camera.held((placing.width, placing.height), (area.width(), area.height()))
        self._shows_all = False
        if zoomed:
            self._far = None
        self._moving = not (at_once or zoomed or self.camera == before)
        if at_once or not self._tiles.has_pieces:
            self._sharpen()
        elif zoomed:
            self._rest.start()
        self._show_minimap()
        self.viewChanged.emit()
        self.update()

    def show_node(self, node: int) -> None:
        """Bring a node into sight, in the middle where it was out of it."""
        if self.scene is None or not self._is_shown(node):
            return
        area = self.area()
        if not area.adjusted(20, 20, -20, -20).contains(self.at(node)):
            x, y = float(self.scene.placing.x[node]), float(self.scene.placing.y[node])
            self.set_camera(self.camera.centred(x, y, area.width(), area.height()))

    def at(self, node: int) -> QPointF:
        """Return where the middle of a node is on the widget."""
        assert self.scene is not None
        placing, area = self.scene.placing, self.area()
        x, y = self.camera.to_view(float(placing.x[node]), float(placing.y[node]))
        return QPointF(x + area.left(), y + area.top())

    def node_at(self, point: QPointF) -> int | None:
        """Return the node under a point of the widget."""
        area = self.area()
        if self.scene is None or not area.contains(point):
            return None
        x, y = self.camera.to_drawing(point.x() - area.left(), point.y() - area.top())
        found = self.scene.placing.nearest(x, y, self.scene.shown)
        if found is None and self._far is not None:  # a name stands for its node
            named = self._far.node_at(x * self.camera.zoom, y * self.camera.zoom)
            if self._lit is None or named == self._lit.node:
                found = named
        return found

    def _sharpen(self) -> None:
        self._rest.stop()
        ratio = self.devicePixelRatioF()
        self._tiles.set_zoom(self.camera.zoom, ratio, theme.palette().surface)
        self.update()

    def _prepare(self) -> None:
        """Paint what is next to the view, while nothing else is to be done."""
        area = self.area()
        if self._tiles.zoom == self.camera.zoom and self._tiles.prepare(
            self.camera, area.width(), area.height(), margin=1
        ):
            self._idle.start(_AHEAD_MS)

    def _go_to(self, place: QPointF) -> None:
        area = self.area()
        self.set_camera(self.camera.centred(place.x(), place.y(), area.width(), area.height()))

    def _show_minimap(self) -> None:
        if self.scene is None:
            self._minimap.hide()
            return
        area, camera = self.area(), self.camera
        seen = QRectF(camera.x, camera.y, area.width() / camera.zoom, area.height() / camera.zoom)
        self._minimap.show_seen(seen, area)

    # ------------------------------------------------------------------ what is lit
    def point_at(self, node: int | None) -> None:
        """Light a node up with what feeds it and what it feeds; None: the selected one."""
        if node != self.pointed:
            self.pointed = node
            if not self.frozen:
                self._light()
            self.update()

    def select(self, node: int | None) -> None:
        """Mark a node and keep it lit while nothing is pointed at."""
        self.selected = node
        self._light()
        self.update()

    def mark(self, nodes: frozenset[int]) -> None:
        """Ring nodes."""
        self.marked = nodes
        self.update()

    def freeze(self, on: bool) -> None:
        """Keep what is lit, or let the pointer light up what it comes to."""
        self.frozen = on
        self._light()
        self.update()

    def _light(self) -> None:
        self._far = None
        node = self.selected if self.frozen or self.pointed is None else self.pointed
        if self.scene is None or node is None or not self._is_shown(node):
            self._lit = None
        else:
            self._lit = self.scene.lit(node)

    # ------------------------------------------------------------------ painting
    def _paint_piece(self, painter: QPainter, area: QRectF, zoom: float) -> None:
        if self._painter is not None:
            self._painter.paint(painter, area, zoom)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        colours = theme.palette()
        painter.fillRect(self.rect(), colours.surface)
        if self.scene is None or self._painter is None or self._axes is None:
            return
        area = self.area()
        if self._tiles.zoom == self.camera.zoom:
            if self._tiles.prepare(self.camera, area.width(), area.height(), moving=self._moving):
                self.update()  # the rest in the next frame
            else:
                self._idle.start(_AFTER_MS)
        painter.save()
        painter.setClipRect(area)
        painter.translate(area.topLeft())
        self._tiles.draw(painter, self.camera, area.width(), area.height())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._paint_lit(painter, area)
        painter.restore()
        self._paint_names(painter, area)
        self._paint_strips(painter, area)
        if self.hasFocus():
            painter.setPen(colours.focus)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(self.rect().adjusted(0, 0, -1, -1))

    def _paint_names(self, painter: QPainter, area: QRectF) -> None:
        """Paint names beside boxes that are too small to hold them; of what is lit alone."""
        if self.scene is None or self.camera.zoom >= TEXT_FROM:
            return
        if self._far is None:
            metrics, lit = QFontMetricsF(self.font()), self._lit
            among, first = (None, None) if lit is None else (lit.nodes.tolist(), lit.node)
            zoom = self.camera.zoom
            beside = max(area.width() - self.scene.placing.width * zoom, 0.0) / 2
            self._far = FarNames(self.scene, zoom, metrics, among, first, beside)
        painter.save()
        painter.setClipRect(area)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._far.paint(painter, self.camera, area)
        painter.restore()

    def _paint_lit(self, painter: QPainter, area: QRectF) -> None:
        if self._painter is None or self.scene is None:
            return
        colours, lit = theme.palette(), self._lit
        if lit is not None:
            veil = QColor(colours.surface)
            veil.setAlphaF(_VEIL)
            painter.fillRect(QRectF(0, 0, area.width(), area.height()), veil)
        camera = self.camera
        painter.scale(camera.zoom, camera.zoom)
        painter.translate(-camera.x, -camera.y)
        if lit is not None:
            width, height = area.width() / camera.zoom, area.height() / camera.zoom
            seen = lit.curves.within(camera.x, camera.y, camera.x + width, camera.y + height)
            self._painter.paint_lit(painter, lit.curves, seen)
            self._painter.paint_nodes(painter, lit.nodes, max(camera.zoom, 0.3))
            self._painter.paint_ring(painter, lit.node, colours.text, 1.6)
        for node in self.marked:
            if self._is_shown(node):
                self._painter.paint_ring(painter, node, colours.link, 2.0)
        if self.selected is not None and self._is_shown(self.selected):
            self._painter.paint_ring(painter, self.selected, colours.focus, 2.4)
        if self.pointed is not None and self.hasFocus() and self._is_shown(self.pointed):
            self._painter.paint_ring(painter, self.pointed, colours.focus, 1.4)

    def _paint_strips(self, painter: QPainter, area: QRectF) -> None:
        if self.scene is None or self._axes is None:
            return
        placing, lit = self.scene.placing, self._lit
        column = None if lit is None else int(self.scene.position[lit.node])
        layer = None if lit is None else int(self.scene.layer[lit.node])
        painter.setFont(self.font())
        self._axes.paint_layers(
            painter, placing, self.camera, QRectF(0, 0, area.left(), area.height()), layer
        )
        below = QRectF(area.left(), area.bottom(), area.width(), self.height() - area.bottom())
        turned = self._turned()
        self._axes.paint_tokens(painter, placing, self.camera, below, turned=turned, marked=column)
        painter.fillRect(
            QRectF(0, area.bottom(), area.left(), self.height()), theme.palette().raised
        )

    # ------------------------------------------------------------------ the widget
    def _on_theme_changed(self) -> None:
        self._tiles.clear()
        self._sharpen()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if self._shows_all:
            self.show_all()
        else:
            self.set_camera(self.camera)
