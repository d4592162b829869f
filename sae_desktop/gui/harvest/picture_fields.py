"""How the chosen pictures are read: tokens of each, and whether the store keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import QSignalBlocker, Signal
from PySide6.QtWidgets import QCheckBox, QVBoxLayout, QWidget

from sae_desktop.activations.config import HarvestConfig
from sae_desktop.described import default, setting
from sae_desktop.gui.harvest.labelled_field import LabelledField
from sae_desktop.gui.parts.field_ranges import least_count
from sae_desktop.gui.parts.labels import label
from sae_desktop.gui.parts.number_fields import CountField
from sae_desktop.gui.parts.plain_text import plain_tip

_MOST_TOKENS = 1_048_576


class PictureFields(QWidget):
    """The settings of a harvest that are of pictures alone."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.tokens = CountField(
            default(HarvestConfig, "picture_tokens"),
            least_count(HarvestConfig, "picture_tokens"),
            _MOST_TOKENS,
        )
        self.tokens.setSpecialValueText("as many as there are")
        self.tokens.setMinimumWidth(80)
        self._field = LabelledField.of(HarvestConfig, "picture_tokens", self.tokens, marked=True)
        kept = setting(HarvestConfig, "keep_pictures")
        self.keep = QCheckBox(kept.title)
        self.keep.setToolTip(plain_tip(kept.description))
        about = label(
            "Each document is one window: a picture and the words beside it. A picture is never "
            "cut. The store has a thumbnail, the name and the digest of each picture.",
            "small",
            wrap=True,
        )
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        for part in (self._field, self.keep, about):
            column.addWidget(part)
        self.tokens.valueChanged.connect(self._tell)
        self.tokens.problemChanged.connect(self._tell)
        self.keep.toggled.connect(self._tell)

    def _tell(self, _value: object = None) -> None:
        self.changed.emit()

    def values(self) -> dict[str, Any]:
        """Return field of HarvestConfig → value."""
        return {"picture_tokens": self.tokens.value(), "keep_pictures": self.keep.isChecked()}

    def fill(self, fields: Mapping[str, Any]) -> None:
        """Put in values; what is not named stays. Tells of nothing."""
        with QSignalBlocker(self):
            self.tokens.setValue(fields.get("picture_tokens", self.tokens.value()))
            self.keep.setChecked(fields.get("keep_pictures", self.keep.isChecked()))

    def show_problems(self, problems: Mapping[str, str]) -> None:
        """Say under the field what is wrong with it."""
        self._field.show_problem(problems.get("picture_tokens", ""))
