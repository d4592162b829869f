"""The first column of the Harvest panel: which model, in which precision, on which device."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QComboBox, QFrame, QGridLayout, QVBoxLayout

from sae_desktop.client.job import Job
from sae_desktop.engine.protocol import ErrorInfo
from sae_desktop.gui.forms.source_choice import SourceChoice, SourceOption
from sae_desktop.gui.harvest.meter import Meter
from sae_desktop.gui.harvest.model_code import ModelCode
from sae_desktop.gui.parts.elided_combo import ElidedComboBox
from sae_desktop.gui.parts.elided_label import ElidedLabel
from sae_desktop.gui.parts.labels import label, push_button, set_property
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.parts.terms import explain
from sae_desktop.gui.state.session import Session
from sae_desktop.language_model.config import (
    DescribeModelConfig,
    GetModelConfig,
    GetModelResult,
    ModelDescription,
)
from sae_desktop.language_model.names import shipped_models
from sae_desktop.words.amounts import device_text
from sae_desktop.words.job_text import progress_text
from sae_desktop.words.model_card import (
    DEVICES,
    PRECISIONS,
    memory_fits,
    memory_text,
    model_figures,
    reading_text,
)
from sae_desktop.words.source_titles import model_title

HUB = SourceOption("A name on the hub", placeholder="owner/model")
OPTIONS = [
    *(SourceOption(model_title(name), name) for name in shipped_models()),
    SourceOption("SmolLM2-135M-Instruct", "smollm2"),
    SourceOption("A model folder", browse="folder", placeholder="Folder with a config.json"),
    SourceOption(
        "A .gguf file",
        browse="model",
        placeholder="File",
    ),
    HUB,
]

_MEANT = {"Architecture": "Model", "Context": "Window of text"}
"""Figures of a model that are called as something else is, and what they tell of."""


class ModelColumn(QFrame):
    """Asks the engine what the chosen model is like."""

    described = Signal(object)
    """ModelDescription, or None while it is not known."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._asking: Job | None = None
        self.description: ModelDescription | None = None
        self._unanswered = False
        self._shown = ""
        """The model that is described."""
        self.choice = SourceChoice("Model", OPTIONS)
        self.precision = _choice(PRECISIONS, "Precision", "Precision the model computes in")
        self.device = _choice(DEVICES, "Device", "Where the model computes")
        self._figures = QGridLayout()
        self._figures.setVerticalSpacing(2)
        self._figures.setHorizontalSpacing(12)
        self._figures.setColumnStretch(1, 1)
        self.meter = Meter("Memory needed, out of the memory available")
        self._memory = label("", "small", wrap=True)
        self._origin = label("", "small", wrap=True)
        self._reading = label("", "muted", wrap=True)
        self.code = ModelCode(session)
        self._message = label("", "muted", wrap=True)
        self.get_button = push_button("Get the model", self.get, icon="download-simple")
        self.look_up_button = push_button(
            "Look it up on the hub", self.look_up, icon="magnifying-glass"
        )
        self._lay_out()
        self._show_card(None)
        self.choice.changed.connect(self.ask)
        self.code.trusted.connect(self.ask)
        self.code.refused.connect(self._on_code_refused)
        session.client.stateChanged.connect(self._on_engine_state)
        for box in (self.precision, self.device):
            box.currentIndexChanged.connect(self.ask)

    def _lay_out(self) -> None:
        places = QGridLayout()
        places.setHorizontalSpacing(8)
        places.setVerticalSpacing(4)
        for place, (text, box) in enumerate(
            (("Precision", self.precision), ("Device", self.device))
        ):
            places.addWidget(label(text, "small"), 0, place)
            places.addWidget(box, 1, place)
            places.setColumnStretch(place, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(self.choice)
        column.addLayout(places)
        column.addWidget(self.meter)
        column.addWidget(self._memory)
        column.addWidget(self._message)
        column.addWidget(self.look_up_button, 0, Qt.AlignmentFlag.AlignLeft)
        column.addWidget(self.get_button, 0, Qt.AlignmentFlag.AlignLeft)
        column.addWidget(self.code)
        column.addWidget(self._reading)
        column.addWidget(self._origin)
        column.addLayout(self._figures)
        column.addStretch(1)

    # ------------------------------------------------------------------ what is chosen
    @property
    def model(self) -> str:
        return self.choice.value

    @property
    def dtype(self) -> str:
        """A ModelDtype."""
        return str(self.precision.currentData())

    @property
    def place(self) -> str:
        """The device."""
        return str(self.device.currentData())

    def fill(self, model: str, dtype: str, device: str) -> None:
        """Choose a model, precision and device; a device that is not offered becomes “auto”."""
        before = (self.dtype, self.place)
        for box, value in ((self.precision, dtype), (self.device, device)):
            with QSignalBlocker(box):
                box.setCurrentIndex(max(box.findData(value), 0))
        same = self.model == model
        self.choice.set_value(model)
        if same and before != (self.dtype, self.place):
            self.ask()

    # ------------------------------------------------------------------ asking
    def look_up(self) -> None:
        """Ask the hub about the chosen model, which nothing else here does."""
        self._describe(ask_hub=True)

    def ask(self, _value: object = None) -> None:
        """Have the chosen model described by what is on this machine."""
        self._describe(ask_hub=False)

    def _describe(self, *, ask_hub: bool) -> None:
        if self._asking is not None and not self._asking.ended:
            self._asking.cancel()
        self._asking = None
        self._unanswered = False
        self.look_up_button.hide()
        if self.model != self._shown:
            # In another precision or elsewhere it is the same model: its card stays meanwhile.
            self._show(None)
        if not self.model:
            self._say("Choose a model.")
            return
        self._say("Reading the model’s description…")
        config = DescribeModelConfig(
            model=self.model,
            dtype=self.precision.currentData(),
            device=self.place,
            ask_hub=ask_hub,
        )
        job = self._session.run(config)
        self._asking = job
        if job is not None:
            job.finished.connect(lambda result: self._on_described(job, result))
            job.failed.connect(lambda error: self._on_failed(job, error, asked=ask_hub))

    def _on_engine_state(self, state: object) -> None:
        """Ask again what the engine could not answer because it was not there."""
        if state == "ready" and self._unanswered:
            self.ask()

    def get(self) -> None:
        """Bring the model onto this machine."""
        job = self._session.run(GetModelConfig(name=self.model))
        if job is None:
            return
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

    def _on_failed(self, job: Job | None, error: ErrorInfo, *, asked: bool) -> None:
        if job is not self._asking:
            return
        self._unanswered = self._session.engine_stopped
        self._show(None)
        if self.choice.option is HUB and not asked and not self._unanswered:
            self._say(f"{error.what} The hub is asked about it only when you request it.")
            self.look_up_button.show()
        else:
            self._say(f"{error.what} {error.next_step}".strip(), "error")

    def _on_code_refused(self, error: ErrorInfo) -> None:
        self._say(f"{error.what} {error.next_step}".strip(), "error")

    # ------------------------------------------------------------------ the card
    def _say(self, text: str, role: str = "muted") -> None:
        self._message.setText(text)
        self._message.setVisible(bool(text))
        set_property(self._message, "role", role)

    def _show(self, description: ModelDescription | None) -> None:
        self.description = description
        self._shown = self.model if description else ""
        self._show_card(description)
        self.described.emit(description)

    def _show_card(self, description: ModelDescription | None) -> None:
        while self._figures.count():
            item = self._figures.takeAt(0)
            widget = item.widget() if item is not None else None
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        for row, (what, value) in enumerate(model_figures(description) if description else []):
            name, text = label(what, "muted"), ElidedLabel(value)
            for told in (name, text):
                explain(told, _MEANT.get(what, what))
            self._figures.addWidget(name, row, 0)
            text.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            self._figures.addWidget(text, row, 1)
        origin = description.origin if description else ""
        self._origin.setText(f"Weights: {origin}" if origin else "")
        self._origin.setVisible(bool(origin))
        reading = reading_text(description) if description else ""
        self._reading.setText(reading)
        self._reading.setVisible(bool(reading))
        self._show_memory(description)
        self.code.show_model(self.model, description)
        self.get_button.setVisible(description is not None and not description.cached)
        for box, found in (
            (self.precision, description.dtype if description else ""),
            (self.device, device_text(description.device) if description else ""),
        ):
            chosen = found and box.currentData() == "auto"
            box.setItemText(0, f"Auto: {found}" if chosen else "Auto")

    def _show_memory(self, description: ModelDescription | None) -> None:
        text = memory_text(description) if description else ""
        self._memory.setText(text)
        self._memory.setVisible(bool(text))
        known = description is not None and description.free_memory_bytes > 0
        self.meter.setVisible(bool(text) and known)
        if description is not None:
            fits = memory_fits(description)
            self.meter.set_amounts(description.memory_bytes, description.free_memory_bytes)
            set_property(self._memory, "role", "small" if fits else "error")


def _choice(options: Sequence[tuple[str, str]], name: str, tip: str) -> QComboBox:
    box = ElidedComboBox()
    for value, text in options:
        box.addItem(text, value)
    box.setAccessibleName(name)
    box.setToolTip(plain_tip(tip))
    return box
