"""Two graphs beside one another: which nodes both have, and which one has alone."""

from __future__ import annotations

from typing import Any

import numpy as np
from PySide6.QtCore import (
    QAbstractTableModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QSignalBlocker,
    Qt,
    Signal,
)
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from sae_desktop.circuits.reading.graph_difference import Difference, difference, marks
from sae_desktop.circuits.reading.graph_file import Graph, read_graph
from sae_desktop.circuits.reading.graph_view import read_view
from sae_desktop.circuits.reading.pruning import pruned
from sae_desktop.errors import UserError
from sae_desktop.gui.circuits.names import NodeNames
from sae_desktop.gui.circuits.open_graph import OpenGraph
from sae_desktop.gui.parts.elided_combo import ElidedComboBox
from sae_desktop.gui.parts.labels import label, push_button
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.state.session import Session
from sae_desktop.words.amounts import share_text
from sae_desktop.words.graph_words import node_tip, place_text

Index = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()
_NONE = "Compare with…"
_HEADS = ("Node", "Here", "There")
_TIPS = (
    "A node of either graph; those that differ most stand first",
    "Influence on the explained tokens in the open graph; –: it is not shown there",
    "The same in the other graph",
)
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


class PairModel(QAbstractTableModel):
    """The nodes of two graphs."""

    def __init__(self, opened: OpenGraph, other: NodeNames, parent: QObject) -> None:
        super().__init__(parent)
        self._opened, self._other_names = opened, other
        self._other: Graph | None = None
        self._found: Difference | None = None

    def show(self, other: Graph | None, found: Difference | None) -> None:
        self.beginResetModel()
        self._other, self._found = other, found
        self.endResetModel()

    def nodes(self, row: int) -> tuple[int, int]:
        """Return the node of the open and of the other graph in a row, −1 for none."""
        if self._found is None or not 0 <= row < len(self._found.one):
            return -1, -1
        return int(self._found.one[row]), int(self._found.other[row])

    def rowCount(self, parent: Index = _ROOT) -> int:
        return 0 if parent.isValid() or self._found is None else len(self._found.one)

    def columnCount(self, parent: Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(_HEADS)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return _HEADS[section]
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain_tip(_TIPS[section])
        if role == Qt.ItemDataRole.TextAlignmentRole and section:
            return _RIGHT
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        one, other = self.nodes(index.row()) if index.isValid() else (-1, -1)
        if self._found is None or (one < 0 and other < 0):
            return None
        column = index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            if column == 0:
                return self._name(one, other)
            here = one if column == 1 else other
            value = float(self._found.influence[index.row(), column - 1])
            return share_text(value) if here >= 0 else "–"
        if role == Qt.ItemDataRole.TextAlignmentRole and column:
            return _RIGHT
        if role == Qt.ItemDataRole.ToolTipRole:
            graph = self._opened.graph if one >= 0 else self._other
            node = one if one >= 0 else other
            if graph is None:
                return None
            return plain_tip(node_tip(graph, node, self._text(one, other)))
        return None

    def _text(self, one: int, other: int) -> str:
        return self._opened.names.text(one) if one >= 0 else self._other_names.text(other)

    def _name(self, one: int, other: int) -> str:
        graph, node = (self._opened.graph, one) if one >= 0 else (self._other, other)
        return "" if graph is None else f"{self._text(one, other)} · {place_text(graph, node)}"


class ComparePanel(QWidget):
    """Chooses another graph, marks in the open one what that has not, and lists both's nodes."""

    nodeChosen = Signal(int)

    def __init__(self, session: Session, opened: OpenGraph) -> None:
        super().__init__()
        self.setObjectName("circuits.compare")
        self._session, self._opened = session, opened
        self._other: Graph | None = None
        self.names = NodeNames(session, self)
        self.graphs = ElidedComboBox(14)
        self.graphs.setAccessibleName("Graph to compare with")
        self.graphs.setToolTip("Another graph of the same model and set")
        self.end_button = push_button("End", self.end, icon="x", tip="End the comparison")
        self.told = label(
            "Nodes are the same where feature, layer and token are. Prompts that differ in a word "
            "are matched word by word.", "small", wrap=True,
        )  # fmt: skip
        self._first = self.told.text()
        self.table = QTableView()
        self.model = PairModel(opened, self.names, self)
        self._build()
        self.graphs.activated.connect(self._on_chosen)
        self.table.activated.connect(self._on_activated)
        self.names.changed.connect(self._refresh)
        opened.opened.connect(self._on_opened)
        opened.shownChanged.connect(self.compare)
        session.contentsChanged.connect(self._list)
        session.projectChanged.connect(self.end)
        self._list()

    def _build(self) -> None:
        table = self.table
        table.setModel(self.model)
        table.setAccessibleName("Nodes of both graphs")
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        table.setTabKeyNavigation(False)
        table.setShowGrid(False)
        table.setWordWrap(False)
        table.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        table.verticalHeader().hide()
        table.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        table.verticalHeader().setDefaultSectionSize(self.fontMetrics().height() + 8)
        head = table.horizontalHeader()
        head.setHighlightSections(False)
        head.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        head.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column in (1, 2):
            table.setColumnWidth(column, self.fontMetrics().horizontalAdvance("100.0%") + 20)
        row = QHBoxLayout()
        row.setSpacing(4)
        row.addWidget(self.graphs, 1)
        row.addWidget(self.end_button)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(8, 8, 8, 8)
        whole.setSpacing(6)
        whole.addLayout(row)
        whole.addWidget(self.told)
        whole.addWidget(table, 1)

    # ------------------------------------------------------------------ choosing
    def _list(self) -> None:
        project = self._session.project
        names = [] if project is None else [n for n in project.graphs() if n != self._opened.name]
        entries = [_NONE, *names]
        if entries != [self.graphs.itemText(n) for n in range(self.graphs.count())]:
            chosen = "" if self._other is None else self._other.info.name
            with QSignalBlocker(self.graphs):
                self.graphs.clear()
                self.graphs.addItems(entries)
                self.graphs.setCurrentIndex(max(self.graphs.findText(chosen), 0))
        self.end_button.setVisible(self._other is not None)

    def _on_chosen(self, number: int) -> None:
        if number > 0:
            self.compare_with(self.graphs.itemText(number))
        else:
            self.end()

    def compare_with(self, name: str) -> None:
        """Compare the open graph with another of the project; errors become toasts."""
        project = self._session.project
        if project is None:
            return
        try:
            self._other = read_graph(project.graph_path(name))
        except UserError as error:
            self._session.show_error(error)
            self.end()
            return
        self._shown_there = self._pruned(self._other)
        self.names.show(self._other, np.flatnonzero(self._shown_there))
        with QSignalBlocker(self.graphs):
            self.graphs.setCurrentIndex(max(self.graphs.findText(name), 0))
        self.compare()

    @staticmethod
    def _pruned(graph: Graph) -> np.ndarray:
        view = read_view(graph.path) if graph.path is not None else None
        kept = pruned(graph) if view is None else pruned(graph, view.nodes, view.edges)
        return np.asarray(kept.nodes)

    def compare(self) -> None:
        """Compare what is shown of both graphs now."""
        graph, other = self._opened.graph, self._other
        if graph is None or other is None:
            return
        try:
            found = difference(graph, other, self._opened.shown.nodes, self._shown_there)
        except UserError as error:
            self._session.show_error(error)
            self.end()
            return
        self.model.show(other, found)
        both = int(((found.one >= 0) & (found.other >= 0)).sum())
        here, there = int((found.other < 0).sum()), int((found.one < 0).sum())
        self.told.setText(
            f"{share_text(found.shared, 0)} of the influence is shared. {both} nodes are in both, "
            f"{here} here alone (framed in the graph), {there} there alone."
        )
        self._opened.set_marks(marks(found, graph.nodes, of_one=True))
        self.end_button.show()

    def end(self) -> None:
        """End the comparison."""
        self._other = None
        self.model.show(None, None)
        self.names.show(None, np.zeros(0, np.int64))
        self.told.setText(self._first)
        self._opened.set_marks(None)
        self._list()

    def _on_opened(self) -> None:
        same = self._other is not None and self._other.info.name == self._opened.name
        if self._opened.graph is None or same:
            self.end()
        self._list()
        self.compare()

    def _refresh(self) -> None:
        if self.model.rowCount():
            last = self.model.index(self.model.rowCount() - 1, 0)
            self.model.dataChanged.emit(self.model.index(0, 0), last)

    def _on_activated(self, index: Index) -> None:
        one, _ = self.model.nodes(index.row())
        if one >= 0:
            self.nodeChosen.emit(one)
