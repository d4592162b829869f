"""A small table of figures that fits its rows: words at the left, figures at the right."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QSize, Qt
from PySide6.QtGui import QGuiApplication, QKeyEvent, QKeySequence, QPainter, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableWidget,
    QTableWidgetItem,
)

from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.parts.terms import tip_of

Index = QModelIndex | QPersistentModelIndex
_GAP = 8
"""Pixels at either side of a cell, as the heads have them."""


class _Cells(QStyledItemDelegate):
    """Paints cells in line with their heads."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        option.rect.adjust(_GAP // 2, 0, -_GAP // 2, 0)
        super().paint(painter, option, index)

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return super().sizeHint(option, index) + QSize(_GAP, 0)


class FigureTable(QTableWidget):
    """As tall as its rows; the first column takes what room there is. Ctrl+C copies all."""

    def __init__(self, name: str, heads: Sequence[tuple[str, str]] = ()) -> None:
        """`heads`: a title, and what it means; empty: what the glossary says."""
        super().__init__(0, 0)
        self._heads: list[str] = []
        self.verticalHeader().hide()
        self.horizontalHeader().setHighlightSections(False)
        self.horizontalHeader().setStretchLastSection(False)
        self.setItemDelegate(_Cells(self))
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setTabKeyNavigation(False)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName(name)
        self.set_heads(heads)

    def set_heads(self, heads: Sequence[tuple[str, str]]) -> None:
        """Show other columns, without rows."""
        self._heads = [title for title, _ in heads]
        self.setRowCount(0)
        self.setColumnCount(len(heads))
        for column, (title, tip) in enumerate(heads):
            item = QTableWidgetItem(title)
            item.setToolTip(plain_tip(tip or tip_of(title)))
            item.setTextAlignment(_side(column))
            self.setHorizontalHeaderItem(column, item)

    def set_rows(
        self,
        rows: Sequence[Sequence[str]],
        strong_row: int = -1,
        strong_column: int = -1,
        tips: Sequence[str] = (),
    ) -> None:
        """Show rows of cells, one row or column of them in bold; `tips` say what a row means."""
        self.setRowCount(len(rows))
        for number, row in enumerate(rows):
            for column, text in enumerate(row):
                item = QTableWidgetItem(text)
                item.setTextAlignment(_side(column))
                tip = tips[number] or tip_of(row[0]) if tips and not column else text
                item.setToolTip(plain_tip(tip))
                if number == strong_row or column == strong_column:
                    font = item.font()
                    font.setBold(True)
                    item.setFont(font)
                self.setItem(number, column, item)
        self._fit()

    def _fit(self) -> None:
        """Give the columns their room, the first one the rest, and the table its height."""
        self.resizeColumnsToContents()
        others = sum(self.columnWidth(column) for column in range(1, self.columnCount()))
        room = self.width() - 2 * self.frameWidth() - others
        scrolls = room < self.columnWidth(0)
        if self.columnCount() and not scrolls:
            self.setColumnWidth(0, room)
        height = self.horizontalHeader().sizeHint().height() + 2 * self.frameWidth()
        height += sum(self.rowHeight(number) for number in range(self.rowCount()))
        if scrolls:
            height += self.horizontalScrollBar().sizeHint().height()
        self.setFixedHeight(height)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width():
            self._fit()

    def text(self) -> str:
        """Return the table with tabs between its cells."""
        lines = ["\t".join(self._heads)]
        for number in range(self.rowCount()):
            items = [self.item(number, column) for column in range(self.columnCount())]
            lines.append("\t".join("" if item is None else item.text() for item in items))
        return "\n".join(lines)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.matches(QKeySequence.StandardKey.Copy):
            QGuiApplication.clipboard().setText(self.text())
        else:
            super().keyPressEvent(event)


def _side(column: int) -> Qt.AlignmentFlag:
    side = Qt.AlignmentFlag.AlignRight if column else Qt.AlignmentFlag.AlignLeft
    return side | Qt.AlignmentFlag.AlignVCenter
