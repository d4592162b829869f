"""What changed between checkpoints of a model, and the folders that are watched."""

from __future__ import annotations

from PySide6.QtWidgets import QVBoxLayout, QWidget

from sae_desktop.gui.parts.empty_state import EmptyState
from sae_desktop.gui.state.session import Session


class ChangesPlace(QWidget):
    """One place of the Safety workspace."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.setObjectName("safety.changes")
        self._session = session
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(
            EmptyState(
                "A comparison shows what changed in a model between two of its checkpoints.",
                "Go to the project",
                lambda: session.show_workspace("project"),
            )
        )
