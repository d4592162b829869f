"""Small dialogs that ask what an index, an evaluation or an import needs to know."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QLineEdit,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from sae_desktop.activations.config import ImportActivationsConfig
from sae_desktop.described import default, setting
from sae_desktop.errors import UserError
from sae_desktop.features.config import IndexConfig
from sae_desktop.gui.forms.store_choice import StoreChoice
from sae_desktop.gui.parts.copy_code import copy_code_button
from sae_desktop.gui.parts.default_button import set_default_button
from sae_desktop.gui.parts.engine_offer import EngineOffer
from sae_desktop.gui.parts.field_ranges import least_count
from sae_desktop.gui.parts.glossary import Glossary
from sae_desktop.gui.parts.labels import label, push_button, set_property
from sae_desktop.gui.parts.more_button import MoreButton
from sae_desktop.gui.parts.number_fields import CountField, NumberField
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.state.session import Session
from sae_desktop.project import checked_name
from sae_desktop.training.config import EvaluateConfig


def free_name(wanted: str, taken: list[str]) -> str:
    """Return `wanted`, or it with the first free number after it."""
    if wanted not in taken:
        return wanted
    return next(f"{wanted}-{n}" for n in range(2, len(taken) + 3) if f"{wanted}-{n}" not in taken)


def name_problem(name: str, taken: list[str]) -> str:
    """Return why a new thing cannot bear a name; empty when it can."""
    try:
        checked_name(name)
    except UserError as error:
        return str(error)
    return f"“{name}” already exists." if name in taken else ""


class JobForm(QDialog):
    """A form of a job; its button starts the job and closes it."""

    def __init__(self, session: Session, title: str, sentence: str, button: str) -> None:
        super().__init__()
        self.session = session
        self.setWindowTitle(title)
        self.setMinimumWidth(440)
        self.form = QFormLayout()
        self.form.setSpacing(8)
        self.form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        self._problem = label("", "error", wrap=True)
        self._problems: dict[QWidget, str] = {}
        self._start = push_button(button, self.accept, primary=True)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        buttons.addButton(self._start, QDialogButtonBox.ButtonRole.ActionRole)
        buttons.rejected.connect(self.reject)
        starts = type(self).config is not JobForm.config
        self._copy = copy_code_button(session, self.config) if starts else None
        if self._copy is not None:
            buttons.addButton(self._copy, QDialogButtonBox.ButtonRole.HelpRole)
        layout = QVBoxLayout(self)
        layout.setSpacing(12)
        layout.addWidget(label(sentence, "muted", wrap=True))
        layout.addLayout(self.form)
        self._below = QVBoxLayout()
        layout.addLayout(self._below)
        layout.addWidget(EngineOffer(session, "The engine, which does the work, is not running."))
        layout.addWidget(self._problem)
        layout.addWidget(buttons)
        set_default_button(self, self._start)
        # The window’s own key does not reach a form that stands before it.
        self.glossary = Glossary(self)
        QShortcut(QKeySequence("F1"), self, self.glossary.open)
        session.client.stateChanged.connect(self._allow_start)
        self._allow_start()

    def config(self) -> Any:
        """Return what it would start; a form that starts no job has none."""
        return None

    def event(self, event: QEvent) -> bool:
        done = super().event(event)
        if event.type() == QEvent.Type.LayoutRequest:
            self._make_room()
        return done

    def _make_room(self) -> None:
        """Grow with a text that wraps: Qt would squeeze the rows of fields instead."""
        layout = self.layout()
        needed = layout.totalHeightForWidth(self.width()) if layout is not None else 0
        if needed > self.height():
            self.resize(self.width(), needed)

    def add_row(self, text: str, field: QWidget, tip: str) -> None:
        field.setAccessibleName(text)
        field.setToolTip(plain_tip(tip))
        field.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.form.addRow(text, field)
        name = self.form.labelForField(field)
        if name is not None:  # a box has its name beside it
            name.setToolTip(plain_tip(tip))
        if isinstance(field, NumberField):
            field.problemChanged.connect(lambda problem: self.say_problem(problem, field))

    def add_setting(self, config: type[msgspec.Struct], name: str, field: QWidget) -> None:
        """Add a field for a setting of a config, in the words that stand beside it there."""
        told = setting(config, name)
        self.add_row(told.title, field, told.description)

    def add_below(self, widget: QWidget) -> None:
        """Put something between the fields and the buttons; texts have their height there."""
        self._below.addWidget(widget)

    def say_problem(self, text: str, field: QWidget) -> None:
        """Show why it cannot start, at the field it concerns; an empty text takes that back."""
        self._problems[field] = text
        set_property(field, "invalid", "true" if text else "false")
        self._problem.setText(next(filter(None, self._problems.values()), ""))
        self._allow_start()

    def _allow_start(self, _state: object = None) -> None:
        ready = not any(self._problems.values()) and not self.session.engine_stopped
        self._start.setEnabled(ready)
        if self._copy is not None:
            self._copy.setEnabled(not any(self._problems.values()))

    def add_name(self, name: str, taken: list[str]) -> QLineEdit:
        field = QLineEdit(name)
        field.textChanged.connect(lambda text: self.say_problem(name_problem(text, taken), field))
        self.add_row("Name", field, "Its name in the project")
        return field

    def present(self, parent: QWidget) -> None:
        """Show the form over a window, its first field ready to be filled in."""
        self.setParent(parent.window(), Qt.WindowType.Dialog)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.open()
        first = self.form.itemAt(0, QFormLayout.ItemRole.FieldRole)
        if first is not None and (field := first.widget()) is not None:
            field.setFocus()


def _rows_field(rows: int, special: str = "") -> CountField:
    field = CountField(rows, 0 if special else 1)
    field.setSpecialValueText(special)
    return field


class IndexForm(JobForm):
    """Builds the index of a dictionary, or adds text to one that is there."""

    def __init__(self, session: Session, dictionary: str) -> None:
        super().__init__(
            session,
            f"Build an index of “{dictionary}”",
            "Reads activations through the dictionary and keeps, for every feature, where "
            "it fires, how often, what it makes more likely and which features are near it.",
            "Build the index",
        )
        self._dictionary = dictionary
        item = session.inventory.dictionary(dictionary)
        assert item is not None, dictionary
        self._taken = [i.name for i in session.inventory.indexes]
        self.target = QComboBox()
        self.target.addItem("A new index", "")
        for name in item.indexes:
            self.target.addItem(f"Add text to “{name}”", name)
        self.target.currentIndexChanged.connect(self._adapt)
        if item.indexes:
            tip = "A new index, or an existing one with its settings and more text"
            self.add_row("Result", self.target, tip)
        self.name = self.add_name(free_name(dictionary, self._taken), self._taken)
        self.name.textChanged.connect(self._check)
        self._stores = StoreChoice(session.inventory.stores, item, self.add_row)
        self.store = self._stores.store
        self.rows = _rows_field(0, "all rows")
        self.add_setting(IndexConfig, "rows", self.rows)
        self._add_rare_settings()
        self._adapt()

    def _add_rare_settings(self) -> None:
        self.more = MoreButton(None, "of the index", ("More settings", "Fewer settings"))
        self.more.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.more.toggled.connect(self._adapt)
        self.form.addRow("", self.more)
        least = least_count(IndexConfig, "top_contexts")
        self.contexts = CountField(default(IndexConfig, "top_contexts"), least, 200)
        self.add_setting(IndexConfig, "top_contexts", self.contexts)
        self.scheme = QComboBox()
        self.scheme.addItem("from equal ranges of activation", "linear")
        self.scheme.addItem("from equally many activations", "quantile")
        self.add_setting(IndexConfig, "bucket_scheme", self.scheme)
        keep = setting(IndexConfig, "keep_firings")
        self.keep = QCheckBox(keep.title)
        self.keep.setChecked(default(IndexConfig, "keep_firings"))
        self.add_row("", self.keep, keep.description)
        self.keep.setAccessibleName(self.keep.text())

    @property
    def added_to(self) -> str:
        """The index that text is added to; empty for a new one."""
        return str(self.target.currentData())

    def _adapt(self) -> None:
        """Show what can be set: an index that is there keeps its settings."""
        new = not self.added_to
        self.form.setRowVisible(self.name, new)
        for field in (self.contexts, self.scheme):
            self.form.setRowVisible(field, new and self.more.isChecked())
        self.form.setRowVisible(self.keep, self.more.isChecked())
        self._start.setText("Build the index" if new else "Add the text")
        self._check()
        self.adjustSize()

    def _check(self) -> None:
        missing = self._stores.problem()
        if missing is not None:
            self.say_problem(*missing)
        else:
            problem = "" if self.added_to else name_problem(self.name.text(), self._taken)
            self.say_problem(problem, self.name)

    def config(self) -> IndexConfig:
        return IndexConfig(
            project=self.session.project_path,
            dictionary=self._dictionary,
            name=self.added_to or self.name.text(),
            activations=self.store.currentText(),
            other_activations=self._stores.others,
            rows=self.rows.value(),
            top_contexts=self.contexts.value(),
            bucket_scheme="quantile" if self.scheme.currentData() == "quantile" else "linear",
            keep_firings=self.keep.isChecked(),
            add=bool(self.added_to),
        )

    def accept(self) -> None:
        self.session.run(self.config())
        super().accept()


class EvaluateForm(JobForm):
    """Measures a dictionary."""

    def __init__(self, session: Session, dictionary: str) -> None:
        super().__init__(
            session,
            f"Evaluate “{dictionary}”",
            "Measures L0, FVU, dead features and the loss recovered when the model reads the "
            "dictionary’s output in place of its own activations.",
            "Evaluate",
        )
        self._dictionary = dictionary
        item = session.inventory.dictionary(dictionary)
        assert item is not None, dictionary
        self._stores = StoreChoice(session.inventory.stores, item, self.add_row, written=True)
        self.store = self._stores.store
        self.rows = _rows_field(default(EvaluateConfig, "rows"))
        self.add_setting(EvaluateConfig, "rows", self.rows)
        least = least_count(EvaluateConfig, "loss_windows")
        self.windows = CountField(default(EvaluateConfig, "loss_windows"), least, 10_000)
        self.add_setting(EvaluateConfig, "loss_windows", self.windows)
        control = setting(EvaluateConfig, "control")
        self.control = QCheckBox(control.title)
        self.control.setChecked(default(EvaluateConfig, "control"))
        self.add_row("", self.control, control.description)
        self.control.setAccessibleName(self.control.text())
        missing = self._stores.problem()
        if missing is not None:
            self.say_problem(*missing)

    def config(self) -> EvaluateConfig:
        return EvaluateConfig(
            project=self.session.project_path,
            dictionary=self._dictionary,
            activations=self.store.currentText(),
            other_activations=self._stores.others,
            rows=self.rows.value(),
            loss_windows=self.windows.value(),
            control=self.control.isChecked(),
        )

    def accept(self) -> None:
        self.session.run(self.config())
        super().accept()


class ImportForm(JobForm):
    """Copies a matrix of activations from a file into a store."""

    def __init__(self, session: Session, file: Path) -> None:
        super().__init__(
            session,
            "Import activations",
            f"Copies a matrix (rows × width) of “{file.name}” into a store to train on.",
            "Import",
        )
        self._file = file
        taken = [s.name for s in session.inventory.stores]
        safe = "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "-" for c in file.stem)
        self.name = self.add_name(free_name(safe.strip("-_") or "imported", taken), taken)
        self.dataset = QLineEdit()
        self.dataset.setPlaceholderText("the only one in the file")
        self.add_row("Dataset", self.dataset, "Which tensor or dataset, if there are several")
        self.site = QLineEdit("imported")
        self.add_row("Site", self.site, "Where in the model the activations were taken")
        self.dtype = QComboBox()
        self.dtype.addItems(["float32", "float16"])
        self.add_row("Stored as", self.dtype, "16 bit halves the disk space")

    def config(self) -> ImportActivationsConfig:
        return ImportActivationsConfig(
            project=self.session.project_path,
            name=self.name.text(),
            file=str(self._file),
            dataset=self.dataset.text().strip(),
            site=self.site.text().strip() or "imported",
            dtype="float16" if self.dtype.currentText() == "float16" else "float32",
        )

    def accept(self) -> None:
        self.session.run(self.config())
        super().accept()
