"""A line of small bars side by side, one of which can be chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QFontMetricsF,
    QHelpEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from sae_desktop.gui.parts import theme
from sae_desktop.gui.parts.plain_text import show_tip

_HEIGHT = 28
"""Of the bars."""
_WIDEST, _NARROWEST = 72, 10
_GAP = 2


@dataclass(frozen=True)
class StripBar:
    """One bar: a few letters below it, its height (0…1), and a sentence."""

    name: str
    share: float
    tip: str


class ShareStrip(QWidget):
    """Bars over their names, as wide as there is room for; one may be chosen, or none."""

    chosen = Signal(object)
    """The number of a bar, or None where it was let go."""

    def __init__(self, name: str, *, choosing: bool = True) -> None:
        super().__init__()
        self._bars: list[StripBar] = []
        self._chosen: int | None = None
        self._choosing = choosing
        self.setAccessibleName(name)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        if choosing:
            self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            self.setCursor(Qt.CursorShape.PointingHandCursor)
        theme.manager().themeChanged.connect(self.update)

    def set_bars(self, bars: Sequence[StripBar]) -> None:
        """Show other bars; the one chosen stays chosen by its number."""
        self._bars = list(bars)
        if self._chosen is not None and self._chosen >= len(bars):
            self._chosen = None
        self.setAccessibleDescription("\n".join(f"{b.name}: {b.share:.0%}" for b in bars))
        self.updateGeometry()
        self.update()

    @property
    def chosen_bar(self) -> int | None:
        return self._chosen

    def choose(self, number: int | None) -> None:
        """Show a bar as chosen, without a signal."""
        self._chosen = number
        self.update()

    # ------------------------------------------------------------------ geometry
    def sizeHint(self) -> QSize:
        return QSize(_WIDEST * max(len(self._bars), 1), self._text_top() + self._text_height())

    def minimumSizeHint(self) -> QSize:
        return QSize(_NARROWEST * max(len(self._bars), 1), self.sizeHint().height())

    def _text_height(self) -> int:
        return self.fontMetrics().height()

    def _text_top(self) -> int:
        return _HEIGHT + 4

    def cell(self, number: int) -> QRectF:
        """Return the place of a bar and its name."""
        wide = min(self.width() / max(len(self._bars), 1), _WIDEST)
        return QRectF(number * wide, 0, wide, self.sizeHint().height())

    def _at(self, point: QPointF) -> int | None:
        return next((n for n in range(len(self._bars)) if self.cell(n).contains(point)), None)

    # ------------------------------------------------------------------ drawing
    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        colours, metrics = theme.palette(), QFontMetricsF(self.font())
        every = self._every(metrics)
        for number, bar in enumerate(self._bars):
            cell = self.cell(number)
            column = QRectF(cell.left() + _GAP, 2, max(cell.width() - 2 * _GAP, 2), _HEIGHT)
            picked = number == self._chosen
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(colours.selection if picked else colours.raised)
            painter.drawRoundedRect(column, 2, 2)
            share = min(max(bar.share, 0.0), 1.0)
            if share > 0:
                high = max(share * _HEIGHT, 2.0)
                hue = colours.accent if picked else theme.blend(colours.surface, colours.link, 0.65)
                painter.setBrush(hue)
                painter.drawRoundedRect(
                    QRectF(column.left(), column.bottom() - high, column.width(), high), 2, 2
                )
            if picked:
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.setPen(QPen(colours.text, 1.5))
                painter.drawRoundedRect(column, 2, 2)
            if number % every == 0 or picked:
                painter.setPen(colours.text if picked else colours.muted_text)
                room = cell.width() if every == 1 else every * cell.width()
                text = metrics.elidedText(bar.name, Qt.TextElideMode.ElideMiddle, room - 2)
                place = QRectF(cell.left(), self._text_top(), room, self._text_height())
                if every > 1 and place.right() > self.width():
                    place.moveRight(self.width())
                align = Qt.AlignmentFlag.AlignHCenter if every == 1 else Qt.AlignmentFlag.AlignLeft
                if not self._covered(number, every):
                    painter.drawText(place, align, text)
        if self.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(colours.focus, 1.5))
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.75, 0.75, -0.75, -0.75), 3, 3)

    def _every(self, metrics: QFontMetricsF) -> int:
        """Return of how many bars one is named: of narrow ones not each."""
        if not self._bars:
            return 1
        wide = self.cell(0).width()
        longest = max(metrics.horizontalAdvance(bar.name) for bar in self._bars)
        return 1 if longest + 2 <= wide or wide >= _WIDEST else max(int(longest / wide) + 2, 1)

    def _covered(self, number: int, every: int) -> bool:
        """Return whether the name of a bar would lie over that of the one chosen."""
        if every == 1 or self._chosen is None or number == self._chosen:
            return False
        return abs(number - self._chosen) < every

    # ------------------------------------------------------------------ hands
    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            number = self._at(QPointF(event.pos()))
            if number is not None:
                show_tip(event.globalPos(), self._bars[number].tip, self)
            return True
        return super().event(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if self._choosing and event.button() == Qt.MouseButton.LeftButton:
            number = self._at(event.position())
            if number is not None:
                self._pick(None if number == self._chosen else number)
        super().mousePressEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        last = len(self._bars) - 1
        at = -1 if self._chosen is None else self._chosen
        steps = {
            Qt.Key.Key_Right: min(at + 1, last),
            Qt.Key.Key_Left: at - 1 if at > 0 else None,
            Qt.Key.Key_Home: 0,
            Qt.Key.Key_End: last,
        }
        key = Qt.Key(event.key())
        if not self._choosing or not self._bars or key not in steps:
            super().keyPressEvent(event)
            return
        self._pick(steps[key])

    def _pick(self, number: int | None) -> None:
        if number == self._chosen:
            return
        self._chosen = number
        self.update()
        self.chosen.emit(number)
