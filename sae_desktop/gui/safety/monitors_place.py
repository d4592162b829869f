"""Monitors: thresholds with a promised rate of false alarms, and what they found."""

from __future__ import annotations

from PySide6.QtWidgets import QVBoxLayout, QWidget

from sae_desktop.gui.parts.empty_state import EmptyState
from sae_desktop.gui.state.session import Session


class MonitorsPlace(QWidget):
    """One place of the Safety workspace."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.setObjectName("safety.monitors")
        self._session = session
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(
            EmptyState(
                "A monitor raises an alarm where a feature, a classifier or a direction is above a "
                "threshold, with a promised rate of false alarms.",
                "Go to the project",
                lambda: session.show_workspace("project"),
            )
        )
