"""How far the graph is pruned: two sliders that are live, what is left, the graph's scores."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QSlider, QWidget

from sae_desktop.circuits.reading.graph_file import ERROR
from sae_desktop.gui.circuits.open_graph import OpenGraph
from sae_desktop.gui.parts.elided_label import ElidedLabel
from sae_desktop.gui.parts.labels import label
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.words.graph_words import shown_text

_STEPS = 100
_WIDTH = 96
_NODES = "Shows the fewest nodes that have this share of the influence on the explained tokens"
_EDGES = "Shows the fewest edges that have this share of the influence of all edges"


class PruningBar(QWidget):
    """Changes what the open graph shows."""

    def __init__(self, opened: OpenGraph) -> None:
        super().__init__()
        self._opened = opened
        self.nodes, self._nodes_text = self._slider("Share of nodes’ influence", _NODES)
        self.edges, self._edges_text = self._slider("Share of edges’ influence", _EDGES)
        self.errors = QCheckBox("Errors")
        self.errors.setToolTip(
            plain_tip("Show what the features leave out of each layer, as nodes of their own")
        )
        self.shown = ElidedLabel(chars=10)
        self.shown.setProperty("role", "muted")
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 2, 12, 4)
        row.setSpacing(8)
        for title, slider, text in (
            ("Nodes", self.nodes, self._nodes_text), ("Edges", self.edges, self._edges_text),
        ):  # fmt: skip
            row.addWidget(label(title))
            row.addWidget(slider)
            row.addWidget(text)
        row.addWidget(self.errors)
        row.addWidget(self.shown)
        row.addStretch(1)
        self.nodes.valueChanged.connect(self._on_moved)
        self.edges.valueChanged.connect(self._on_moved)
        self.errors.toggled.connect(opened.show_errors)
        opened.opened.connect(self._take)
        opened.shownChanged.connect(self._say)
        self._take()

    def _slider(self, name: str, tip: str) -> tuple[QSlider, QLabel]:
        slider = QSlider(Qt.Orientation.Horizontal)
        slider.setRange(1, _STEPS)
        slider.setPageStep(5)
        slider.setFixedWidth(_WIDTH)
        slider.setAccessibleName(name)
        slider.setToolTip(plain_tip(tip))
        text = label("")
        text.setFixedWidth(text.fontMetrics().horizontalAdvance("100%") + 4)
        return slider, text

    def _on_moved(self, _value: int) -> None:
        self._texts()
        self._opened.set_shares(self.nodes.value() / _STEPS, self.edges.value() / _STEPS)

    def _texts(self) -> None:
        self._nodes_text.setText(f"{self.nodes.value()}%")
        self._edges_text.setText(f"{self.edges.value()}%")

    def _take(self) -> None:
        """Show how the open graph is pruned."""
        graph, view = self._opened.graph, self._opened.view
        self.setEnabled(graph is not None)
        with QSignalBlocker(self.nodes), QSignalBlocker(self.edges), QSignalBlocker(self.errors):
            self.nodes.setValue(round(view.nodes * _STEPS))
            self.edges.setValue(round(view.edges * _STEPS))
            self.errors.setChecked(view.errors)
        self._texts()
        self._say()

    def _say(self) -> None:
        graph, shown = self._opened.graph, self._opened.shown
        if graph is None:
            self.shown.setText("")
            return
        self.errors.setVisible(bool((graph.kind == ERROR).any()))
        self.shown.setText(shown_text(int(shown.nodes.sum()), graph.nodes, int(shown.edges.sum())))
