"""The model's layers drawn as a residual stream; each point is a site one can pick."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QPointF, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from sae_desktop.gui import theme
from sae_desktop.gui.harvest_draft import SitePoint, site_points, site_text

_ROW = 56
_PAD = 28
_STREAM_X = 56
_BRANCH_X = 132
_RADIUS = 5
_REACH = 14

# Where a hook lies in its layer's row: (x, share of the row's height from its bottom).
_PLACES = {
    "hook_resid_pre": (_STREAM_X, 0.13),
    "hook_attn_out": (_BRANCH_X, 0.31),
    "hook_resid_mid": (_STREAM_X, 0.5),
    "hook_mlp_out": (_BRANCH_X, 0.69),
    "hook_resid_post": (_STREAM_X, 0.87),
}
_BRANCHES = (("attention", "hook_attn_out", 0.15, 0.47), ("MLP", "hook_mlp_out", 0.53, 0.85))


class SitePicker(QWidget):
    """Layers from the first at the bottom to the last at the top. Arrow keys walk the sites."""

    sitePicked = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._points: list[SitePoint] = []
        self._layers = 0
        self.site = ""
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Site in the model")
        theme.manager().themeChanged.connect(self.update)

    def show_sites(self, sites: list[str], site: str) -> None:
        """Draw a model with these sites, one of them picked."""
        self._points = site_points(sites)
        self._layers = 1 + max((point.layer for point in self._points), default=-1)
        self.site = site
        self.updateGeometry()
        self.setMinimumHeight(self.sizeHint().height())
        self._describe()
        self.update()

    def pick(self, site: str) -> None:
        """Pick a site and tell of it."""
        if site != self.site:
            self.site = site
            self._describe()
            self.update()
            self.sitePicked.emit(site)

    def _describe(self) -> None:
        self.setAccessibleDescription(site_text(self.site))

    def sizeHint(self) -> QSize:
        return QSize(240, self._layers * _ROW + 2 * _PAD)

    def point_position(self, point: SitePoint) -> QPointF:
        """Return where a site is drawn."""
        x, share = _PLACES[point.hook]
        bottom = _PAD + (self._layers - point.layer) * _ROW
        return QPointF(x, bottom - share * _ROW)

    def picked_rect(self) -> QRect:
        """Return the place of the picked layer, to be scrolled to."""
        point = next((p for p in self._points if p.site == self.site), None)
        if point is None:
            return QRect()
        position = self.point_position(point).toPoint()
        return QRect(position - QPoint(40, _ROW), QSize(80, 2 * _ROW))

    def _point_at(self, position: QPointF) -> SitePoint | None:
        def distance(point: SitePoint) -> float:
            offset = self.point_position(point) - position
            return abs(offset.x()) * 0.5 + abs(offset.y())

        drawn = [p for p in self._points if p.hook in _PLACES]
        nearest = min(drawn, key=distance, default=None)
        return nearest if nearest is not None and distance(nearest) < _REACH * 2 else None

    # ------------------------------------------------------------------ input
    def mousePressEvent(self, event: QMouseEvent) -> None:
        point = self._point_at(event.position())
        if point is not None:
            self.pick(point.site)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        point = self._point_at(event.position())
        self.setCursor(Qt.CursorShape.PointingHandCursor if point else Qt.CursorShape.ArrowCursor)
        if point is not None:
            text = f"{site_text(point.site)}\n{point.site}"
            QToolTip.showText(event.globalPosition().toPoint(), text, self)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        sites = [p.site for p in self._points if p.hook in _PLACES]
        if not sites or event.key() not in _KEYS:
            super().keyPressEvent(event)
            return
        at = sites.index(self.site) if self.site in sites else 0
        per_layer = max(1, len(sites) // max(1, self._layers))
        step = {
            Qt.Key.Key_Right: 1,
            Qt.Key.Key_Left: -1,
            Qt.Key.Key_Up: per_layer,
            Qt.Key.Key_Down: -per_layer,
            Qt.Key.Key_Home: -len(sites),
            Qt.Key.Key_End: len(sites),
        }[Qt.Key(event.key())]
        self.pick(sites[min(max(at + step, 0), len(sites) - 1)])

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.update()

    # ------------------------------------------------------------------ painting
    def paintEvent(self, event: QPaintEvent) -> None:
        if not self._layers:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        colours = theme.palette()
        top, bottom = _PAD, _PAD + self._layers * _ROW
        painter.setPen(colours.muted_text)
        painter.drawText(QPointF(_STREAM_X - 20, bottom + 20), "embed")
        painter.drawText(QPointF(_STREAM_X - 28, top - 12), "unembed")
        painter.setPen(QPen(colours.border, 4))
        painter.drawLine(QPointF(_STREAM_X, top - 6), QPointF(_STREAM_X, bottom + 6))
        picked = next((p for p in self._points if p.site == self.site), None)
        for layer in range(self._layers):
            self._paint_layer(painter, layer, picked is not None and picked.layer == layer)
        for point in self._points:
            if point.hook in _PLACES:
                self._paint_point(painter, point)

    def _paint_layer(self, painter: QPainter, layer: int, marked: bool) -> None:
        colours = theme.palette()
        bottom = _PAD + (self._layers - layer) * _ROW
        band = QRectF(4, bottom - _ROW + 1, self.width() - 8, _ROW - 2)
        if marked:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(colours.hover)
            painter.drawRoundedRect(band, 6, 6)
        painter.setPen(colours.text if marked else colours.muted_text)
        box = QRectF(8, band.top(), 32, band.height())
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, str(layer))
        for name, hook, low, high in _BRANCHES:
            y_low, y_high = bottom - low * _ROW, bottom - high * _ROW
            middle = (y_low + y_high) / 2
            painter.setPen(QPen(colours.border, 2))
            painter.drawLine(QPointF(_STREAM_X, middle), QPointF(_PLACES[hook][0], middle))
            painter.setPen(colours.muted_text)
            text = QRectF(_BRANCH_X + 12, y_high, 100, y_low - y_high)
            painter.drawText(text, Qt.AlignmentFlag.AlignVCenter, name)

    def _paint_point(self, painter: QPainter, point: SitePoint) -> None:
        colours = theme.palette()
        place = self.point_position(point)
        if point.site == self.site:
            painter.setPen(QPen(colours.focus if self.hasFocus() else colours.text, 2))
            painter.setBrush(colours.accent)
            painter.drawEllipse(place, _RADIUS + 2.5, _RADIUS + 2.5)
        else:
            painter.setPen(QPen(colours.muted_text, 1.5))
            painter.setBrush(colours.surface)
            painter.drawEllipse(place, _RADIUS - 0.5, _RADIUS - 0.5)


_KEYS = frozenset(
    {
        Qt.Key.Key_Right,
        Qt.Key.Key_Left,
        Qt.Key.Key_Up,
        Qt.Key.Key_Down,
        Qt.Key.Key_Home,
        Qt.Key.Key_End,
    }
)
