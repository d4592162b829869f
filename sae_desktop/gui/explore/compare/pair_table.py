"""The figures of every pair of compared features, and those of random pairs beneath."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem

from sae_desktop.features.reading.comparing import Comparison
from sae_desktop.gui.parts import theme
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.words.comparing_text import (
    COLUMNS,
    RANDOM_TITLE,
    pair_cells,
    pair_sentence,
    pair_title,
    random_cells,
    random_text,
)

_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_ROW_PADDING = 8
_LEAST_FIGURE = 56


class PairTable(QTableWidget):
    """One row a pair, as tall as its rows; what a row says in words is in its tip."""

    def __init__(self) -> None:
        super().__init__(0, 1 + len(COLUMNS))
        self.setAccessibleName("Figures of every pair")
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setTabKeyNavigation(False)
        self.setShowGrid(False)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(self.fontMetrics().height() + _ROW_PADDING)
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setFixedHeight(2 * header.fontMetrics().height() + 2 * _ROW_PADDING)
        header.setDefaultAlignment(_RIGHT)
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        header.setMinimumSectionSize(_LEAST_FIGURE)
        self.setTextElideMode(Qt.TextElideMode.ElideNone)
        for column, (title, tip) in enumerate((("Pair", "Two of the features"), *COLUMNS)):
            item = QTableWidgetItem("\n".join(title.rsplit(" ", 1)))  # figures are narrow
            item.setToolTip(plain_tip(tip))
            item.setData(Qt.ItemDataRole.AccessibleTextRole, title)
            if not column:
                item.setTextAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
            self.setHorizontalHeaderItem(column, item)
        theme.manager().themeChanged.connect(self._colour)

    def show_comparison(self, comparison: Comparison | None) -> None:
        """Show the pairs of a comparison; None: no rows."""
        rows: list[tuple[str, tuple[str, ...], str]] = []
        if comparison is not None:
            random = comparison.random
            rows = [
                (pair_title(pair), pair_cells(pair), pair_sentence(pair, random))
                for pair in comparison.pairs
            ]
            rows.append((RANDOM_TITLE, random_cells(random), random_text(random)))
        self.setRowCount(len(rows))
        for row, (title, cells, sentence) in enumerate(rows):
            for column, text in enumerate((title, *cells)):
                item = QTableWidgetItem(text)
                item.setToolTip(plain_tip(sentence))
                if column:
                    item.setTextAlignment(_RIGHT)
                    spoken = f"{COLUMNS[column - 1][0]} {text}"
                    item.setData(Qt.ItemDataRole.AccessibleTextRole, spoken)
                self.setItem(row, column, item)
        self._colour()
        self._fit()

    def text(self) -> str:
        """Return the table as tab-separated text with a header."""
        lines = ["\t".join(("Pair", *(title for title, _ in COLUMNS)))]
        for row in range(self.rowCount()):
            cells = (self.item(row, column) for column in range(self.columnCount()))
            lines.append("\t".join("" if cell is None else cell.text() for cell in cells))
        return "\n".join(lines)

    def _colour(self) -> None:
        """Random pairs stand in grey: they are the measure, not what is measured."""
        last = self.rowCount() - 1
        for column in range(self.columnCount()):
            item = self.item(last, column)
            if item is not None:
                item.setForeground(theme.palette().muted_text)

    def _fit(self) -> None:
        rows = self.verticalHeader().length() + self.horizontalHeader().height()
        self.setFixedHeight(rows + 2 * self.frameWidth())
