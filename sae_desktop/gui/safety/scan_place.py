"""The scan: which features tell a concept’s texts from their near misses."""

from __future__ import annotations

from PySide6.QtWidgets import QVBoxLayout, QWidget

from sae_desktop.gui.parts.empty_state import EmptyState
from sae_desktop.gui.state.session import Session


class ScanPlace(QWidget):
    """One place of the Safety workspace."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.setObjectName("safety.scan")
        self._session = session
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(
            EmptyState(
                "A scan finds the features that tell the texts of a concept from those that only "
                "look like it.",
                "Go to the project",
                lambda: session.show_workspace("project"),
            )
        )
