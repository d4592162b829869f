"""The settings of a training run, each with a line of explanation."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFrame,
    QLineEdit,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from sae_desktop.gui.amounts import count_text
from sae_desktop.gui.inventory import StoreItem
from sae_desktop.gui.training_draft import SETTINGS, SettingInfo, shown
from sae_desktop.gui.widgets.labels import label, push_button, set_property
from sae_desktop.gui.widgets.number_fields import CountField, DecimalField
from sae_desktop.training.config import TrainConfig

_ARCHITECTURES = (
    ("Matryoshka BatchTopK", "matryoshka"),
    ("BatchTopK", "batchtopk"),
    ("TopK", "topk"),
    ("Standard (L1)", "standard"),
)


def _combo(items: tuple[tuple[str, str], ...]) -> QComboBox:
    box = QComboBox()
    for text, value in items:
        box.addItem(text, value)
    return box


class TrainingSettings(QScrollArea):
    """Fields for TrainConfig; those that do not apply are not shown."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setMinimumWidth(240)
        defaults = TrainConfig(project="", name="", activations="")
        self._defaults = defaults
        self._named = False
        self.fields: dict[str, Any] = {
            "activations": QComboBox(),
            "name": QLineEdit(),
            "architecture": _combo(_ARCHITECTURES),
            "features": CountField(defaults.features, 2, 10_000_000),
            "k": CountField(defaults.k, 1, 1_000_000),
            "sparsity": DecimalField(5.0, 10_000.0, 4),
            "tokens": CountField(defaults.tokens, 1),
            "batch": CountField(defaults.batch, 1, 1_000_000),
            "lr": DecimalField(defaults.lr, 1.0, 6),
            "seed": CountField(defaults.seed, 0),
            "dead_window": CountField(defaults.dead_window, 1),
            "exclude_massive": QCheckBox("Leave out massive rows"),
        }
        for field in self.fields.values():
            if isinstance(field, QComboBox):  # as narrow as the dock, however long its texts
                field.setSizeAdjustPolicy(
                    QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
                )
        self.fields["exclude_massive"].setChecked(defaults.exclude_massive)
        self._groups: dict[str, QWidget] = {}
        self._explanations: dict[str, Any] = {}
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(16, 8, 16, 16)
        column.setSpacing(8)
        self._rare = QWidget()
        rare = QVBoxLayout(self._rare)
        rare.setContentsMargins(0, 0, 0, 0)
        rare.setSpacing(8)
        for info in SETTINGS:
            (rare if info.rare else column).addWidget(self._group(info))
        self._more = push_button("More settings", self._toggle_rare, icon="caret-right", flat=True)
        column.addWidget(self._more, 0, Qt.AlignmentFlag.AlignLeft)
        column.addWidget(self._rare)
        column.addStretch(1)
        self._rare.hide()
        self.setWidget(inside)
        self._connect()
        self._show_applicable()

    def _group(self, info: SettingInfo) -> QWidget:
        group, field = QWidget(), self.fields[info.field]
        column = QVBoxLayout(group)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        if not isinstance(field, QCheckBox):
            column.addWidget(label(info.text))
        column.addWidget(field)
        explanation = label(info.explanation, "small", wrap=True)
        column.addWidget(explanation)
        field.setAccessibleName(info.text)
        field.setAccessibleDescription(info.explanation)
        self._groups[info.field], self._explanations[info.field] = group, explanation
        return group

    def _connect(self) -> None:
        for field in self.fields.values():
            if isinstance(field, QComboBox):
                field.currentIndexChanged.connect(self._on_changed)
            elif isinstance(field, QCheckBox):
                field.toggled.connect(self._on_changed)
            elif isinstance(field, QLineEdit):
                field.textEdited.connect(self._on_named)
            else:
                field.valueChanged.connect(self._on_changed)

    def _on_named(self, text: str) -> None:
        self._named = bool(text)
        self.changed.emit()

    def _on_changed(self, _value: object = None) -> None:
        self._show_applicable()
        self.changed.emit()

    def _show_applicable(self) -> None:
        architecture = self.fields["architecture"].currentData()
        for info in SETTINGS:
            self._groups[info.field].setVisible(shown(info, architecture))

    def _toggle_rare(self) -> None:
        self._rare.setVisible(self._rare.isHidden())
        self._more.setText("More settings" if self._rare.isHidden() else "Fewer settings")

    # ------------------------------------------------------------------ values
    def show_stores(self, stores: list[StoreItem], chosen: str) -> None:
        """Offer the project's stores."""
        box: QComboBox = self.fields["activations"]
        keep = box.currentData() or chosen
        box.blockSignals(True)
        box.clear()
        for store in stores:
            box.addItem(store.name, store.name)
            tip = f"{store.name}: {count_text(store.rows)} rows"
            box.setItemData(box.count() - 1, tip, Qt.ItemDataRole.ToolTipRole)
        box.setCurrentIndex(max(box.findData(keep), 0) if stores else -1)
        box.blockSignals(False)

    def choose_store(self, name: str) -> None:
        box: QComboBox = self.fields["activations"]
        if box.findData(name) >= 0:
            box.setCurrentIndex(box.findData(name))

    def suggest_name(self, name: str) -> None:
        """Fill in a name, unless the person has typed one."""
        if not self._named:
            self.fields["name"].setText(name)

    def forget_name(self) -> None:
        """Let the next suggestion in again."""
        self._named = False

    def config(self, project: str) -> TrainConfig:
        """Return what is set."""
        f = self.fields
        return TrainConfig(
            project=project,
            name=f["name"].text().strip(),
            activations=f["activations"].currentData() or "",
            architecture=f["architecture"].currentData(),
            features=f["features"].value(),
            k=f["k"].value(),
            sparsity=f["sparsity"].value(),
            tokens=f["tokens"].value(),
            batch=f["batch"].value(),
            lr=f["lr"].value(),
            seed=f["seed"].value(),
            dead_window=f["dead_window"].value(),
            exclude_massive=f["exclude_massive"].isChecked(),
        )

    def fill(self, config: TrainConfig) -> None:
        """Show the settings of a run."""
        self._named = True
        for name, field in self.fields.items():
            value = getattr(config, name)
            if isinstance(field, QComboBox):
                field.setCurrentIndex(field.findData(value))
            elif isinstance(field, QCheckBox):
                field.setChecked(value)
            elif isinstance(field, QLineEdit):
                field.setText(value)
            else:
                field.setValue(value)

    def show_problems(self, problems: dict[str, str]) -> None:
        """Say at each field what keeps the training from starting."""
        for info in SETTINGS:
            problem = problems.get(info.field, "")
            set_property(self.fields[info.field], "invalid", "true" if problem else "false")
            explanation = self._explanations[info.field]
            explanation.setText(problem or info.explanation)
            set_property(explanation, "role", "warning" if problem else "small")
