"""The fields of the training settings, and how a value is read from and put into each."""

from __future__ import annotations

from typing import Any

from PySide6.QtWidgets import QCheckBox, QComboBox, QLineEdit, QWidget

from sae_desktop.gui.training_catalogue import SETTING_OF, TARGETS
from sae_desktop.gui.widgets.number_fields import (
    CountField,
    DecimalField,
    OptionalDecimalField,
)
from sae_desktop.gui.widgets.site_checks import SiteChecks
from sae_desktop.training.config import TrainConfig

_CHOICES = {
    "target": tuple((text, value) for value, text, _ in TARGETS),
    "precision": (
        ("Automatic", "auto"),
        ("float32", "float32"),
        ("bfloat16", "bfloat16"),
    ),
    "init": (("Random directions", "random"), ("Rows of the data", "data")),
    "centre": (("Automatic", "auto"), ("Always", "always"), ("Never", "never")),
}


def make_fields(defaults: TrainConfig) -> dict[str, Any]:
    """Return setting → its field, holding the default."""
    d = defaults
    fields: dict[str, Any] = {
        "activations": QComboBox(),
        "target": _combo("target"),
        "site": QComboBox(),
        "output_site": QComboBox(),
        "sites": SiteChecks(),
        "other_activations": QComboBox(),
        "architecture": QComboBox(),
        "features": CountField(d.features, 2, 100_000_000),
        "k": CountField(d.k, 1, 1_000_000),
        "sparsity": OptionalDecimalField(10_000.0, 6),
        "tokens": CountField(d.tokens, 1),
        "name": QLineEdit(),
        "batch": CountField(d.batch, 1, 10_000_000),
        "lr": DecimalField(d.lr, 1.0, 8),
        "lr_warm_up": _share(d.lr_warm_up),
        "lr_decay": _share(d.lr_decay),
        "gradient_clip": DecimalField(d.gradient_clip, 10_000.0, 4),
        "precision": _combo("precision"),
        "sparsity_warm_up": OptionalDecimalField(1.0, 3),
        "aux_weight": DecimalField(d.aux_weight, 10.0, 6),
        "threshold_decay": DecimalField(d.threshold_decay, 0.999999, 6),
        "resample": _check("resample", d.resample),
        "dead_window": CountField(d.dead_window, 1),
        "init": _combo("init"),
        "centre": _combo("centre"),
        "exclude_massive": _check("exclude_massive", d.exclude_massive),
        "seed": CountField(d.seed, 0),
        "metric_rows": CountField(d.metric_rows, 1, 10_000_000),
        "checkpoint_seconds": DecimalField(d.checkpoint_seconds, 86_400.0, 1),
        "keep_checkpoints": CountField(d.keep_checkpoints, 1, 1_000),
    }
    fields["lr"].setSpecialValueText("default")
    for field in fields.values():
        if isinstance(field, QComboBox):  # as narrow as the dock, however long its texts
            field.setSizeAdjustPolicy(
                QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
            )
    return fields


def _combo(name: str) -> QComboBox:
    box = QComboBox()
    for text, value in _CHOICES[name]:
        box.addItem(text, value)
    return box


def _share(value: float) -> DecimalField:
    field = DecimalField(value, 1.0, 3)
    field.setSingleStep(0.05)
    field.setStepType(DecimalField.StepType.DefaultStepType)
    return field


def _check(name: str, on: bool) -> QCheckBox:
    box = QCheckBox(SETTING_OF[name].text)
    box.setChecked(on)
    return box


def read_field(field: QWidget) -> Any:
    """Return what a field holds."""
    if isinstance(field, QComboBox):
        return field.currentData()
    if isinstance(field, QCheckBox):
        return field.isChecked()
    if isinstance(field, QLineEdit):
        return field.text().strip()
    if isinstance(field, OptionalDecimalField):
        return field.chosen()
    return field.value()  # type: ignore[attr-defined]


def fill_field(field: QWidget, value: Any) -> None:
    """Put a value into a field."""
    if isinstance(field, QComboBox):
        field.setCurrentIndex(field.findData(value))
    elif isinstance(field, QCheckBox):
        field.setChecked(value)
    elif isinstance(field, QLineEdit):
        field.setText(value)
    elif isinstance(field, OptionalDecimalField):
        field.choose(value)
    else:
        field.setValue(value)  # type: ignore[attr-defined]
