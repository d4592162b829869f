"""How much is harvested, and the settings one seldom changes."""

from __future__ import annotations

import msgspec
from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFrame,
    QGridLayout,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)

from sae_desktop.activations.config import HarvestConfig
from sae_desktop.gui.widgets.labels import label, push_button, set_property
from sae_desktop.gui.widgets.number_fields import CountField

_BOS = {"auto": "if the model has one", "always": "always", "never": "never"}


class HarvestAmount(QWidget):
    """Name, tokens, and under “More” context, batch, storage, BOS, seed."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        defaults = HarvestConfig(project="", name="")
        self.name = QLineEdit()
        self.tokens = CountField(defaults.tokens)
        self.context_size = CountField(defaults.context_size, 8, 131_072)
        self.batch = CountField(defaults.batch_tokens, 0, 1_048_576)
        self.dtype = QComboBox()
        self.dtype.addItem("16 bit", "float16")
        self.dtype.addItem("32 bit", "float32")
        self.bos = QComboBox()
        for value, text in _BOS.items():
            self.bos.addItem(text, value)
        self.keep_first = QCheckBox("Keep each window’s first token")
        self.seed = CountField(defaults.seed, 0)
        self._named = False
        self._problems: dict[str, QWidget] = {
            "name": self.name,
            "tokens": self.tokens,
            "context_size": self.context_size,
        }
        self._problem = label("", "error", wrap=True)
        self._lay_out()
        self._connect()

    def _lay_out(self) -> None:
        grid = QGridLayout()
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(8)
        self._add(grid, 0, 0, "Name", self.name, "How the store is called in the project")
        self._add(grid, 0, 2, "Tokens", self.tokens, "Rows kept: one for each token")
        self.more_button = push_button("More", self._toggle_more, icon="caret-right", flat=True)
        grid.addWidget(self.more_button, 0, 4)
        self.name.setMinimumWidth(240)
        grid.setColumnStretch(5, 1)
        self._more = QFrame()
        more = QGridLayout(self._more)
        more.setContentsMargins(0, 0, 0, 0)
        more.setHorizontalSpacing(12)
        more.setVerticalSpacing(8)
        self._add(more, 0, 0, "Context", self.context_size, "Tokens in a window, BOS included")
        self._add(more, 0, 2, "Batch", self.batch, "Windows in one forward pass")
        self._add(more, 0, 4, "Stored as", self.dtype, "16 bit halves the disk space")
        self._add(more, 1, 0, "BOS", self.bos, "Whether a window begins with the BOS token")
        self._add(more, 1, 2, "Seed", self.seed, "Order of the documents")
        self.keep_first.setToolTip("In most models it is an attention sink and unlike the others")
        more.addWidget(self.keep_first, 1, 4, 1, 2)
        more.setColumnStretch(6, 1)
        self._more.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addLayout(grid)
        column.addWidget(self._more)
        column.addWidget(self._problem)
        self._problem.hide()

    def _add(
        self, grid: QGridLayout, row: int, column: int, text: str, field: QWidget, tip: str
    ) -> None:
        field.setAccessibleName(text)
        field.setToolTip(tip)
        grid.addWidget(label(text, "muted"), row, column)
        grid.addWidget(field, row, column + 1)

    def _connect(self) -> None:
        self.name.textEdited.connect(self._on_named)
        for spin in (self.tokens, self.context_size, self.batch, self.seed):
            spin.valueChanged.connect(self._tell)
        for box in (self.dtype, self.bos):
            box.currentIndexChanged.connect(self._tell)
        self.keep_first.toggled.connect(self._tell)

    def _on_named(self, text: str) -> None:
        self._named = bool(text)
        self._tell()

    def _tell(self, _value: object = None) -> None:
        self.changed.emit()

    def _toggle_more(self) -> None:
        self._more.setVisible(self._more.isHidden())
        self.more_button.setText("More" if self._more.isHidden() else "Less")

    def suggest_name(self, name: str) -> None:
        """Fill in a name, unless the person has typed one."""
        if not self._named:
            self.name.setText(name)

    def forget_name(self) -> None:
        """Let the next suggestion in again."""
        self._named = False

    def applied(self, config: HarvestConfig) -> HarvestConfig:
        """Return `config` with what is set here."""
        return msgspec.structs.replace(
            config,
            name=self.name.text().strip(),
            tokens=self.tokens.value(),
            context_size=self.context_size.value(),
            batch_tokens=self.batch.value(),
            dtype=self.dtype.currentData(),
            bos=self.bos.currentData(),
            keep_first=self.keep_first.isChecked(),
            seed=self.seed.value(),
        )

    def show_problems(self, problems: dict[str, str]) -> None:
        """Mark the fields that keep the harvest from starting."""
        for field, widget in self._problems.items():
            set_property(widget, "invalid", "true" if field in problems else "false")
        text = " ".join(problems[field] for field in self._problems if field in problems)
        self._problem.setText(text)
        self._problem.setVisible(bool(text))
