"""Where something needs the engine, which is not running: a sentence, and Start the engine."""

from __future__ import annotations

from PySide6.QtWidgets import QHBoxLayout, QWidget

from sae_desktop.gui.parts.labels import label, push_button
from sae_desktop.gui.state.session import Session


class EngineOffer(QWidget):
    """Seen only while the engine is not running."""

    def __init__(self, session: Session, sentence: str) -> None:
        super().__init__()
        self._session = session
        self.button = push_button("Start the engine", session.client.restart)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        row.addWidget(label(sentence, "small", wrap=True), 1)
        row.addWidget(self.button)
        session.client.stateChanged.connect(self._on_engine_state)
        self._on_engine_state()

    def _on_engine_state(self, _state: object = None) -> None:
        self.setVisible(self._session.engine_stopped)
