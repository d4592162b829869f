"""The fields of the training settings, and how a value is read from and put into each."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QCheckBox, QComboBox, QLineEdit

from sae_desktop.gui.parts.field_ranges import MOST_COUNT, decimal_range, least_count
from sae_desktop.gui.parts.number_fields import CountField, DecimalField, OptionalDecimalField
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.train.set_draft import SETS, set_target
from sae_desktop.gui.train.site_checks import SiteChecks
from sae_desktop.training.config import TrainConfig
from sae_desktop.words.training_catalogue import SETTING_OF, TARGETS

_CHOICES = {
    "target": tuple((text, value) for value, text, _ in TARGETS),
    "precision": (
        ("Automatic", "auto"),
        ("float32", "float32"),
        ("bfloat16", "bfloat16"),
    ),
    "init": (
        ("Automatic", "auto"),
        ("Random directions", "random"),
        ("Rows of the data", "data"),
    ),
    "rows_of": (("Texts and pictures", "both"), ("Texts", "text"), ("Pictures", "pictures")),
    "centre": (("Automatic", "auto"), ("Always", "always"), ("Never", "never")),
}


def make_fields(defaults: TrainConfig) -> dict[str, Any]:
    """Return setting → its field, holding the default."""
    d = defaults
    fields: dict[str, Any] = {
        "activations": QComboBox(),
        "target": _targets(),
        "site": QComboBox(),
        "output_site": QComboBox(),
        "sites": SiteChecks(),
        "other_activations": SiteChecks(begin_checked=False),
        "start_from": QComboBox(),
        "architecture": QComboBox(),
        "features": _count("features", d, 100_000_000),
        "k": _count("k", d, 1_000_000),
        "sparsity": OptionalDecimalField(10_000.0, 6),
        "tokens": _count("tokens", d),
        "name": QLineEdit(),
        "batch": _count("batch", d, 10_000_000),
        "lr": _decimal("lr", d, 1.0, 8),
        "lr_warm_up": _share("lr_warm_up", d),
        "lr_decay": _share("lr_decay", d),
        "gradient_clip": _decimal("gradient_clip", d, 10_000.0, 4),
        "precision": _combo("precision"),
        "sparsity_warm_up": OptionalDecimalField(1.0, 3),
        "k_start": _count("k_start", d, 1_000_000),
        "lista_step": _share("lista_step", d),
        "leave_one_out": _decimal("leave_one_out", d, 10.0, 3),
        "aux_weight": _decimal("aux_weight", d, 10.0, 6),
        "threshold_decay": _decimal("threshold_decay", d, 1.0, 6),
        "resample": _check("resample", d.resample),
        "dead_window": _count("dead_window", d),
        "init": _combo("init"),
        "centre": _combo("centre"),
        "exclude_massive": _check("exclude_massive", d.exclude_massive),
        "rows_of": _combo("rows_of"),
        "seed": _count("seed", d),
        "metric_rows": _count("metric_rows", d, 10_000_000),
        "measure_loss": _check("measure_loss", d.measure_loss),
        "checkpoint_seconds": _decimal("checkpoint_seconds", d, 86_400.0, 1),
        "keep_checkpoints": _count("keep_checkpoints", d, 1_000),
    }
    fields["lr"].setSpecialValueText("default")
    fields["k_start"].setSpecialValueText("usual")
    fields["activations"].setPlaceholderText("Choose a store")
    for field in fields.values():
        if isinstance(field, QComboBox):  # as narrow as the dock, however long its texts
            field.setSizeAdjustPolicy(
                QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
            )
    return fields


def _targets() -> QComboBox:
    """Return the choice of what is trained: of one dictionary, and below of a set."""
    box = _combo("target")
    box.insertSeparator(box.count())
    for kind, title, about in SETS:
        box.addItem(title, set_target(kind))
        box.setItemData(box.count() - 1, plain_tip(about), Qt.ItemDataRole.ToolTipRole)
    return box


def _combo(name: str) -> QComboBox:
    box = QComboBox()
    for text, value in _CHOICES[name]:
        box.addItem(text, value)
    return box


def _count(name: str, defaults: TrainConfig, most: int = MOST_COUNT) -> CountField:
    """Return a field that takes what the setting may be, up to `most`."""
    return CountField(getattr(defaults, name), least_count(TrainConfig, name), most)


def _decimal(
    name: str, defaults: TrainConfig, most: float, digits: int, step: float = 0.0
) -> DecimalField:
    """Return a field that takes what the setting may be, up to `most`."""
    field = DecimalField(getattr(defaults, name), most, digits, step)
    field.setRange(*decimal_range(TrainConfig, name, most))
    return field


def _share(name: str, defaults: TrainConfig) -> DecimalField:
    return _decimal(name, defaults, 1.0, 3, step=0.05)


def _check(name: str, on: bool) -> QCheckBox:
    box = QCheckBox(SETTING_OF[name].text)
    box.setChecked(on)
    return box
