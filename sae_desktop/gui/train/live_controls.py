"""Two fields that change a running training: its learning rate and λ."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QWidget

from sae_desktop.gui.parts.labels import label, push_button
from sae_desktop.gui.parts.number_fields import OptionalDecimalField, problems_of


class LiveControls(QWidget):
    """Fields left empty change nothing; Apply sends the others."""

    applied = Signal(object)
    """dict of "lr" and "sparsity" to their new values; what stays is not in it."""

    def __init__(self) -> None:
        super().__init__()
        self.lr = self._field("New learning rate", 1.0, 8)
        self.sparsity = self._field("New λ", 10_000.0, 6)
        self._sparsity_label = label("λ", "small")
        self.button = push_button("Apply", self._apply)
        self.note = label("", "small")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        row.addWidget(label("Change lr", "small"))
        row.addWidget(self.lr)
        row.addWidget(self._sparsity_label)
        row.addWidget(self.sparsity)
        row.addWidget(self.button)
        row.addWidget(self.note, 1)
        self._on_changed()

    def _field(self, name: str, most: float, digits: int) -> OptionalDecimalField:
        field = OptionalDecimalField(most, digits)
        field.setSpecialValueText("unchanged")
        field.setAccessibleName(name)
        field.setMaximumWidth(120)
        field.valueChanged.connect(self._on_changed)
        field.problemChanged.connect(self._on_changed)
        return field

    def begin(self, lr: float | None, sparsity: float | None, *, has_sparsity: bool) -> None:
        """Start again for a run; stepping begins at the values it has."""
        for field, value in ((self.lr, lr), (self.sparsity, sparsity)):
            field.set_default(value or 0.0)
            field.setSpecialValueText("unchanged")
            field.choose(None)
        self.sparsity.setVisible(has_sparsity)
        self._sparsity_label.setVisible(has_sparsity)
        self.note.setText("")

    def values(self) -> dict[str, float]:
        """Return what is to be changed."""
        chosen = {"lr": self.lr.chosen()}
        if not self.sparsity.isHidden():
            chosen["sparsity"] = self.sparsity.chosen()
        return {name: value for name, value in chosen.items() if value is not None}

    def _on_changed(self, _value: object = None) -> None:
        unread = problems_of(self)
        self.button.setEnabled(bool(self.values()) and not unread)
        if unread:
            self.note.setText(unread[0])

    def _apply(self) -> None:
        values = self.values()
        self.applied.emit(values)
        texts = {"lr": "lr", "sparsity": "λ"}
        said = ", ".join(f"{texts[name]} {value:.3g}" for name, value in values.items())
        self.note.setText(f"Sent: {said}; the curves show where it takes effect.")
        self.lr.choose(None)
        self.sparsity.choose(None)
