"""Which graph is open, and what can be done with it as a whole."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker
from PySide6.QtWidgets import QHBoxLayout, QMenu, QWidget

from sae_desktop.gui.circuits.open_graph import OpenGraph
from sae_desktop.gui.parts.curve_bar import menu_button
from sae_desktop.gui.parts.elided_combo import ElidedComboBox
from sae_desktop.gui.parts.elided_label import ElidedLabel
from sae_desktop.gui.parts.labels import label
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.state.session import Session
from sae_desktop.words.graph_words import score_text

_SCORES = (
    "The replacement score is the share of the influence that comes from the prompt’s tokens "
    "through features, and not from errors. The completeness score counts the errors among the "
    "inputs of every node. Near 100%, the features explain the token."
)
_WIDEST = 320


class GraphHead(QWidget):
    """Chooses among the graphs of the project."""

    def __init__(self, session: Session, opened: OpenGraph) -> None:
        super().__init__()
        self._session, self._opened = session, opened
        self.graphs = ElidedComboBox(24)
        self.graphs.setAccessibleName("Graph")
        self.graphs.setPlaceholderText("Open a saved graph")
        self.scores = ElidedLabel(chars=12)
        self.scores.setProperty("role", "muted")
        self.scores.setToolTip(plain_tip(_SCORES))
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 6, 12, 2)
        row.setSpacing(8)
        row.addWidget(label("Graph", "heading"))
        self.graphs.setMaximumWidth(_WIDEST)
        row.addWidget(self.graphs, 1)
        row.addWidget(self.scores, 1)
        self.menu = QMenu(self)
        self.more_button = menu_button("More", "dots-three", self.menu)
        self.more_button.setToolTip(plain_tip("Save, compare, rename or delete the graph"))
        row.addWidget(self.more_button)
        self.row = row
        self.graphs.activated.connect(self._on_chosen)
        session.contentsChanged.connect(self.refresh)
        session.projectChanged.connect(self.refresh)
        opened.opened.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """List the graphs of the project again."""
        project = self._session.project
        names = [] if project is None else project.graphs()
        with QSignalBlocker(self.graphs):
            if names != [self.graphs.itemText(n) for n in range(self.graphs.count())]:
                self.graphs.clear()
                self.graphs.addItems(names)
            self.graphs.setCurrentIndex(self.graphs.findText(self._opened.name))
        graph = self._opened.graph
        self.setVisible(bool(names) or graph is not None)
        self.scores.setText("" if graph is None else score_text(graph))

    def _on_chosen(self, number: int) -> None:
        name = self.graphs.itemText(number)
        if name != self._opened.name:
            self._opened.open(name)
