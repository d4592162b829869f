"""Features × tokens, cells coloured by activation: one widget that paints what is in sight."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from PySide6.QtCore import QEvent, QPoint, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QContextMenuEvent,
    QHelpEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
)
from PySide6.QtWidgets import QAbstractScrollArea, QToolTip

from sae_desktop.gui.explore.ask.probe_summary import MatrixRow, MatrixRows
from sae_desktop.gui.parts import theme
from sae_desktop.gui.parts.colour_scale import ColourScale, diverging
from sae_desktop.gui.parts.plain_text import show_tip
from sae_desktop.gui.parts.quiet_words import words_that_fit
from sae_desktop.gui.parts.theme import rgb
from sae_desktop.words.feature_words import FeatureWords

CELL = 16
_HEADER = 76
_NAME_SHARE = 0.44
_NAME_WIDTHS = (124, 240)
_FIGURE = "000.00"

Cell = tuple[int, int]
"""A row, and a token counted from the first that is shown; −1: none."""


class TokenMatrix(QAbstractScrollArea):
    """Rows are features, columns tokens. Arrows walk, Enter opens a feature's page."""

    tokenChosen = Signal(int)
    """Counted from the beginning of the text."""
    featureChosen = Signal(int)
    featureOpened = Signal(int)
    menuRequested = Signal(int, QPoint)

    def __init__(
        self, title: Callable[[int], str], words: Callable[[int], FeatureWords | None]
    ) -> None:
        """`title` names a feature, such as “#12 label”; `words` are said of one without a label."""
        super().__init__()
        self._title, self._words = title, words
        self._rows: MatrixRows | None = None
        self._tokens: Sequence[str] = ()
        self._first = 0
        self._scale_of: Callable[[int], ColourScale] = lambda _feature: ColourScale(1.0)
        self._signed = False
        self._current: Cell = (-1, -1)
        self._lit: int | None = None
        self._ranking = -1
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Features by tokens")
        self.setMinimumHeight(_HEADER + 2 * CELL)
        self.viewport().setMouseTracking(True)
        theme.manager().themeChanged.connect(self.viewport().update)

    # ------------------------------------------------------------------ content
    def set_rows(
        self,
        rows: MatrixRows | None,
        tokens: Sequence[str],
        first: int,
        scale_of: Callable[[int], ColourScale],
        *,
        signed: bool = False,
    ) -> None:
        """Show features over the shown names of tokens, of which `first` is the first in the text.

        `signed`: values have a sign, and one scale for all.
        """
        if first != self._first or len(tokens) != len(self._tokens):
            self.horizontalScrollBar().setValue(0)
            self._current = (self._current[0], -1)
        self._rows, self._tokens, self._first = rows, tokens, first
        self._scale_of, self._signed = scale_of, signed
        self._current = (min(self._current[0], len(self) - 1), self._current[1])
        self._fit_bars()
        self._describe()
        self.viewport().update()

    def __len__(self) -> int:
        return 0 if self._rows is None else len(self._rows)

    def features(self) -> list[int]:
        """Return the features from the top down."""
        return [] if self._rows is None else [int(f) for f in self._rows.features]

    def set_marks(self, lit: int | None, token: int | None) -> None:
        """Mark the feature that is lit above, and the token that ranks; the rest as before."""
        self._lit = lit
        self._ranking = -1 if token is None else token - self._first
        self.viewport().update()

    def scroll_to_top(self) -> None:
        self.verticalScrollBar().setValue(0)
        self._current = (0 if len(self) else -1, self._current[1])

    # ------------------------------------------------------------------ geometry
    @property
    def _name_width(self) -> int:
        least, most = _NAME_WIDTHS
        return min(max(round(self.viewport().width() * _NAME_SHARE), least), most)

    def _fit_bars(self) -> None:
        view = self.viewport()
        wide, high = len(self._tokens) * CELL, len(self) * CELL
        for bar, whole, room in (
            (self.horizontalScrollBar(), wide, view.width() - self._name_width),
            (self.verticalScrollBar(), high, view.height() - _HEADER),
        ):
            bar.setRange(0, max(whole - max(room, 0), 0))
            bar.setPageStep(max(room, CELL))
            bar.setSingleStep(CELL)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit_bars()

    def sizeHint(self) -> QSize:
        return QSize(240, _HEADER + 12 * CELL)

    def _place(self, point: QPoint) -> Cell:
        row = (point.y() - _HEADER + self.verticalScrollBar().value()) // CELL
        column = (point.x() - self._name_width + self.horizontalScrollBar().value()) // CELL
        in_rows = point.y() >= _HEADER and row < len(self)
        in_columns = point.x() >= self._name_width and column < len(self._tokens)
        return (row if in_rows else -1, column if in_columns else -1)

    def cell_rect(self, row: int, column: int) -> QRect:
        """Return where a cell is painted."""
        return QRect(
            self._name_width + column * CELL - self.horizontalScrollBar().value(),
            _HEADER + row * CELL - self.verticalScrollBar().value(),
            CELL,
            CELL,
        )

    def number_rect(self, row: int) -> QRect:
        """Return where the number of a row's feature is painted, a link to it."""
        feature = 0 if self._rows is None else int(self._rows.features[row])
        width = self.fontMetrics().horizontalAdvance(f"#{feature}")
        return QRect(4, self.cell_rect(row, 0).top(), width, CELL)

    def _is_number(self, point: QPoint) -> bool:
        row, _ = self._place(point)
        return row >= 0 and self.number_rect(row).contains(point)

    # ------------------------------------------------------------------ painting
    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self.viewport())
        colours, view = theme.palette(), self.viewport().rect()
        painter.fillRect(view, colours.surface)
        top, left = self.verticalScrollBar().value(), self.horizontalScrollBar().value()
        rows = range(top // CELL, min((top + view.height()) // CELL + 1, len(self)))
        first = left // CELL
        last = min((left + view.width()) // CELL + 1, len(self._tokens))
        painter.setClipRect(view.adjusted(0, _HEADER, 0, 0))
        for number in rows:
            self._paint_row(painter, number, first, last)
        painter.setClipRect(QRect(self._name_width, 0, view.width() - self._name_width, _HEADER))
        self._paint_tokens(painter, first, last)
        painter.setClipping(False)
        painter.setPen(QPen(colours.border, 1))
        painter.drawLine(0, _HEADER - 1, view.width(), _HEADER - 1)
        if self.hasFocus():
            painter.setPen(QPen(colours.focus, 1))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(view.adjusted(0, 0, -1, -1))

    def _paint_row(self, painter: QPainter, number: int, first: int, last: int) -> None:
        assert self._rows is not None
        row, colours = self._rows.row(number), theme.palette()
        line = QRect(0, self.cell_rect(number, 0).top(), self.viewport().width(), CELL)
        if number == self._current[0] or row.feature == self._lit:
            painter.fillRect(line, colours.selection)
        elif number % 2:
            painter.fillRect(line, colours.raised)
        columns = row.positions - self._first
        start, end = np.searchsorted(columns, [first, last])
        painter.save()
        painter.setClipRect(
            line.adjusted(self._name_width, 0, 0, 0), Qt.ClipOperation.IntersectClip
        )
        colour_of = self._colours(row)
        for column, value in zip(
            columns[start:end].tolist(), row.values[start:end].tolist(), strict=True
        ):
            box = self.cell_rect(number, column).adjusted(1, 1, -1, -1)
            painter.fillRect(box, colour_of(value))
        painter.restore()
        self._paint_name(painter, line, row, number)
        if number == self._current[0] and self._current[1] >= 0:
            painter.setPen(QPen(colours.focus, 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(self.cell_rect(*self._current).adjusted(1, 1, -1, -1))

    def _colours(self, row: MatrixRow) -> Callable[[float], QColor]:
        colours, scale = theme.palette(), self._scale_of(row.feature)
        ground, accent = rgb(colours.surface), rgb(colours.accent)
        if self._signed:
            less, more = rgb(colours.negative), rgb(colours.positive)
            return lambda value: QColor(*diverging(value, scale.maximum, ground, less, more))
        return lambda value: QColor(*scale.background(value, ground, accent))

    def _paint_name(self, painter: QPainter, line: QRect, row: MatrixRow, number: int) -> None:
        colours, metrics = theme.palette(), self.fontMetrics()
        middle = Qt.AlignmentFlag.AlignVCenter
        figure = max(metrics.horizontalAdvance(_FIGURE), metrics.horizontalAdvance("−0.000"))
        name = QRectF(4, line.top(), self._name_width - figure - 16, CELL)
        left, number_text = Qt.AlignmentFlag.AlignLeft | middle, f"#{row.feature}"
        painter.setPen(colours.link)  # as it opens the feature
        painter.drawText(name, left, number_text)
        painter.setPen(colours.text)
        rest, words = self._title(row.feature).removeprefix(number_text), self._words(row.feature)
        name.setLeft(name.left() + metrics.horizontalAdvance(f"{number_text} "))
        text = metrics.elidedText(rest.strip(), Qt.TextElideMode.ElideRight, int(name.width()))
        if words is not None:
            painter.setPen(colours.muted_text)
            text = words_that_fit(words, metrics, name.width())
        painter.drawText(name, left, text)
        right = QRectF(self._name_width - figure - 8, line.top(), figure, CELL)
        painter.drawText(right, Qt.AlignmentFlag.AlignRight | middle, self._figure(row))

    def _figure(self, row: MatrixRow) -> str:
        value = self._at_column(row, self._ranking)
        if value is None:
            value = float(row.values[np.abs(row.values).argmax()])
        return _number(value, signed=self._signed)

    def _at_column(self, row: MatrixRow, column: int) -> float | None:
        if column < 0:
            return None
        place = int(np.searchsorted(row.positions, column + self._first))
        there = place < len(row.positions) and row.positions[place] == column + self._first
        return float(row.values[place]) if there else 0.0

    def _paint_tokens(self, painter: QPainter, first: int, last: int) -> None:
        colours, metrics = theme.palette(), self.fontMetrics()
        for column in range(first, last):
            box = self.cell_rect(0, column)
            if column in (self._ranking, self._current[1]):
                painter.fillRect(QRect(box.left(), 0, CELL, _HEADER), colours.selection)
            painter.save()
            painter.translate(box.left() + CELL / 2, _HEADER - 6)
            painter.rotate(-90)
            painter.setPen(colours.text)
            text = metrics.elidedText(
                self._tokens[column], Qt.TextElideMode.ElideRight, _HEADER - 10
            )
            painter.drawText(
                QRectF(0, -CELL / 2, _HEADER, CELL),
                Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter,
                text,
            )
            painter.restore()

    # ------------------------------------------------------------------ pointer and keys
    def mousePressEvent(self, event: QMouseEvent) -> None:
        row, column = self._place(event.position().toPoint())
        if event.button() != Qt.MouseButton.LeftButton:
            return
        if row >= 0:
            self._go(row, self._current[1] if column < 0 else column)
            if self._is_number(event.position().toPoint()) and self._rows is not None:
                self.featureOpened.emit(int(self._rows.features[row]))
        elif column >= 0:
            self.tokenChosen.emit(column + self._first)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        link = self._is_number(event.position().toPoint())
        shape = Qt.CursorShape.PointingHandCursor if link else Qt.CursorShape.ArrowCursor
        self.viewport().setCursor(shape)
        super().mouseMoveEvent(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        row, _ = self._place(event.position().toPoint())
        if row >= 0 and self._rows is not None:
            self.featureOpened.emit(int(self._rows.features[row]))

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        row, _ = self._place(event.pos())
        by_keys = event.reason() == QContextMenuEvent.Reason.Keyboard
        row = self._current[0] if by_keys else row
        if row >= 0 and self._rows is not None:
            self.menuRequested.emit(int(self._rows.features[row]), event.globalPos())

    def _go(self, row: int, column: int) -> None:
        """Move to a cell; the row's feature is chosen."""
        row = min(max(row, 0), len(self) - 1)
        column = min(column, len(self._tokens) - 1)
        moved = row != self._current[0]
        self._current = (row, column)
        seen = column
        if column < 0 and self._rows is not None and len(self):  # where it is strongest
            strongest = self._rows.row(row)
            seen = int(strongest.positions[np.abs(strongest.values).argmax()]) - self._first
        for bar, at, room in (
            (self.verticalScrollBar(), row * CELL, self.viewport().height() - _HEADER),
            (
                self.horizontalScrollBar(),
                seen * CELL,
                self.viewport().width() - self._name_width,
            ),
        ):
            if at >= 0:
                bar.setValue(min(max(bar.value(), at + CELL - room), at))
        self._describe()
        self.viewport().update()
        if self._rows is not None and len(self) and (moved or self._lit is None):
            self.featureChosen.emit(int(self._rows.features[row]))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        row, column = self._current
        page = max((self.viewport().height() - _HEADER) // CELL - 1, 1)
        steps: dict[int, Cell] = {
            Qt.Key.Key_Down: (row + 1, column),
            Qt.Key.Key_Up: (max(row - 1, 0), column),
            Qt.Key.Key_PageDown: (row + page, column),
            Qt.Key.Key_PageUp: (max(row - page, 0), column),
            Qt.Key.Key_Right: (max(row, 0), column + 1),
            Qt.Key.Key_Left: (max(row, 0), max(column - 1, 0)),
        }
        found = steps.get(event.key())
        if found is not None and len(self):
            self._go(*found)
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self._rows and row >= 0:
            self.featureOpened.emit(int(self._rows.features[row]))
        elif event.key() == Qt.Key.Key_Space and column >= 0:
            self.tokenChosen.emit(column + self._first)
        else:
            super().keyPressEvent(event)

    def viewportEvent(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            text = self._tip(*self._place(event.pos()))
            show_tip(event.globalPos(), text, self) if text else QToolTip.hideText()
            return True
        return bool(super().viewportEvent(event))

    def _tip(self, row: int, column: int) -> str:
        parts: list[Any] = []
        if row >= 0 and self._rows is not None:
            parts.append(self._title(int(self._rows.features[row])))
        if column >= 0:
            parts.append(f"{self._tokens[column]} (token {column + self._first})")
        if len(parts) == 2 and self._rows is not None:
            value = self._at_column(self._rows.row(row), column) or 0.0
            parts.append(_number(value, signed=self._signed))
        if row >= 0 and self._rows is not None:
            words = self._words(int(self._rows.features[row]))
            parts += [] if words is None else [words.spoken]
        return "\n".join(parts)

    def _describe(self) -> None:
        self.setAccessibleDescription(self._tip(*self._current).replace("\n", ", "))


def _number(value: float, *, signed: bool) -> str:
    text = f"{abs(value):.3f}" if signed else f"{value:.2f}"
    if signed and float(text):
        return ("+" if value > 0 else "−") + text
    return text
