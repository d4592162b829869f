"""The first column of the Harvest panel: which model."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QGridLayout, QVBoxLayout

from sae_desktop.client.job import Job
from sae_desktop.engine.protocol import ErrorInfo
from sae_desktop.gui.harvest_draft import model_figures
from sae_desktop.gui.job_text import progress_text
from sae_desktop.gui.session import Session
from sae_desktop.gui.widgets.elided_label import ElidedLabel
from sae_desktop.gui.widgets.labels import label, push_button, set_property
from sae_desktop.gui.widgets.source_choice import SourceChoice, SourceOption
from sae_desktop.language_model.config import (
    DescribeModelConfig,
    GetModelConfig,
    GetModelResult,
    ModelDescription,
)

OPTIONS = [
    SourceOption("Built-in model", "builtin"),
    SourceOption("SmolLM2-135M-Instruct", "smollm2"),
    SourceOption("A model folder", browse="folder", placeholder="Folder with a config.json"),
    SourceOption("A .gguf file", browse="GGUF models (*.gguf)", placeholder="File"),
    SourceOption("A name on the hub", placeholder="owner/model"),
]


class ModelColumn(QFrame):
    """Asks the engine what the chosen model is like."""

    described = Signal(object)
    """ModelDescription, or None while it is not known."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._asking: Job | None = None
        self._getting: Job | None = None
        self.description: ModelDescription | None = None
        self.setProperty("card", "true")
        self.choice = SourceChoice("Model", OPTIONS)
        self.choice.changed.connect(self.ask)
        self._figures = QGridLayout()
        self._figures.setVerticalSpacing(2)
        self._figures.setColumnStretch(1, 1)
        self._message = label("", "muted", wrap=True)
        self.get_button = push_button("Get the model", self.get, icon="download-simple")
        self.get_button.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 12, 16, 12)
        column.setSpacing(8)
        column.addWidget(label("1  Model", "heading"))
        column.addWidget(self.choice)
        column.addSpacing(4)
        column.addLayout(self._figures)
        column.addWidget(self._message)
        column.addWidget(self.get_button, 0, Qt.AlignmentFlag.AlignLeft)
        column.addStretch(1)

    @property
    def model(self) -> str:
        return self.choice.value

    def ask(self, _value: str = "") -> None:
        """Have the chosen model described."""
        if self._asking is not None and not self._asking.ended:
            self._asking.cancel()
        self._show(None)
        if not self.model:
            self._say("Name the model.")
            return
        self._say("Reading the model’s description…")
        job = self._session.run(DescribeModelConfig(model=self.model))
        self._asking = job
        if job is not None:
            job.finished.connect(lambda result: self._on_described(job, result))
            job.failed.connect(lambda error: self._on_failed(job, error))

    def get(self) -> None:
        """Bring the model onto this machine."""
        job = self._session.run(GetModelConfig(name=self.model))
        if job is None:
            return
        self._getting = job
        self.get_button.setEnabled(False)
        self._say("Getting the model…")
        job.progressed.connect(lambda p: self._say(progress_text("running", p)))
        job.finished.connect(self._on_got)
        job.failed.connect(lambda error: self._on_get_failed(error))
        job.cancelled.connect(lambda _message: self._on_get_failed(None))

    def _on_got(self, _result: GetModelResult) -> None:
        self.get_button.setEnabled(True)
        self.ask()

    def _on_get_failed(self, error: ErrorInfo | None) -> None:
        self.get_button.setEnabled(True)
        if error is None:
            self._say("Not on this machine yet.")
        else:
            self._say(f"{error.what} {error.next_step}".strip(), "error")

    def _on_described(self, job: Job | None, description: ModelDescription) -> None:
        if job is self._asking:
            self._show(description)
            self._say("" if description.cached else "Not on this machine yet.")

    def _on_failed(self, job: Job | None, error: ErrorInfo) -> None:
        if job is self._asking:
            self._say(f"{error.what} {error.next_step}".strip(), "error")

    def _say(self, text: str, role: str = "muted") -> None:
        self._message.setText(text)
        set_property(self._message, "role", role)

    def _show(self, description: ModelDescription | None) -> None:
        self.description = description
        while self._figures.count():
            item = self._figures.takeAt(0)
            widget = item.widget() if item is not None else None
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        for row, (what, value) in enumerate(model_figures(description) if description else []):
            self._figures.addWidget(label(what, "muted"), row, 0)
            text = ElidedLabel(value)
            text.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            self._figures.addWidget(text, row, 1)
        self.get_button.setVisible(description is not None and not description.cached)
        self.described.emit(description)
