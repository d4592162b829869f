"""The model that a lens or a patch reads: those of the project, first the one of the graph."""

from __future__ import annotations

from sae_desktop.gui.circuits.open_graph import OpenGraph
from sae_desktop.gui.parts.elided_combo import ElidedComboBox
from sae_desktop.gui.state.session import Session


class ModelChoice(ElidedComboBox):
    """Hidden while there is nothing to choose."""

    def __init__(self, session: Session, opened: OpenGraph) -> None:
        super().__init__(12)
        self._session, self._opened = session, opened
        self.setAccessibleName("Model")
        session.contentsChanged.connect(self.refresh)
        session.projectChanged.connect(self.refresh)
        session.indexOpened.connect(lambda _index: self.refresh())
        opened.opened.connect(self.refresh)
        self.refresh()

    @property
    def chosen(self) -> str:
        """The model’s name; "" where there is none."""
        return self.currentText()

    def refresh(self) -> None:
        """List the models again."""
        graph, index = self._opened.graph, self._session.index
        names = [graph.info.model] if graph is not None else []
        names += [index.info.model] if index is not None else []
        names += [item.name for item in self._session.inventory.models]
        names = list(dict.fromkeys(name for name in names if name))
        if names != [self.itemText(n) for n in range(self.count())]:
            chosen = self.chosen
            self.clear()
            self.addItems(names)
            self.setCurrentIndex(max(self.findText(chosen), 0))
        self.setVisible(len(names) > 1)
