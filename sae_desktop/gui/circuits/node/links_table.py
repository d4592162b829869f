"""A table of a node's inputs, or of its outputs."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHeaderView

from sae_desktop.gui.circuits.node.links_model import NAME, PLACE, SHARE, WEIGHT, LinksModel
from sae_desktop.gui.parts.row_table import RowTable

_ROOM = 18


class LinksTable(RowTable):
    """Rows are walked by the arrow keys; Return goes to the node of a row."""

    nodeChosen = Signal(int)
    """Go to a node."""
    nodePointed = Signal(object)
    """The node of the present row, to be lit up; None: none."""

    def __init__(self, title: str, name: Callable[[int], str]) -> None:
        self.links = LinksModel(name)
        super().__init__(title, self.links)
        self.links.setParent(self)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setMinimumHeight(72)
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.sort_by_heads()
        self.selectionModel().currentRowChanged.connect(self._on_row)
        self.links.modelReset.connect(self._share_room)

    def _on_row(self, index: object, _before: object) -> None:
        del index
        self.nodePointed.emit(self.links.node(self.currentIndex().row()))

    def open_row(self, row: int) -> None:
        node = self.links.node(row)
        if node is not None:
            self.nodeChosen.emit(node)

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
