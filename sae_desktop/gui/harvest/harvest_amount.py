"""How much is harvested, into which store, and the settings one seldom changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from PySide6.QtCore import QSignalBlocker, Signal
from PySide6.QtWidgets import QCheckBox, QComboBox, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from sae_desktop.activations.config import HarvestConfig
from sae_desktop.described import setting
from sae_desktop.gui.harvest.labelled_field import LabelledField
from sae_desktop.gui.parts.field_ranges import least_count
from sae_desktop.gui.parts.labels import label
from sae_desktop.gui.parts.more_button import MoreButton
from sae_desktop.gui.parts.number_fields import CountField

STORE_DTYPES = (
    ("float16", "16 bit, float16"),
    ("bfloat16", "16 bit, bfloat16"),
    ("float32", "32 bit"),
    ("int8", "8 bit, one scale per row"),
)
_FIRST = setting(HarvestConfig, "keep_first")


class HarvestAmount(QWidget):
    """Name, tokens, storage, and under “More” the batch and the first tokens."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        defaults = HarvestConfig(project="", name="")
        self.name = QLineEdit()
        self.name.setMinimumWidth(200)
        self.tokens = CountField(defaults.tokens, least_count(HarvestConfig, "tokens"))
        self.batch = CountField(
            defaults.batch_tokens, least_count(HarvestConfig, "batch_tokens"), 1_048_576
        )
        self.batch.setSpecialValueText("fastest that fits")
        self.dtype = QComboBox()
        for value, text in STORE_DTYPES:
            self.dtype.addItem(text, value)
        self.keep_first = QCheckBox(_FIRST.title)
        self.keep_first.setMinimumHeight(self.dtype.sizeHint().height())
        self._problem = label("", "error", wrap=True)
        self._named = False
        self._fields = {
            "name": LabelledField.of(HarvestConfig, "name", self.name, marked=False),
            "tokens": LabelledField.of(HarvestConfig, "tokens", self.tokens, marked=False),
            "dtype": LabelledField.of(HarvestConfig, "dtype", self.dtype),
            "batch_tokens": LabelledField.of(HarvestConfig, "batch_tokens", self.batch),
        }
        self._lay_out()
        self._connect()

    def _lay_out(self) -> None:
        self._more = QWidget()
        more = QHBoxLayout(self._more)
        more.setContentsMargins(0, 0, 0, 0)
        more.setSpacing(12)
        more.addWidget(self._fields["batch_tokens"])
        more.addWidget(LabelledField("", self.keep_first, _FIRST.description))
        self.more_button = MoreButton(self._more, "settings of the store", unfolded="caret-left")
        row = QHBoxLayout()
        row.setSpacing(12)
        row.addWidget(self._fields["name"], 2)
        row.addWidget(self._fields["tokens"])
        row.addWidget(self._fields["dtype"])
        row.addWidget(self._more)
        row.addWidget(LabelledField("", self.more_button, "The batch and the first tokens"))
        row.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addLayout(row)
        column.addWidget(self._problem)

    def _connect(self) -> None:
        self.name.textEdited.connect(self._on_named)
        for spin in (self.tokens, self.batch):
            spin.valueChanged.connect(self._tell)
            spin.problemChanged.connect(self._tell)
        self.dtype.currentIndexChanged.connect(self._tell)
        self.keep_first.toggled.connect(self._tell)

    def _on_named(self, text: str) -> None:
        self._named = bool(text)
        self._tell()

    def _tell(self, _value: object = None) -> None:
        self.changed.emit()

    def suggest_name(self, name: str) -> None:
        """Fill in a name, unless the person has typed one."""
        if not self._named:
            self.name.setText(name)

    def forget_name(self) -> None:
        """Let the next suggestion in again."""
        self._named = False

    def fill(self, fields: Mapping[str, Any]) -> None:
        """Put in values of HarvestConfig; what is not named stays. Tells of nothing."""
        with QSignalBlocker(self):
            if "name" in fields:
                self.name.setText(fields["name"])
                self._named = True
            for spin, name in ((self.tokens, "tokens"), (self.batch, "batch_tokens")):
                spin.setValue(int(fields.get(name, spin.value())))
            if "dtype" in fields:
                self.dtype.setCurrentIndex(max(self.dtype.findData(fields["dtype"]), 0))
            self.keep_first.setChecked(fields.get("keep_first", self.keep_first.isChecked()))

    def applied(self, config: HarvestConfig) -> HarvestConfig:
        """Return `config` with what is set here."""
        return msgspec.structs.replace(
            config,
            name=self.name.text().strip(),
            tokens=self.tokens.value(),
            batch_tokens=self.batch.value(),
            dtype=self.dtype.currentData(),
            keep_first=self.keep_first.isChecked(),
        )

    def show_problems(self, problems: Mapping[str, str]) -> None:
        """Mark the fields that keep the harvest from starting, and say why beneath."""
        for name, field in self._fields.items():
            field.mark(problems.get(name, ""))
        text = " ".join(problems[name] for name in self._fields if name in problems)
        self._problem.setText(text)
        self._problem.setVisible(bool(text))
