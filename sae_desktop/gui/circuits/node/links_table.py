"""A table of a node's inputs, or of its outputs."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableView

from sae_desktop.gui.circuits.node.links_model import NAME, PLACE, SHARE, WEIGHT, LinksModel

_ROOM = 18


class LinksTable(QTableView):
    """Rows are walked by the arrow keys; Return goes to the node of a row."""

    nodeChosen = Signal(int)
    """Go to a node."""
    nodePointed = Signal(object)
    """The node of the present row, to be lit up; None: none."""

    def __init__(self, title: str, name: Callable[[int], str]) -> None:
        super().__init__()
        self.links = LinksModel(name, self)
        self.setModel(self.links)
        self.setAccessibleName(title)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setTabKeyNavigation(False)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setSortingEnabled(True)
        self.setMinimumHeight(72)
        rows = self.verticalHeader()
        rows.hide()
        rows.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        rows.setMinimumSectionSize(16)
        rows.setDefaultSectionSize(self.fontMetrics().height() + 8)
        head = self.horizontalHeader()
        head.setHighlightSections(False)
        head.setMinimumSectionSize(32)
        head.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        head.setSortIndicator(-1, Qt.SortOrder.DescendingOrder)
        head.setSortIndicatorClearable(True)
        self.doubleClicked.connect(lambda index: self._choose(index.row()))
        self.selectionModel().currentRowChanged.connect(self._on_row)
        self.links.modelReset.connect(self._share_room)

    def _on_row(self, index: object, _before: object) -> None:
        del index
        self.nodePointed.emit(self.links.node(self.currentIndex().row()))

    def _choose(self, row: int) -> None:
        node = self.links.node(row)
        if node is not None:
            self.nodeChosen.emit(node)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.currentIndex().isValid():
            self._choose(self.currentIndex().row())
        else:
            super().keyPressEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._share_room()

    def _share_room(self) -> None:
        """Give figures what they need, the names the rest."""
        metrics, whole = self.fontMetrics(), self.viewport().width()
        weight = metrics.horizontalAdvance("−0.00123") + _ROOM
        share = metrics.horizontalAdvance("100.0%") + _ROOM
        left = max(whole - weight - share, 80)
        told = max(self.sizeHintForColumn(PLACE), metrics.horizontalAdvance("Where") + _ROOM)
        place = min(told, left // 2)
        widths = {NAME: left - place, PLACE: place, WEIGHT: weight, SHARE: share}
        for column, width in widths.items():
            self.setColumnWidth(column, width)
