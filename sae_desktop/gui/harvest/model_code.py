"""The part of the model's card that asks whether the model's own program code may be run."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout

from sae_desktop.client.job import Job
from sae_desktop.engine.protocol import ErrorInfo
from sae_desktop.gui.parts.dialogs import reveal
from sae_desktop.gui.parts.labels import label, line, push_button
from sae_desktop.gui.state.session import Session
from sae_desktop.language_model.config import ModelDescription, TrustModelConfig
from sae_desktop.words.model_card import code_text


class ModelCode(QFrame):
    """Says what the code could do, and has it trusted on a click. Hidden where there is none."""

    trusted = Signal()
    refused = Signal(object)
    """ErrorInfo."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._model = ""
        self._digest = ""
        self._asking: Job | None = None
        self._text = label("", wrap=True)
        self.run_button = push_button("Run its code", self._trust, icon="warning")
        self.files_button = push_button("Show the files", self._reveal, icon="folder", flat=True)
        buttons = QHBoxLayout()
        buttons.setSpacing(4)
        buttons.addWidget(self.run_button)
        buttons.addWidget(self.files_button)
        buttons.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 4, 0, 4)
        column.setSpacing(8)
        column.addWidget(label("Its own program code", "heading"))
        column.addWidget(self._text)
        column.addLayout(buttons)
        column.addWidget(line())
        self.hide()

    def show_model(self, model: str, description: ModelDescription | None) -> None:
        """Ask about a model's code; `model` is what its config calls it."""
        text = code_text(description) if description else ""
        self._model = model
        self._digest = description.code_digest if description else ""
        self._text.setText(text)
        self.run_button.setEnabled(True)
        self.run_button.setAccessibleDescription(text)
        self.files_button.setVisible(Path(model).expanduser().is_dir())
        self.setVisible(bool(text))

    def _trust(self) -> None:
        job = self._session.run(TrustModelConfig(model=self._model, digest=self._digest))
        self._asking = job
        if job is None:
            return
        self.run_button.setEnabled(False)
        job.finished.connect(lambda _result: self._on_trusted(job))
        job.failed.connect(lambda error: self._on_refused(job, error))

    def _on_trusted(self, job: Job) -> None:
        if job is self._asking:
            self.trusted.emit()

    def _on_refused(self, job: Job, error: ErrorInfo) -> None:
        if job is self._asking:
            self.run_button.setEnabled(True)
            self.refused.emit(error)

    def _reveal(self) -> None:
        reveal(Path(self._model).expanduser())
