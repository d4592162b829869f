"""One paragraph of tokens: where its boxes and its text lie, and how they are painted.

The text is laid out as a whole, so that scripts that join or run right to left keep their
shapes; boxes are read off the layout afterwards and painted beneath.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import (
    QColor,
    QFont,
    QFontMetricsF,
    QPainter,
    QPainterPath,
    QTextLayout,
    QTextLine,
    QTextOption,
)

from sae_desktop.gui.parts.colour_scale import RGB, ColourScale, readable_on
from sae_desktop.gui.parts.theme import Palette, rgb
from sae_desktop.words.running_text import RunningText

RADIUS = 3.0
_FIRST_RIGHT_TO_LEFT = "\u0590"
_FAR = 1e6
LINE_SPACING = 1.3
"""Line height as a multiple of the font's."""


@dataclass(frozen=True)
class TokenColours:
    """The colours a paragraph is painted with."""

    surface: RGB
    text: RGB
    muted: RGB
    """Of text that the model did not read with the chosen token."""
    accent: RGB
    selection: RGB
    selected_text: RGB


class TokenParagraph:
    """T tokens with their activations (T,), laid out to a width."""

    def __init__(
        self,
        tokens: Sequence[str],
        activations: npt.ArrayLike,
        peak: int | None = None,
        starts: Sequence[int] = (),
        read: tuple[int, int] | None = None,
    ) -> None:
        """`peak` is the token to underline; None: the strongest, if any fires.

        `starts` are tokens with a bar before them, `read` those that are not grey: the first, and
        one past the last.
        """
        self.text = RunningText(tokens)
        self._starts = [self.text.piece_of_token(start) for start in starts]
        first, last = (0, len(tokens)) if read is None else read
        self._apart = [
            number
            for number, piece in enumerate(self.text.pieces)
            if piece.end <= first or piece.first >= last
        ]
        values = np.asarray(activations, dtype=np.float32)
        self.activations = values
        if len(self.text.pieces) != len(values):
            strongest = [values[piece.first : piece.end].max() for piece in self.text.pieces]
            self.activations = np.array(strongest, dtype=np.float32)
        if peak is None and len(values) and float(values.max()) > 0.0:
            peak = int(values.argmax())
        self.peak_piece = None if peak is None else self.text.piece_of_token(peak)
        self._bidirectional = any(
            c >= _FIRST_RIGHT_TO_LEFT and unicodedata.bidirectional(c) in ("R", "AL", "AN")
            for c in ("" if self.text.shown.isascii() else self.text.shown)
        )
        self._layout = QTextLayout()
        self._boxes: dict[int, list[QRectF]] = {}
        self.height = 0.0

    def lay_out(self, width: float, font: QFont) -> float:
        """Break the text into lines of `width`; return the height."""
        option = QTextOption()
        option.setWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        option.setTextDirection(Qt.LayoutDirection.LayoutDirectionAuto)
        layout = QTextLayout(self.text.shown, font)
        layout.setTextOption(option)
        layout.setCacheEnabled(True)
        metrics = QFontMetricsF(font)
        pitch = float(round(metrics.height() * LINE_SPACING))
        y = 0.0
        layout.beginLayout()
        while True:
            line = layout.createLine()
            if not line.isValid():
                break
            line.setLineWidth(max(width, 16.0))
            line.setPosition(QPointF(0.0, y + metrics.ascent() - line.ascent() + 1.0))
            y += pitch
        layout.endLayout()
        self._layout = layout
        self._pitch = pitch
        self._box_height = min(metrics.height() + 2.0, pitch)
        self._boxes = {}
        self.height = y
        return y

    def boxes(self, number: int) -> list[QRectF]:
        """Return a piece's boxes, one for each line and direction it runs over."""
        found = self._boxes.get(number)
        if found is None:
            found = self._boxes[number] = self._read_boxes(number)
        return found

    def _read_boxes(self, number: int) -> list[QRectF]:
        piece = self.text.pieces[number]
        found = []
        for row in range(self._row_of(piece.start_offset), self._layout.lineCount()):
            line = self._layout.lineAt(row)
            start = line.textStart()
            end = start + line.textLength()
            if start >= piece.end_offset:
                break
            a, b = max(piece.start_offset, start), min(piece.end_offset, end)
            if piece.end_offset > end and not self.text.copied(a, b).strip(" "):
                continue  # the space before a word that stands on the next line
            for left, right in self._spans(line, a, b):
                box = QRectF(left, row * self._pitch, right - left, self._box_height)
                found.append(box)
        return found

    def _row_of(self, offset: int) -> int:
        line = self._layout.lineForTextPosition(offset)
        return line.lineNumber() if line.isValid() else 0

    def _spans(self, line: QTextLine, start: int, end: int) -> list[tuple[float, float]]:
        """Return the horizontal runs of the characters between two offsets of a line."""
        if not self._bidirectional:
            left, right = _x(line, start), _x(line, end)
            return [(left, right)] if right - left > 0.1 else []
        edges = sorted(
            (min(pair), max(pair))
            for pair in (
                (
                    _x(line, i, QTextLine.Edge.Leading),
                    _x(line, i, QTextLine.Edge.Trailing),
                )
                for i in range(start, end)
            )
        )
        spans: list[tuple[float, float]] = []
        for left, right in edges:
            if right - left <= 0.1:
                continue
            if spans and left <= spans[-1][1] + 0.6:
                spans[-1] = (spans[-1][0], max(spans[-1][1], right))
            else:
                spans.append((left, right))
        return spans

    def piece_under(self, point: QPointF) -> int | None:
        """Return which piece's box holds a point of the paragraph."""
        last = len(self.text.pieces) - 1
        near = self.text.piece_at(self.offset_under(point))
        # The pointer may be past the middle of a letter: the neighbours are looked at too.
        middle = last if near is None else near
        close = (middle, middle - 1, middle + 1)
        for number in range(last + 1) if self._bidirectional else close:
            if 0 <= number <= last and any(rect.contains(point) for rect in self.boxes(number)):
                return number
        return None

    def offset_under(self, point: QPointF) -> int:
        """Return the text offset nearest to a point, for selecting."""
        count = self._layout.lineCount()
        if count == 0:
            return 0
        row = min(max(int(point.y() // self._pitch), 0), count - 1)
        return int(self._layout.lineAt(row).xToCursor(point.x()))

    def paint(
        self,
        painter: QPainter,
        origin: QPointF,
        scale: ColourScale,
        colours: TokenColours,
        selection: tuple[int, int] = (0, 0),
    ) -> None:
        """Paint at `origin`; `selection` holds two text offsets, start before end."""
        painter.save()
        painter.translate(origin)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        default_text: list[tuple[int, RGB]] = []
        other_text: dict[RGB, list[tuple[int, RGB]]] = {}
        apart = set(self._apart)
        for number, activation in enumerate(self.activations):
            if scale.share(float(activation)) <= 0.0 or number in apart:
                continue
            background = scale.background(float(activation), colours.surface, colours.accent)
            text = readable_on(background, colours.text)
            if text == colours.text:
                default_text.append((number, background))
            else:
                other_text.setdefault(text, []).append((number, background))
        painter.setPen(Qt.PenStyle.NoPen)
        for number, background in default_text:
            _fill(painter, self.boxes(number), background)
        self._draw_read_and_apart(painter, colours)
        # Boxes on which the usual text colour is hard to read are painted over it, and the
        # text again within them, which leaves the shaping of the whole untouched.
        for text, pieces in other_text.items():
            clip = QPainterPath()
            painter.setPen(Qt.PenStyle.NoPen)
            for number, background in pieces:
                _fill(painter, self.boxes(number), background)
                for rect in self.boxes(number):
                    clip.addRect(rect)
            painter.save()
            painter.setClipPath(clip, Qt.ClipOperation.IntersectClip)
            self._draw_text(painter, text)
            painter.restore()
        self._paint_starts(painter, colours)
        self._underline_peak(painter, scale, colours)
        if selection[1] > selection[0]:
            self._paint_selection(painter, selection, colours)
        painter.restore()

    def _draw_read_and_apart(self, painter: QPainter, colours: TokenColours) -> None:
        """Draw the text, that of other windows grey."""
        if not self._apart:
            self._draw_text(painter, colours.text)
            return
        apart = QPainterPath()
        for number in self._apart:
            for rect in self.boxes(number):
                apart.addRect(rect)
        rest = QPainterPath()
        rest.addRect(QRectF(-_FAR, -_FAR, 2 * _FAR, 2 * _FAR))
        for path, colour in ((rest.subtracted(apart), colours.text), (apart, colours.muted)):
            painter.save()
            painter.setClipPath(path, Qt.ClipOperation.IntersectClip)
            self._draw_text(painter, colour)
            painter.restore()

    def _draw_text(self, painter: QPainter, colour: RGB) -> None:
        painter.setPen(QColor(*colour))
        self._layout.draw(painter, QPointF(0.0, 0.0))

    def _paint_starts(self, painter: QPainter, colours: TokenColours) -> None:
        """Paint a bar where a window begins."""
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(*colours.muted))
        for start in self._starts:
            if start is not None:
                for rect in self.boxes(start)[:1]:
                    painter.drawRect(QRectF(rect.left() - 1.0, rect.top(), 2.0, rect.height()))

    def _underline_peak(self, painter: QPainter, scale: ColourScale, colours: TokenColours) -> None:
        if self.peak_piece is None:
            return
        background = scale.background(
            float(self.activations[self.peak_piece]), colours.surface, colours.accent
        )
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(*readable_on(background, colours.text)))
        for rect in self.boxes(self.peak_piece):
            inset = min(2.0, rect.width() / 5)
            line = QRectF(rect.left() + inset, rect.bottom() - 3, rect.width() - 2 * inset, 2)
            painter.drawRect(line)

    def _paint_selection(
        self, painter: QPainter, selection: tuple[int, int], colours: TokenColours
    ) -> None:
        clip = QPainterPath()
        for row in range(self._layout.lineCount()):
            line = self._layout.lineAt(row)
            start = max(line.textStart(), selection[0])
            end = min(line.textStart() + line.textLength(), selection[1])
            if start < end:
                for left, right in self._spans(line, start, end):
                    clip.addRect(QRectF(left, row * self._pitch, right - left, self._box_height))
        painter.fillPath(clip, QColor(*colours.selection))
        painter.save()
        painter.setClipPath(clip, Qt.ClipOperation.IntersectClip)
        self._draw_text(painter, colours.selected_text)
        painter.restore()


def _x(line: QTextLine, offset: int, edge: QTextLine.Edge = QTextLine.Edge.Leading) -> float:
    found: Any = line.cursorToX(offset, edge)
    return float(found[0] if isinstance(found, tuple) else found)


def _fill(painter: QPainter, rects: list[QRectF], colour: RGB) -> None:
    painter.setBrush(QColor(*colour))
    for rect in rects:
        painter.drawRoundedRect(rect, RADIUS, RADIUS)


def token_colours(colours: Palette, ground: str = "surface") -> TokenColours:
    """Return the colours of a theme for painting tokens on one of its grounds."""
    return TokenColours(
        surface=rgb(getattr(colours, ground)),
        text=rgb(colours.text),
        muted=rgb(colours.disabled_text),
        accent=rgb(colours.accent),
        selection=rgb(colours.selection),
        selected_text=rgb(colours.text),
    )
