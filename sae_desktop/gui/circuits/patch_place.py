"""Patching: values of one prompt are put into another, one place at a time."""

from __future__ import annotations

from PySide6.QtWidgets import (
    QComboBox,
    QGridLayout,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)

from sae_desktop.circuits.lens_config import PatchConfig, PatchResult
from sae_desktop.demonstrations import (
    CIRCUIT_PROMPT,
    OTHER_CIRCUIT_PROMPT,
    SENTENCES,
    demonstration_of,
)
from sae_desktop.gui.circuits.asked_page import lay_out
from sae_desktop.gui.circuits.cell_grid import CellGrid
from sae_desktop.gui.circuits.model_choice import ModelChoice
from sae_desktop.gui.circuits.open_graph import OpenGraph
from sae_desktop.gui.parts.copy_code import copy_code_button
from sae_desktop.gui.parts.elided_label import ElidedLabel
from sae_desktop.gui.parts.kept_fields import keep_fields
from sae_desktop.gui.parts.labels import label, push_button
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.state.asked_job import AskedJob
from sae_desktop.gui.state.session import Session
from sae_desktop.words.lens_text import HOOKS, patch_cells, patch_text

_FIRST = (
    "Write two prompts of as many tokens that differ in one thing, such as “The capital of France "
    "is” and “The capital of Italy is”. Patching puts values of the second into the first, one "
    "layer and token at a time: where the answer turns, the model keeps what differs."
)
_TIP = "Put the other prompt’s values in, one place at a time (Return)"


class PatchPlace(QWidget):
    """Asks, and shows layers × tokens (or heads)."""

    def __init__(self, session: Session, opened: OpenGraph) -> None:
        super().__init__()
        self.setObjectName("circuits.patching")
        self._session, self._opened = session, opened
        self.asked = AskedJob(session, self)
        self.prompt, self.other = QLineEdit(), QLineEdit()
        self.target, self.against = QLineEdit(), QLineEdit()
        for field, name, hint in (
            (self.prompt, "Prompt", "The capital of France is"),
            (self.other, "Other prompt", "The capital of Italy is"),
            (self.target, "Token", "Paris, or empty: the likeliest"),
            (self.against, "Against", "Rome, or empty: the other’s likeliest"),
        ):
            field.setAccessibleName(name)
            field.setPlaceholderText(hint)
            field.textChanged.connect(lambda _text: self._show_buttons())
            field.returnPressed.connect(self.patch)
        self.hook = QComboBox()
        self.hook.setAccessibleName("What is put in")
        for value, text in HOOKS:
            self.hook.addItem(text, value)
        self.model = ModelChoice(session, opened)
        self.patch_button = push_button(
            "Patch", self.patch, icon="swap", primary=True,
            tip=_TIP,
        )  # fmt: skip
        self.grid = CellGrid("Layers and places")
        self.told = ElidedLabel()
        self.told.setProperty("role", "small")
        self.told.setContentsMargins(12, 2, 12, 4)
        self._build()
        self.asked.answered.connect(self.show_result)
        self.asked.busyChanged.connect(lambda _busy: self._show_buttons())
        opened.opened.connect(self._on_opened)
        session.projectChanged.connect(lambda: self._stack.setCurrentIndex(0))
        keep_fields(
            session, self,
            {"prompt": self.prompt, "other": self.other, "target": self.target,
             "against": self.against, "hook": self.hook},
        )  # fmt: skip
        self._on_opened()

    def _build(self) -> None:
        fields = QGridLayout()
        fields.setContentsMargins(12, 8, 12, 6)
        fields.setHorizontalSpacing(8)
        fields.setVerticalSpacing(4)
        fields.addWidget(label("Prompt"), 0, 0)
        fields.addWidget(self.prompt, 0, 1)
        fields.addWidget(label("Token"), 0, 2)
        fields.addWidget(self.target, 0, 3)
        fields.addWidget(self.hook, 0, 4, 1, 2)
        fields.addWidget(label("Other prompt"), 1, 0)
        fields.addWidget(self.other, 1, 1)
        fields.addWidget(label("Against"), 1, 2)
        fields.addWidget(self.against, 1, 3)
        fields.addWidget(self.model, 1, 4)
        fields.addWidget(self.patch_button, 1, 5)
        fields.addWidget(copy_code_button(self._session, self.config), 1, 6)
        fields.setColumnStretch(1, 3)
        fields.setColumnStretch(3, 2)
        self.hook.setToolTip(plain_tip("Which values of the other prompt are put in"))
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.grid, 1)
        column.addWidget(self.told)
        self._stack = lay_out(self, fields, _FIRST, page)
        self.setFocusProxy(self.prompt)

    def _on_opened(self) -> None:
        graph = self._opened.graph
        if graph is not None and not self.prompt.text():
            self.prompt.setText(graph.info.prompt)
            shown = demonstration_of(self._session.project) is SENTENCES
            if shown and not self.other.text() and graph.info.prompt == CIRCUIT_PROMPT:
                self.other.setText(OTHER_CIRCUIT_PROMPT)
        self._show_buttons()

    def _show_buttons(self) -> None:
        ready = bool(self.prompt.text().strip() and self.other.text().strip() and self.model.chosen)
        self.patch_button.setEnabled(ready and not self.asked.busy)
        self.patch_button.setToolTip(plain_tip(_TIP if ready else "Write both prompts first"))
        self.patch_button.setText("Patching…" if self.asked.busy else "Patch")

    def patch(self) -> None:
        """Put values of the other prompt into the prompt."""
        config = self.config()
        if config is not None:
            self.asked.ask(config)

    def config(self) -> PatchConfig | None:
        """Return what is asked; None while something is not filled in."""
        if not (self.prompt.text().strip() and self.other.text().strip() and self.model.chosen):
            return None
        return PatchConfig(
            model=self.model.chosen, prompt=self.prompt.text(), other=self.other.text(),
            target=_token(self.target.text()), against=_token(self.against.text()),
            hook=self.hook.currentData(),
        )  # fmt: skip

    def show_result(self, result: PatchResult) -> None:
        """Show which share of the other prompt's answer each place brings."""
        self._stack.setCurrentIndex(1)
        self.grid.cells.show_cells(*patch_cells(result))
        self.told.setText(patch_text(result))


def _token(text: str) -> str:
    """Return a token as it follows text: with the space before a word, unless it was typed."""
    return f" {text}" if text and not text.startswith((" ", "“", '"')) else text.strip('“”"')
