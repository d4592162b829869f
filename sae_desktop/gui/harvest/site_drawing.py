"""The drawing of a model's layers: where each site lies, and how layers and sites are painted.

Layers lie one above the other, the first at the bottom, on the residual stream that runs up
through them. Attention and MLP branch off to the right and come back.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPen, QPolygonF

from sae_desktop.gui.parts import theme
from sae_desktop.words.site_words import SitePoint

ROW = 104
"""Height of a layer."""
PAD = 32
STREAM_X = 60
_BRANCH_X = 88
_BOX_X = 112
_EDGE = 12
_INNER = 16
"""From a box's right end to the point inside it."""
_RADIUS = 4.5
_LEAST_FOR_INNER_NAMES = 272
_NOT_COMPUTED = "not computed"

# Heights above the bottom of a layer's band.
_HEIGHTS = {
    "hook_resid_pre": 8.0,
    "attn.hook_z": 36.0,
    "hook_attn_out": 47.0,
    "hook_resid_mid": 56.0,
    "mlp.hook_in": 65.0,
    "mlp.hook_post": 76.0,
    "hook_mlp_out": 87.0,
    "hook_resid_post": 97.0,
}
_ON_STREAM = ("hook_resid_pre", "hook_resid_mid", "hook_resid_post")
_INSIDE = {"attn.hook_z": "heads", "mlp.hook_post": "neurons"}


@dataclass(frozen=True)
class _Branch:
    name: str
    short: str
    """Where there is no room for the name."""
    read: float
    """Height at which it leaves the stream."""
    write: float
    """Height at which it comes back."""
    hooks: tuple[str, ...]
    first: str
    """The hook before which none of it is computed."""


_ATTENTION = _Branch(
    "attention", "attn", 25.0, 47.0, ("attn.hook_z", "hook_attn_out"), "attn.hook_z"
)
_MLP = _Branch(
    "MLP", "MLP", 65.0, 87.0, ("mlp.hook_in", "mlp.hook_post", "hook_mlp_out"), "mlp.hook_in"
)
_WHOLE = _Branch("layer", "layer", 25.0, 87.0, (), "hook_resid_post")


def height_of(layers: int) -> int:
    """Return the height of the drawing."""
    return layers * ROW + 2 * PAD


