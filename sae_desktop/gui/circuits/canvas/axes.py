"""The strips at the canvas's sides: tokens below, layers at the left; they never scroll away."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QFontMetrics, QPainter, QPen

from sae_desktop.circuits.reading.placing import Placing
from sae_desktop.gui.circuits.canvas.camera import Camera
from sae_desktop.gui.parts import theme
from sae_desktop.words.running_text import shown_token

_PAD = 6
_UPRIGHT_SHARE = 0.6
"""Of the tokens must fit their columns, or all of them are turned."""
_SMALL = 0.8
"""Of turned tokens, which stand close."""
_LONGEST_TURNED = 14
"""Letters of a turned token at most."""


def column_text(token: str) -> str:
    """Return a token as it heads its column: without the space before a word."""
    return shown_token(token.strip(" ")) or "·"


class Axes:
    """Where the strips are, for a placing and a font, and what stands in them."""

    def __init__(self, tokens: Sequence[str], layers: int, metrics: QFontMetrics) -> None:
        self._tokens = [column_text(text) for text in tokens]
        self._layers = layers
        self._metrics = metrics
        self._widths = [metrics.horizontalAdvance(text) for text in self._tokens]
        names = [*(str(layer) for layer in range(layers)), self.layer_name(layers)]
        names.append(self.layer_name(-1))
        self.left = max(metrics.horizontalAdvance(name) for name in names) + 2 * _PAD
        self._line = metrics.height()

    def layer_name(self, layer: int) -> str:
        """Return what a row is called."""
        if layer < 0:
            return "Prompt"
        return "Next" if layer >= self._layers else str(layer)

    def turned(self, placing: Placing, zoom: float) -> bool:
        """Return whether the columns are too narrow for their tokens to stand upright."""
        widths = (placing.columns[1:] - placing.columns[:-1]) * zoom
        fit = sum(w <= room - 4 for w, room in zip(self._widths, widths.tolist(), strict=True))
        return fit < _UPRIGHT_SHARE * len(self._widths)

    def bottom(self, *, turned: bool) -> int:
        """Return the height of the strip of tokens."""
        if not turned:
            return self._line + 2 * _PAD
        longest = self._metrics.averageCharWidth() * _LONGEST_TURNED
        return min(max(self._widths, default=0), longest) + 2 * _PAD

    def paint_tokens(
        self,
        painter: QPainter,
        placing: Placing,
        camera: Camera,
        area: QRectF,
        *,
        turned: bool,
        marked: int | None,
    ) -> None:
        """Paint the tokens under their columns; where there is no room for all, those that fit."""
        colours = theme.palette()
        painter.save()
        painter.setClipRect(area)
        painter.fillRect(area, colours.raised)
        free = area.left() - 1.0
        rooms = self._rooms(placing, camera.zoom)
        for number, text in enumerate(self._tokens):
            left = area.left() + (float(placing.columns[number]) - camera.x) * camera.zoom
            right = area.left() + (float(placing.columns[number + 1]) - camera.x) * camera.zoom
            if right < area.left() or left > area.right():
                continue
            if number == marked:
                painter.fillRect(QRectF(left, area.top(), right - left, area.height()),
                                 colours.selection)  # fmt: skip
            if number:
                painter.setPen(QPen(colours.border, 1))
                painter.drawLine(round(left), round(area.top()), round(left), round(area.top()) + 4)
            painter.setPen(colours.text)
            if turned:
                free = self._turned(painter, text, (left + right) / 2, area, free)
                continue
            half = max(rooms[number], right - left - 4) / 2
            middle = (left + right) / 2
            # What is partly out of sight is read where it still is.
            start, end = max(middle - half, area.left() + 2), min(middle + half, area.right() - 2)
            room = QRectF(start, area.top(), end - start, area.height())
            cut = self._metrics.elidedText(text, Qt.TextElideMode.ElideMiddle, int(room.width()))
            painter.drawText(room, Qt.AlignmentFlag.AlignCenter, cut)
        painter.setPen(QPen(colours.border, 1))
        painter.drawLine(area.topLeft(), area.topRight())
        painter.restore()

    def _rooms(self, placing: Placing, zoom: float) -> list[float]:
        """Return how wide each upright token may be: what its neighbours leave free is lent."""
        edges = placing.columns * zoom
        middles = ((edges[:-1] + edges[1:]) / 2).tolist()
        widths = np.minimum(self._widths, np.diff(edges) - 4).tolist()
        for number, wanted in enumerate(self._widths):
            sides = [
                abs(middles[other] - middles[number]) - widths[other] / 2 - _PAD
                for other in (number - 1, number + 1)
                if 0 <= other < len(widths)
            ]
            room = 2 * min(sides, default=wanted)
            widths[number] = max(widths[number], min(wanted, room))
        return widths

    def _turned(
        self, painter: QPainter, text: str, middle: float, area: QRectF, free: float
    ) -> float:
        """Paint a token upright along its column, unless the one before it is in the way.

        Returns from where on there is room for the next.
        """
        half = self._line * _SMALL / 2
        if middle - half < free:
            return free
        painter.save()
        font = painter.font()
        font.setPointSizeF(max(font.pointSizeF(), 1.0) * _SMALL)
        painter.setFont(font)
        painter.translate(middle, area.bottom() - _PAD)
        painter.rotate(-90)
        room = int(area.height()) - 2 * _PAD
        cut = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideMiddle, room)
        box = QRectF(0, -self._line / 2, room, self._line)
        painter.drawText(box, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, cut)
        painter.restore()
        return middle + half * 0.7

    def paint_layers(
        self, painter: QPainter, placing: Placing, camera: Camera, area: QRectF, marked: int | None
    ) -> None:
        """Paint the layers' numbers beside their rows, and where there is room for none, fewer."""
        colours = theme.palette()
        painter.save()
        painter.setClipRect(area)
        painter.fillRect(area, colours.raised)
        edges = area.top() + (placing.rows - camera.y) * camera.zoom
        if marked is not None and -1 <= marked <= self._layers:
            top, bottom = edges[self._layers - marked : self._layers - marked + 2].tolist()
            painter.fillRect(QRectF(area.left(), top, area.width(), bottom - top),
                             colours.selection)  # fmt: skip
        half = self._line / 2
        taken: list[float] = []
        # What is at the ends is named first: numbers in between can be left out.
        for row in (0, self._layers + 1, *range(1, self._layers + 1)):
            layer, (top, bottom) = self._layers - row, edges[row : row + 2].tolist()
            if bottom < area.top() or top > area.bottom():
                continue
            middle = (max(top, area.top()) + min(bottom, area.bottom())) / 2
            middle = min(max(middle, area.top() + half), area.bottom() - half)
            if any(abs(middle - other) < self._line for other in taken):
                continue
            taken.append(middle)
            painter.setPen(colours.text if layer in (-1, self._layers) else colours.muted_text)
            box = QRectF(area.left(), middle - half, area.width() - _PAD, self._line)
            painter.drawText(
                box, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter,
                self.layer_name(layer),
            )  # fmt: skip
        painter.setPen(QPen(colours.border, 1))
        painter.drawLine(area.topRight(), area.bottomRight())
        painter.restore()
