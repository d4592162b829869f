"""The links of a node as rows: who, where, how much."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from sae_desktop.circuits.reading.graph_file import ERROR, FEATURE, Graph
from sae_desktop.circuits.reading.node_links import Links, SortBy, matching, sorted_links
from sae_desktop.gui.parts import theme
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.words.amounts import share_text
from sae_desktop.words.graph_words import node_tip, quoted, signed

Index = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()
NAME, PLACE, WEIGHT, SHARE = range(4)
TITLES = ("Name", "Where", "Weight", "Share")
_KEYS: tuple[SortBy, ...] = ("name", "place", "weight", "share")
_TIPS = {
    "inputs": (
        "What feeds the node", "Where it is",
        "How much it adds to the node: its activation times the effect of one unit of it, with "
        "attention and norms held as they were on this prompt",
        "Its part of all that comes into the node, by size",
    ),
    "outputs": (
        "What the node feeds", "Where it is",
        "How much the node adds to it, with attention and norms held as they were on this prompt",
        "The node’s part of all that comes into that one, by size",
    ),
}  # fmt: skip
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter


class LinksModel(QAbstractTableModel):
    """Inputs or outputs of a node, sorted by any column and filtered."""

    def __init__(self, name: Callable[[int], str], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._name = name
        self._graph: Graph | None = None
        self._all: Links | None = None
        self._rows: Links | None = None
        self._text, self._kinds = "", frozenset(range(4))
        self._sort: tuple[int, bool] | None = None

    @property
    def total(self) -> int:
        """How many links there are, whatever is filtered."""
        return 0 if self._all is None else len(self._all)

    def show_links(self, graph: Graph | None, links: Links | None) -> None:
        self._graph, self._all = graph, links
        self._arrange()

    def filter(self, text: str, kinds: frozenset[int]) -> None:
        """List the links whose other end has a text in its name and is of one of the kinds."""
        self._text, self._kinds = text, kinds
        self._arrange()

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        self._sort = (column, order == Qt.SortOrder.DescendingOrder)
        self._arrange()

    def refresh_names(self) -> None:
        """Show the names as they are now."""
        if self._text or (self._sort is not None and self._sort[0] == NAME):
            self._arrange()
        elif self.rowCount():
            self.dataChanged.emit(self.index(0, NAME), self.index(self.rowCount() - 1, NAME))

    def node(self, row: int) -> int | None:
        """Return the node of a row."""
        if self._rows is None or not 0 <= row < len(self._rows):
            return None
        return int(self._rows.others[row])

    def _arrange(self) -> None:
        self.beginResetModel()
        rows = self._all
        if rows is not None and self._graph is not None:
            if self._text.strip() or len(self._kinds) < 4:
                rows = matching(self._graph, rows, self._text, self._kinds, self._name)
            if self._sort is not None:
                by, descending = _KEYS[self._sort[0]], self._sort[1]
                rows = sorted_links(self._graph, rows, by, descending=descending, name=self._name)
        self._rows = rows
        self.endResetModel()

    # ------------------------------------------------------------------ Qt asks
    def rowCount(self, parent: Index = _ROOT) -> int:
        return 0 if parent.isValid() or self._rows is None else len(self._rows)

    def columnCount(self, parent: Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(TITLES)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return TITLES[section]
        if role == Qt.ItemDataRole.ToolTipRole:
            side = "inputs" if self._all is None else self._all.side
            return plain_tip(_TIPS[side][section])
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _RIGHT if section in (WEIGHT, SHARE) else _LEFT
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        node = self.node(index.row()) if index.isValid() else None
        if node is None or self._rows is None or self._graph is None:
            return None
        column, weight = index.column(), float(self._rows.weights[index.row()])
        if role == Qt.ItemDataRole.DisplayRole:
            if column == NAME:
                return self._name(node)
            if column == PLACE:
                return self._where(node)
            if column == WEIGHT:
                return signed(weight)
            return share_text(float(self._rows.shares[index.row()]))
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _RIGHT if column in (WEIGHT, SHARE) else _LEFT
        if role == Qt.ItemDataRole.ForegroundRole:
            colours = theme.palette()
            if column == WEIGHT:
                return colours.positive if weight > 0 else colours.negative
            if column == NAME and self._graph.kind[node] == ERROR:
                return colours.muted_text
            return None
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain_tip(node_tip(self._graph, node, self._name(node)))
        return None

    def _where(self, node: int) -> str:
        """Return layer and token in short; of a token, which is its name already, its number."""
        graph = self._graph
        assert graph is not None
        position = int(graph.position[node])
        if int(graph.kind[node]) in (FEATURE, ERROR):
            return f"{int(graph.layer[node])} · {quoted(graph.info.token_text[position])}"
        return f"token {position + 1}" if int(graph.layer[node]) < 0 else "next"
