"""The fields that only a set has: which layers, and whether a linear map goes along."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from PySide6.QtCore import QSignalBlocker, Signal
from PySide6.QtWidgets import QCheckBox, QLineEdit, QVBoxLayout, QWidget

from sae_desktop.described import default, setting
from sae_desktop.dictionary.set_info import SetKind
from sae_desktop.errors import UserError
from sae_desktop.gui.parts.labels import label, set_property
from sae_desktop.gui.parts.terms import explain
from sae_desktop.gui.train.set_draft import parse_layers
from sae_desktop.training.set_config import TrainSetConfig
from sae_desktop.words.set_words import layers_text

_LAYERS = "All layers of the model; or some, such as 0–11, 14."
_SKIP = setting(TrainSetConfig, "skip")


class SetFields(QWidget):
    """Layers as a line of text, and the skip connection as a box."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.layers = QLineEdit()
        self.layers.setPlaceholderText("all")
        self.layers.setAccessibleName("Layers")
        self.layers.setAccessibleDescription(_LAYERS)
        explain(self.layers, "Layer")
        self.skip = QCheckBox(_SKIP.title)
        self.skip.setChecked(default(TrainSetConfig, "skip"))
        self._line = label(_LAYERS, "small", wrap=True)
        self._skip_line = label(_SKIP.description, "small", wrap=True)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(label("Layers"))
        for widget in (self.layers, self._line, self.skip, self._skip_line):
            column.addWidget(widget)
        self.layers.textChanged.connect(lambda _text: self.changed.emit())
        self.skip.toggled.connect(lambda _on: self.changed.emit())

    def show_kind(self, kind: SetKind | None) -> None:
        """Show what a kind of set asks for; None: it is no set that is trained."""
        self.setVisible(kind is not None)
        for widget in (self.skip, self._skip_line):
            widget.setVisible(kind == "transcoders")

    def show_problem(self, text: str) -> None:
        """Say below the layers what is wrong with them; empty: nothing."""
        set_property(self.layers, "invalid", "true" if text else "false")
        self._line.setText(text or _LAYERS)
        set_property(self._line, "role", "warning" if text else "small")

    def chosen(self) -> tuple[int, ...]:
        """Return the layers; none: all, or what is typed is not a list of them."""
        with suppress(UserError):
            return parse_layers(self.layers.text())
        return ()

    def kept(self) -> dict[str, Any]:
        return {"layers": self.layers.text(), "skip": self.skip.isChecked()}

    def give(self, layers: str, *, skip: bool) -> None:
        """Show these; nothing is emitted."""
        with QSignalBlocker(self.layers), QSignalBlocker(self.skip):
            self.layers.setText(layers)
            self.skip.setChecked(skip)

    def fill(self, config: TrainSetConfig) -> None:
        """Show those of a set."""
        self.give(layers_text(config.layers), skip=config.skip)
