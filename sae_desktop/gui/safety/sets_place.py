"""Concept sets: those that come with the program and one’s own, read and added to."""

from __future__ import annotations

from PySide6.QtWidgets import QVBoxLayout, QWidget

from sae_desktop.gui.parts.empty_state import EmptyState
from sae_desktop.gui.state.session import Session


class SetsPlace(QWidget):
    """One place of the Safety workspace."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.setObjectName("safety.sets")
        self._session = session
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(
            EmptyState(
                "A concept set holds texts that show a concept, and texts that only look like it.",
                "Go to the project",
                lambda: session.show_workspace("project"),
            )
        )
