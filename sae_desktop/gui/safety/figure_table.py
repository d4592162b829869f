"""A small table of figures that fits its rows: words at the left, figures at the right."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QSize, Qt
from PySide6.QtGui import QGuiApplication, QKeyEvent, QKeySequence, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
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

    def __init__(self, name: str, heads: Sequence[tuple[str, str]]) -> None:
        """`heads`: a title, and what it means; empty: what the glossary says."""
        super().__init__(0, len(heads))
        self._heads = [title for title, _ in heads]
        for column, (title, tip) in enumerate(heads):
            item = QTableWidgetItem(title)
            item.setToolTip(plain_tip(tip or tip_of(title)))
            side = Qt.AlignmentFlag.AlignRight if column else Qt.AlignmentFlag.AlignLeft
            item.setTextAlignment(side | Qt.AlignmentFlag.AlignVCenter)
            self.setHorizontalHeaderItem(column, item)
        self.verticalHeader().hide()
        header = self.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        header.setHighlightSections(False)
        self.setItemDelegate(_Cells(self))
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setTabKeyNavigation(False)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName(name)

    def set_rows(self, rows: Sequence[Sequence[str]], strong: int = -1) -> None:
        """Show rows of cells; that of number `strong` in bold."""
        self.setRowCount(len(rows))
        for number, row in enumerate(rows):
            for column, text in enumerate(row):
                item = QTableWidgetItem(text)
                side = Qt.AlignmentFlag.AlignRight if column else Qt.AlignmentFlag.AlignLeft
                item.setTextAlignment(side | Qt.AlignmentFlag.AlignVCenter)
                item.setToolTip(plain_tip(text))
                if number == strong:
                    font = item.font()
                    font.setBold(True)
                    item.setFont(font)
                self.setItem(number, column, item)
        height = self.horizontalHeader().sizeHint().height() + 2 * self.frameWidth()
        height += sum(self.rowHeight(number) for number in range(len(rows)))
        self.setFixedHeight(height + self.horizontalScrollBar().sizeHint().height())

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
