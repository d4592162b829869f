"""The next token's probabilities, plain against steered: two bars and two figures a token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QPoint, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QGuiApplication, QHelpEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QMenu, QSizePolicy, QWidget

from sae_desktop.gui.parts import theme
from sae_desktop.gui.parts.plain_text import show_tip
from sae_desktop.gui.parts.plot_image import add_image_actions
from sae_desktop.gui.parts.terms import tip_of
from sae_desktop.language_model.text.token_text import visible_token
from sae_desktop.words.amounts import probability_text, signed_text

ROWS = 8
_FEWEST_ROWS = 3
WIDEST = 1040
_BAR = 6
_GAP = 8
_HEADERS = ("plain", "steered", "change")


@dataclass(frozen=True)
class TokenProbability:
    """A next token's chance in the model as it is, and steered."""

    token: str
    plain: float
    steered: float


def strongest_tokens(tokens: Sequence[TokenProbability], count: int) -> list[TokenProbability]:
    """Return the tokens likeliest on either side, likeliest first."""
    return sorted(tokens, key=lambda t: (-max(t.plain, t.steered), t.token))[:count]


class ProbabilityBars(QWidget):
    """Rows of token, paired bars, both probabilities and the change in percentage points."""

    def __init__(self) -> None:
        super().__init__()
        self._rows: list[TokenProbability] = []
        self.setAccessibleName("Probabilities of the next token, plain and steered")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Maximum)
        self.setMaximumWidth(WIDEST)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.customContextMenuRequested.connect(self._show_menu)
        theme.manager().themeChanged.connect(self.update)

    def set_tokens(self, tokens: Sequence[TokenProbability]) -> None:
        """Show the likeliest of these tokens."""
        self._rows = strongest_tokens(tokens, ROWS)
        self.setAccessibleDescription(self.text())
        self.updateGeometry()
        self.update()

    def rows(self) -> list[TokenProbability]:
        return list(self._rows)

    def text(self) -> str:
        """Return the rows as tab-separated text with a header."""
        lines = [f"{visible_token(t.token)}\t{t.plain:.6f}\t{t.steered:.6f}" for t in self._rows]
        return "\n".join(["token\tplain\tsteered", *lines])

    def _row_height(self) -> int:
        return max(self.fontMetrics().height(), 2 * _BAR + 2) + 6

    def sizeHint(self) -> QSize:
        return QSize(360, self._top() + ROWS * self._row_height())

    def minimumSizeHint(self) -> QSize:
        return QSize(240, self._top() + _FEWEST_ROWS * self._row_height())

    def _fitting(self) -> list[TokenProbability]:
        """Return the rows there is room for, the likeliest: none is shown in part."""
        return self._rows[: max((self.height() - self._top()) // self._row_height(), 0)]

    def bar_rects(self, row: int) -> tuple[QRectF, QRectF]:
        """Return where the plain and the steered bar of a row are painted."""
        token, left, width = self._rows[row], self._left(), self._bar_width()
        height = self._row_height()
        top = self._top() + row * height + (height - 2 * _BAR - 2) / 2
        most = self._most()
        plain = QRectF(left, top, max(width * token.plain / most, 1.0), _BAR)
        steered = QRectF(left, top + _BAR + 2, max(width * token.steered / most, 1.0), _BAR)
        return plain, steered

    def _top(self) -> int:
        """Return the height of the line that names the columns."""
        return self.fontMetrics().height() + 4

    def _left(self) -> float:
        return min(max(self.width() * 0.22, 88.0), 200.0)

    def _figures(self) -> float:
        return 3 * (self._figure_width() + _GAP)

    def _figure_width(self) -> float:
        return QFontMetricsF(self.font()).horizontalAdvance("+100.0 pt")

    def _bar_width(self) -> float:
        return max(self.width() - self._left() - self._figures() - _GAP, 24.0)

    def _most(self) -> float:
        return max((max(t.plain, t.steered) for t in self._rows), default=1.0) or 1.0

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        colours = theme.palette()
        metrics = QFontMetricsF(self.font())
        height = self._row_height()
        if self._rows:
            self._paint_headers(painter)
        for number, token in enumerate(self._fitting()):
            row = QRectF(0, self._top() + number * height, self.width(), height)
            text = metrics.elidedText(
                visible_token(token.token), Qt.TextElideMode.ElideMiddle, self._left() - 2 * _GAP
            )
            painter.setPen(colours.text)
            painter.drawText(row.adjusted(4, 0, 0, 0), _LEFT, text)
            plain, steered = self.bar_rects(number)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(colours.muted_text)
            painter.drawRoundedRect(plain, 2, 2)
            painter.setBrush(colours.accent)
            painter.drawRoundedRect(steered, 2, 2)
            self._paint_figures(painter, row, token)

    def _paint_headers(self, painter: QPainter) -> None:
        """Name the columns, the first two in the colours of their bars."""
        colours = theme.palette()
        small = self.font()
        small.setPointSizeF(small.pointSizeF() * 0.9)
        painter.setFont(small)
        step = self._figure_width() + _GAP
        left = self.width() - self._figures()
        hues = (colours.muted_text, colours.positive, colours.muted_text)
        for number, (text, hue) in enumerate(zip(_HEADERS, hues, strict=True)):
            painter.setPen(hue)
            place = QRectF(left + number * step, 0, step - 4, self._top())
            painter.drawText(place, _RIGHT, text)
        painter.setFont(self.font())

    def _paint_figures(self, painter: QPainter, row: QRectF, token: TokenProbability) -> None:
        colours = theme.palette()
        change = 100.0 * (token.steered - token.plain)
        hue: QColor = colours.muted_text
        if abs(change) >= 0.05:
            hue = colours.positive if change > 0 else colours.negative
        figures = (
            (probability_text(token.plain), colours.muted_text),
            (probability_text(token.steered), colours.text),
            (f"{signed_text(change, 1)} pt", hue),
        )
        step = self._figure_width() + _GAP
        left = self.width() - self._figures()
        for number, (text, colour) in enumerate(figures):
            painter.setPen(colour)
            place = QRectF(left + number * step, row.top(), step - 4, row.height())
            painter.drawText(place, _RIGHT, text)

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            number = (event.pos().y() - self._top()) // self._row_height()
            if 0 <= number < len(self._fitting()):
                token = self._rows[number]
                show_tip(
                    event.globalPos(),
                    f"{visible_token(token.token)}\nplain {token.plain:.4f}\n"
                    f"steered {token.steered:.4f}",
                    self,
                )
            else:
                show_tip(event.globalPos(), tip_of("Next token"), self)
            return True
        return super().event(event)

    def _show_menu(self, point: QPoint) -> None:
        menu = QMenu(self)
        clipboard = QGuiApplication.clipboard()
        add_image_actions(menu, self, "next tokens")
        menu.addAction("Copy data", lambda: clipboard.setText(self.text()))
        menu.aboutToHide.connect(menu.deleteLater)
        menu.popup(self.mapToGlobal(point))


_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
