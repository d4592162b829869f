"""The selected node: what it is, what can be done with it, its inputs and outputs."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import Qt, Signal, SignalInstance
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLineEdit,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from sae_desktop.circuits.reading.folding import folded_links
from sae_desktop.circuits.reading.graph_file import ERROR, FEATURE, Array, Graph
from sae_desktop.circuits.reading.node_links import Links, Side, input_sizes, links_of
from sae_desktop.gui.circuits.node.links_table import LinksTable
from sae_desktop.gui.circuits.open_graph import OpenGraph
from sae_desktop.gui.parts import icons
from sae_desktop.gui.parts.elided_label import ElidedLabel
from sae_desktop.gui.parts.labels import label, push_button
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.words.amounts import exact_count, share_text
from sae_desktop.words.graph_words import (
    KIND_TITLES,
    group_place,
    lacking_text,
    place_text,
    sum_text,
)

_NOTHING = "Click a node of the graph to see what feeds it and what it feeds."
_ALL_KINDS = frozenset(range(4))


class NodePanel(QWidget):
    """Follows the selection of the open graph."""

    nodeChosen = Signal(int)
    nodePointed = Signal(object)
    linkChosen = Signal(object)
    """(source, target) of the edge of the present row."""
    featureAsked = Signal(int)
    """Open the page of a node's feature."""
    steerAsked = Signal(int)
    indexAsked = Signal(int)
    """Index the layer of a node, which has no index."""

    def __init__(self, opened: OpenGraph) -> None:
        super().__init__()
        self.setObjectName("circuits.node")
        self._opened = opened
        self._sizes: Array | None = None
        self.title = ElidedLabel()
        self.title.setProperty("role", "heading")
        self.where = ElidedLabel()
        self.where.setProperty("role", "muted")
        self.figures = label("", "small", wrap=True)
        self.open_button = push_button(
            "Open the feature", lambda: self._ask(self.featureAsked), icon="arrow-square-in",
            tip="Its contexts and figures, in Explore (E)",
        )  # fmt: skip
        self.steer_button = push_button(
            "Steer", lambda: self._ask(self.steerAsked), icon="sliders-horizontal",
            tip="Turn this feature up or down while the model writes",
        )  # fmt: skip
        self.index_button = push_button(
            "Index this layer…", lambda: self._ask(self.indexAsked), icon="list-numbers",
            tip="Find out where the layer’s features fire: then they have names and pages (E)",
        )  # fmt: skip
        self.pin_button = push_button("Pin", self._pin, icon="push-pin")
        self.expand_button = push_button(
            "Expand the group", self._expand, icon="arrows-out-simple",
            tip="Draw its features again, each by itself (G in the graph)",
        )  # fmt: skip
        self.filter = QLineEdit()
        self.filter.setPlaceholderText("Filter by name, token or number")
        self.filter.setAccessibleName("Filter inputs and outputs")
        self.filter.setClearButtonEnabled(True)
        self.errors_button = push_button("", self._toggle_errors, icon="prohibit", flat=True)
        self.tables: dict[Side, LinksTable] = {}
        self.heads: dict[Side, ElidedLabel] = {}
        self._features_only = False
        self._folding = opened.folding
        """With which the tables were filled."""
        self._build()
        self.filter.textChanged.connect(lambda _text: self._filter())
        opened.selected.connect(lambda _node: self.refresh())
        opened.opened.connect(self._on_opened)
        opened.dressChanged.connect(self._on_dressed)
        self._on_opened()

    def _build(self) -> None:
        self.errors_button.setCheckable(True)
        self.errors_button.setAccessibleName("Features only")
        self.errors_button.setText("Features only")
        self.errors_button.setToolTip(plain_tip("List features alone, without errors and tokens"))
        buttons = QHBoxLayout()
        buttons.setSpacing(4)
        for button in (
            self.expand_button, self.index_button, self.open_button, self.steer_button,
            self.pin_button,
        ):  # fmt: skip
            buttons.addWidget(button)
            button.hide()  # those of the selected node come with it
        buttons.addStretch(1)
        row = QHBoxLayout()
        row.setSpacing(4)
        row.addWidget(self.filter, 1)
        row.addWidget(self.errors_button)
        splitter = QSplitter(Qt.Orientation.Vertical)
        splitter.setChildrenCollapsible(False)
        splitter.setHandleWidth(6)
        sides: tuple[tuple[Side, str], ...] = (("inputs", "Inputs"), ("outputs", "Outputs"))
        for side, title in sides:
            table = LinksTable(title, self._opened.text)
            table.nodeChosen.connect(self.nodeChosen)
            table.nodePointed.connect(self.nodePointed)
            table.nodePointed.connect(partial(self._on_pointed, side))
            head = ElidedLabel(title)
            head.setProperty("role", "heading")
            part = QWidget()
            column = QVBoxLayout(part)
            column.setContentsMargins(0, 0, 0, 0)
            column.setSpacing(2)
            column.addWidget(head)
            column.addWidget(table, 1)
            self.tables[side], self.heads[side] = table, head
            splitter.addWidget(part)
        splitter.setSizes([300, 200])
        page = QWidget()
        whole = QVBoxLayout(page)
        whole.setContentsMargins(8, 8, 8, 8)
        whole.setSpacing(4)
        for widget in (self.title, self.where, self.figures):
            whole.addWidget(widget)
        whole.addLayout(buttons)
        whole.addLayout(row)
        whole.addWidget(splitter, 1)
        self._nothing = label(_NOTHING, "muted", wrap=True)
        self._nothing.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._nothing.setContentsMargins(24, 24, 24, 24)
        self._stack = QStackedWidget()
        self._stack.addWidget(self._nothing)
        self._stack.addWidget(page)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(self._stack)

    # ------------------------------------------------------------------ showing
    def _on_opened(self) -> None:
        graph = self._opened.graph
        self._sizes = None if graph is None else input_sizes(graph, self._opened.targets)
        self.refresh()

    def refresh(self) -> None:
        """Show the selected node."""
        graph, node = self._opened.graph, self._opened.node
        if graph is None or node is None or self._sizes is None:
            self._stack.setCurrentIndex(0)
            for table in self.tables.values():
                table.links.show_links(None, None)
            return
        self._stack.setCurrentIndex(1)
        self._folding = self._opened.folding
        for side, table in self.tables.items():
            table.links.show_links(graph, self._links(graph, self._sizes, node, side))
        self._filter()
        self._dress()

    def _links(self, graph: Graph, sizes: Array, node: int, side: Side) -> Links:
        """Return what is listed: ends that are drawn as one node are one row."""
        opened = self._opened
        if not opened.folding.members:
            return links_of(graph, opened.targets, sizes, node, side)
        return folded_links(graph, opened.targets, sizes, opened.folding, node, side)

    def _on_dressed(self) -> None:
        if self._opened.folding is not self._folding:
            self.refresh()
        elif self._opened.node is not None:
            self._dress()
            for table in self.tables.values():
                table.links.refresh_names()

    def _dress(self) -> None:
        opened = self._opened
        graph, node = opened.graph, opened.node
        if graph is None or node is None:
            return
        members = opened.folding.members.get(node)
        self.expand_button.setVisible(members is not None)
        if members is not None:
            self._dress_group(graph, node, members)
            return
        kind = int(graph.kind[node])
        text, words = opened.names.text(node), opened.names.words(node)
        if kind == FEATURE and words is not None:
            self.title.name_feature("", words)
        elif kind == ERROR:
            self.title.name_feature("What the features leave out", None)
        else:
            self.title.name_feature(text, None)
        number = f" {int(graph.feature[node])}" if kind == FEATURE else ""
        self.where.setText(f"{KIND_TITLES[kind]}{number} · {place_text(graph, node)}")
        figures = [f"Influence {share_text(float(graph.influence[node]))}"]
        if kind == FEATURE:
            figures.insert(0, f"Activation {float(graph.activation[node]):.3g}")
        added = sum_text(graph, node)
        self.figures.setText(" · ".join(figures) + (f"\n{added}" if added else ""))
        lacks = opened.names.lacks(node)
        self.index_button.setVisible(lacks == "index")
        for button in (self.open_button, self.steer_button):
            button.setVisible(kind == FEATURE and not lacks)
        if lacks:
            self.figures.setText(f"{self.figures.text()}\n{lacking_text(graph, node, lacks)}")
        self._dress_pin(opened.is_pinned(node))

    def _dress_group(self, graph: Graph, node: int, members: Array) -> None:
        """Show a collapsed group as one node."""
        self.title.name_feature(self._opened.text(node), None)
        self.where.setText(f"Group · {group_place(graph, members.tolist())}")
        share = float(graph.influence[members].sum()) / (float(graph.influence.sum()) or 1.0)
        self.figures.setText(
            f"{share_text(share)} of all nodes’ influence. Inputs and outputs are those of its "
            "features, added up; edges between them are left out."
        )
        for button in (
            self.index_button, self.open_button, self.steer_button, self.pin_button
        ):  # fmt: skip
            button.hide()

    def _dress_pin(self, pinned: bool) -> None:
        self.pin_button.show()
        self.pin_button.setText("Unpin" if pinned else "Pin")
        self.pin_button.setAccessibleName(self.pin_button.text())
        icons.set_icon(self.pin_button, "push-pin-slash" if pinned else "push-pin")
        self.pin_button.setToolTip(
            plain_tip("Shown however far the graph is pruned (P)" if not pinned else "Unpin (P)")
        )

    # ------------------------------------------------------------------ filtering
    def _toggle_errors(self) -> None:
        self._features_only = self.errors_button.isChecked()
        self._filter()

    def _filter(self) -> None:
        kinds = frozenset({FEATURE}) if self._features_only else _ALL_KINDS
        for side, table in self.tables.items():
            table.links.filter(self.filter.text(), kinds)
            shown, total = table.links.rowCount(), table.links.total
            of = exact_count(total) if shown == total else f"{shown:,} of {total:,}"
            self.heads[side].setText(f"{'Inputs' if side == 'inputs' else 'Outputs'} ({of})")

    def _on_pointed(self, side: Side, other: int | None) -> None:
        node = self._opened.node
        folding = self._opened.folding
        grouped = any(end in folding.members for end in (node, other))
        if node is not None and other is not None and not grouped:
            self.linkChosen.emit((other, node) if side == "inputs" else (node, other))

    def _ask(self, signal: SignalInstance) -> None:
        if self._opened.node is not None:
            signal.emit(self._opened.node)

    def _expand(self) -> None:
        if self._opened.node is not None:
            self._opened.fold_at(self._opened.node)

    def _pin(self) -> None:
        node = self._opened.node
        if node is not None:
            self._opened.pin([node], not self._opened.is_pinned(node))
