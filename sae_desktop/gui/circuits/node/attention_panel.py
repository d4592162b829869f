"""Attention inside the graph: which heads carry an edge, where a head looks and what makes it."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QScrollArea,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from sae_desktop.circuits.asking_config import (
    EdgeHeadsConfig,
    EdgeHeadsResult,
    HeadConfig,
    HeadResult,
)
from sae_desktop.gui.circuits.cell_grid import CellGrid
from sae_desktop.gui.circuits.open_graph import OpenGraph
from sae_desktop.gui.parts.labels import label, push_button
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.state.asked_job import AskedJob
from sae_desktop.gui.state.session import Session
from sae_desktop.words.attention_text import (
    edge_text,
    head_rows,
    head_text,
    pair_rows,
    pattern_cells,
)

_EXPLAINED = (
    "An edge between two tokens is carried by attention heads. Choose an input or output of a "
    "node in the panel Node, and find the heads that carry it."
)
_HEADS = ("Head", "Weight", "Direct")
_HEAD_TIPS = (
    "Layer and number of the head; the last row is what never crosses tokens",
    "What the head carries of the edge in its last step between tokens: the rows add up to it",
    "Of it, what the head takes from the source’s own token",
)
_PAIRS = ("Query", "Key", "Weight")
_PAIR_TIPS = (
    "The node that makes the head look, at the token that looks",
    "The node that it meets, at the token looked at",
    "What the two add to the head’s score together",
)


class AttentionPanel(QWidget):
    """Follows the edge that is chosen beside."""

    nodeChosen = Signal(int)

    def __init__(self, session: Session, opened: OpenGraph) -> None:
        super().__init__()
        self.setObjectName("circuits.attention")
        self._session, self._opened = session, opened
        self._link: tuple[int, int] | None = None
        self._heads: EdgeHeadsResult | None = None
        self._head: HeadResult | None = None
        self.asked = AskedJob(session, self)
        self.asked_head = AskedJob(session, self)
        self.told = label(_EXPLAINED, "small", wrap=True)
        self.find_button = push_button(
            "Find the heads", self.find_heads, icon="eye",
            tip="Divide the edge among the attention heads that carry it",
        )  # fmt: skip
        self.heads = _table("Heads that carry the edge", _HEADS, _HEAD_TIPS)
        self.head_told = label("", "small", wrap=True)
        self.pattern = CellGrid("Where the head looks")
        self.pairs = _table("What makes the head look", _PAIRS, _PAIR_TIPS)
        self._build()
        self.asked.answered.connect(self._on_heads)
        self.asked.busyChanged.connect(lambda _busy: self._show())
        self.asked_head.answered.connect(self._on_head)
        self.heads.currentCellChanged.connect(lambda row, *_others: self._ask_head(row))
        self.pairs.cellActivated.connect(self._on_pair)
        self.pattern.clicked.connect(lambda index: self._ask_place(index.row(), index.column()))
        opened.opened.connect(lambda: self.take_link(None))
        opened.dressChanged.connect(self._name)
        self.take_link(None)

    def _build(self) -> None:
        self.pattern.setMinimumHeight(130)
        self.heads.setMinimumHeight(110)
        self.pairs.setMinimumHeight(110)
        inner = QWidget()
        column = QVBoxLayout(inner)
        column.setContentsMargins(8, 8, 8, 8)
        column.setSpacing(6)
        column.addWidget(self.told)
        column.addWidget(self.find_button, 0, Qt.AlignmentFlag.AlignLeft)
        column.addWidget(self.heads, 2)
        column.addWidget(self.head_told)
        column.addWidget(self.pattern, 3)
        column.addWidget(self.pairs, 2)
        column.addStretch()
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        scroll.setWidget(inner)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(scroll)

    # ------------------------------------------------------------------ the edge
    def take_link(self, link: tuple[int, int] | None) -> None:
        """Be about an edge, (source, target); None: about none."""
        if link != self._link or link is None:
            self._link, self._heads, self._head = link, None, None
            self._show()

    def _crosses(self) -> bool:
        graph, link = self._opened.graph, self._link
        return (
            graph is not None
            and link is not None
            and int(graph.position[link[0]]) != int(graph.position[link[1]])
        )

    def _show(self) -> None:
        graph, link = self._opened.graph, self._link
        if graph is None or link is None:
            self.told.setText(_EXPLAINED)
        else:
            names = [self._opened.names.text(node) for node in link]
            self.told.setText(edge_text(graph, link[0], link[1], names, self._heads))
        self.find_button.setVisible(link is not None)
        self.find_button.setEnabled(self._crosses() and not self.asked.busy)
        self.find_button.setText("Finding the heads…" if self.asked.busy else "Find the heads")
        tip = "Divide the edge among the attention heads that carry it"
        same = "Both ends are at one token: no attention between tokens carries the edge"
        self.find_button.setToolTip(plain_tip(tip if self._crosses() else same))
        self.heads.setVisible(self._heads is not None)
        for widget in (self.head_told, self.pattern, self.pairs):
            widget.setVisible(self._head is not None)

    def find_heads(self) -> None:
        """Ask which heads carry the edge."""
        project, link = self._session.project, self._link
        if project is not None and link is not None and self._opened.name:
            self.asked.ask(
                EdgeHeadsConfig(
                    project=str(project.path), graph=self._opened.name, source=link[0],
                    target=link[1],
                )
            )  # fmt: skip

    def _on_heads(self, result: EdgeHeadsResult) -> None:
        if self._link == (result.source, result.target):
            self._heads = result
            _fill(self.heads, head_rows(result))
            self._show()

    # ------------------------------------------------------------------ one head
    def _ask_head(self, row: int) -> None:
        graph, heads, link = self._opened.graph, self._heads, self._link
        if graph is None or heads is None or link is None or not 0 <= row < len(heads.heads):
            return
        head = heads.heads[row]
        self._ask(head.layer, head.head, int(graph.position[link[1]]), int(graph.position[link[0]]))

    def _ask_place(self, query: int, key: int) -> None:
        if self._head is not None and key <= query:
            self._ask(self._head.layer, self._head.head, query, key)

    def _ask(self, layer: int, head: int, query: int, key: int) -> None:
        project = self._session.project
        if project is not None and self._opened.name:
            self.asked_head.ask(
                HeadConfig(
                    project=str(project.path), graph=self._opened.name, layer=layer, head=head,
                    query=query, key=key,
                )
            )  # fmt: skip

    def _on_head(self, result: HeadResult) -> None:
        graph = self._opened.graph
        if graph is None or self._heads is None:
            return
        self._head = result
        self.head_told.setText(head_text(graph, result))
        self.pattern.cells.show_cells(*pattern_cells(graph, result))
        self._name()
        self._show()
        self.pattern.scrollTo(self.pattern.cells.index(result.query, result.key))

    def _name(self) -> None:
        if self._head is not None and self._opened.graph is not None:
            _fill(self.pairs, pair_rows(self._opened.graph, self._head, self._opened.names.text))

    def _on_pair(self, row: int, column: int) -> None:
        if self._head is not None and row < len(self._head.pairs) and column < 2:
            pair = self._head.pairs[row]
            node = pair.key_node if column else pair.query_node
            if node >= 0:
                self.nodeChosen.emit(node)


def _table(name: str, heads: tuple[str, ...], tips: tuple[str, ...]) -> QTableWidget:
    table = QTableWidget(0, len(heads))
    table.setAccessibleName(name)
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
    table.setTabKeyNavigation(False)
    table.setShowGrid(False)
    table.setWordWrap(False)
    table.setTextElideMode(Qt.TextElideMode.ElideMiddle)
    table.verticalHeader().hide()
    table.verticalHeader().setDefaultSectionSize(table.fontMetrics().height() + 8)
    header = table.horizontalHeader()
    header.setHighlightSections(False)
    figures = sum(head in ("Weight", "Direct") for head in heads)
    for column, (head, tip) in enumerate(zip(heads, tips, strict=True)):
        item = QTableWidgetItem(head)
        item.setToolTip(plain_tip(tip))
        table.setHorizontalHeaderItem(column, item)
        is_figure = column >= len(heads) - figures
        mode = QHeaderView.ResizeMode
        header.setSectionResizeMode(column, mode.ResizeToContents if is_figure else mode.Stretch)
    return table


def _fill(table: QTableWidget, rows: list[tuple[str, ...]]) -> None:
    table.setRowCount(len(rows))
    right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
    for row, cells in enumerate(rows):
        for column, text in enumerate(cells):
            item = QTableWidgetItem(text)
            item.setToolTip(plain_tip(text))
            if text[:1] in "+−0" or text[1:2].isdigit():
                item.setTextAlignment(right)
            table.setItem(row, column, item)