@dataclass(frozen=True)
class Drawing:
    """What is drawn: the points, which are picked, and how wide it is."""

    points: Sequence[SitePoint]
    layers: int
    picked: Collection[str]
    current: str
    """The site the keyboard is at; empty while the keyboard is elsewhere."""
    width: int
    causal: bool = True
    beside: Sequence[SitePoint] = ()
    """Where picked sites that are not drawn lie: each at the site it is a variant of."""

    def position(self, point: SitePoint) -> QPointF:
        """Return where a site is drawn."""
        y = self._bottom(point.layer) - _HEIGHTS[point.hook]
        if point.hook in _ON_STREAM:
            return QPointF(STREAM_X, y)
        if point.hook in _INSIDE:
            return QPointF(self.width - _EDGE - _INNER, y)
        return QPointF(_BRANCH_X, y)

    def _bottom(self, layer: int) -> float:
        return PAD + (self.layers - layer) * ROW

    @cached_property
    def last(self) -> tuple[int, int] | None:
        """The place of the last picked site: nothing after it is computed."""
        return max((p.place for p in self._picked), default=None)

    @property
    def _picked(self) -> list[SitePoint]:
        return [*(p for p in self.points if p.site in self.picked), *self.beside]

    @cached_property
    def _picked_layers(self) -> frozenset[int]:
        return frozenset(p.layer for p in self._picked)

    def computed(self, layer: int, order: int = 0) -> bool:
        """Tell whether a place in the forward pass is reached; all is while none is picked."""
        return self.last is None or (layer, order) <= self.last

    # ------------------------------------------------------------------ painting
    def paint(self, painter: QPainter, shown: QRectF) -> None:
        """Paint the layers that lie in `shown`."""
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._paint_ends(painter)
        bands = [
            layer
            for layer in range(self.layers)
            if self._bottom(layer) - ROW <= shown.bottom() and self._bottom(layer) >= shown.top()
        ]
        hooks: dict[int, set[str]] = {layer: set() for layer in bands}
        for point in self.points:
            if point.layer in hooks:
                hooks[point.layer].add(point.hook)
        for layer in bands:
            self._paint_layer(painter, layer, hooks[layer])
        self._paint_boundary(painter)
        for point in self.points:
            if point.layer in hooks:
                self._paint_point(painter, point)

    def _paint_ends(self, painter: QPainter) -> None:
        colours = theme.palette()
        top, bottom = PAD, PAD + self.layers * ROW
        align = Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignVCenter
        painter.setPen(colours.muted_text)
        painter.drawText(QRectF(0, bottom + 8, 2 * STREAM_X, PAD - 8), align, "embed")
        end = "unembed" if self.causal else "output"
        reached = self.computed(self.layers)
        painter.setPen(colours.muted_text if reached else colours.disabled_text)
        painter.drawText(QRectF(0, 0, 2 * STREAM_X, PAD - 8), align, end)
        painter.setPen(QPen(colours.border, 4))
        painter.drawLine(QPointF(STREAM_X, bottom), QPointF(STREAM_X, bottom + 6))
        self._paint_stream(painter, top - 6, top, computed=reached)

    def _paint_stream(
        self, painter: QPainter, top: float, bottom: float, *, computed: bool
    ) -> None:
        colours = theme.palette()
        if computed:
            painter.setPen(QPen(colours.border, 4, Qt.PenStyle.SolidLine, Qt.PenCapStyle.FlatCap))
        else:
            faint = theme.blend(colours.surface, colours.border, 0.7)
            painter.setPen(QPen(faint, 2, Qt.PenStyle.DotLine))
        painter.drawLine(QPointF(STREAM_X, bottom), QPointF(STREAM_X, top))

    def _stream_height(self, layer: int) -> float:
        """Return how far up a layer's band the stream is computed."""
        if self.last is None or layer < self.last[0]:
            return ROW
        if layer > self.last[0]:
            return 0.0
        ends_layer = self.last[1] == len(_HEIGHTS) - 1
        return ROW if ends_layer else list(_HEIGHTS.values())[self.last[1]]

    def _paint_layer(self, painter: QPainter, layer: int, hooks: set[str]) -> None:
        colours = theme.palette()
        bottom = self._bottom(layer)
        reached = self.computed(layer)
        if layer in self._picked_layers:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.blend(colours.surface, colours.hover, 0.7))
            painter.drawRoundedRect(QRectF(4, bottom - ROW + 2, self.width - 8, ROW - 4), 6, 6)
        painter.setPen(colours.muted_text if reached else colours.disabled_text)
        box = QRectF(4, bottom - ROW, STREAM_X - 20, ROW)
        painter.drawText(
            box, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, str(layer)
        )
        end = bottom - self._stream_height(layer)
        if end < bottom:
            self._paint_stream(painter, end, bottom, computed=True)
        if end > bottom - ROW:
            self._paint_stream(painter, bottom - ROW, end, computed=False)
        known = [b for b in (_ATTENTION, _MLP) if hooks & set(b.hooks)]
        for branch in known or [_WHOLE]:
            self._paint_branch(painter, layer, branch, hooks)

    def _paint_branch(
        self, painter: QPainter, layer: int, branch: _Branch, hooks: set[str]
    ) -> None:
        colours = theme.palette()
        bottom = self._bottom(layer)
        reached = self.computed(layer, list(_HEIGHTS).index(branch.first))
        read, write = bottom - branch.read, bottom - branch.write
        edge = colours.border if reached else theme.blend(colours.surface, colours.border, 0.5)
        painter.setPen(QPen(edge, 1.5))
        painter.drawLine(QPointF(STREAM_X + 2, read), QPointF(_BOX_X, read))
        painter.drawLine(QPointF(_BOX_X, write), QPointF(STREAM_X + 3, write))
        _arrow(painter, QPointF(_BOX_X, read), 1, edge)
        _arrow(painter, QPointF(STREAM_X + 3, write), -1, edge)
        painter.setPen(QPen(edge, 1))
        painter.setBrush(colours.raised if reached else colours.surface)
        box = QRectF(_BOX_X, write - 5, self.width - _EDGE - _BOX_X, read - write + 10)
        painter.drawRoundedRect(box, 5, 5)
        painter.setPen(colours.text if reached else colours.disabled_text)
        inside = box.adjusted(10, 0, -2 * _INNER, 0)
        middle = Qt.AlignmentFlag.AlignVCenter
        fits = QFontMetricsF(painter.font()).horizontalAdvance(branch.name) <= inside.width()
        name = branch.name if fits else branch.short
        painter.drawText(inside, Qt.AlignmentFlag.AlignLeft | middle, name)
        inner = next(
            (_INSIDE[hook] for hook in branch.hooks if hook in _INSIDE and hook in hooks), ""
        )
        if inner and self.width >= _LEAST_FOR_INNER_NAMES:
            painter.setPen(colours.muted_text if reached else colours.disabled_text)
            painter.drawText(inside, Qt.AlignmentFlag.AlignRight | middle, inner)

    def _paint_boundary(self, painter: QPainter) -> None:
        """Say above the last layer that is computed that the others are not."""
        if self.last is None or self.last[0] + 1 >= self.layers:
            return
        colours = theme.palette()
        y = self._bottom(self.last[0] + 1)
        metrics = QFontMetricsF(painter.font())
        width = metrics.horizontalAdvance(_NOT_COMPUTED) + 16
        painter.setPen(QPen(colours.muted_text, 1, Qt.PenStyle.DashLine))
        painter.drawLine(QPointF(STREAM_X + 8, y), QPointF(self.width - width - 8, y))
        painter.setPen(colours.muted_text)
        box = QRectF(self.width - width - 4, y - 10, width, 20)
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, f"↑ {_NOT_COMPUTED}")

    def _paint_point(self, painter: QPainter, point: SitePoint) -> None:
        colours = theme.palette()
        place = self.position(point)
        if point.site in self.picked:
            painter.setPen(QPen(colours.text, 2))
            painter.setBrush(colours.accent)
            painter.drawEllipse(place, _RADIUS + 2.5, _RADIUS + 2.5)
        else:
            reached = self.computed(*point.place)
            painter.setPen(QPen(colours.muted_text if reached else colours.disabled_text, 1.5))
            painter.setBrush(colours.surface)
            painter.drawEllipse(place, _RADIUS, _RADIUS)
        if any(point.place == other.place for other in self.beside):
            painter.setPen(QPen(colours.accent, 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawEllipse(place, _RADIUS + 3.5, _RADIUS + 3.5)
        if point.site == self.current:
            painter.setPen(QPen(colours.focus, 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawEllipse(place, _RADIUS + 6, _RADIUS + 6)


def _arrow(painter: QPainter, tip: QPointF, direction: int, colour: QColor) -> None:
    painter.save()
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(colour)
    back = tip.x() - direction * 6
    painter.drawPolygon(
        QPolygonF([tip, QPointF(back, tip.y() - 3.5), QPointF(back, tip.y() + 3.5)])
    )
    painter.restore()
