"""The forms of benchmarks: which dictionaries are measured, and what is trained on made data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QWidget,
)

from sae_desktop.benchmark.config import BenchmarkConfig, SyntheticConfig
from sae_desktop.described import default, setting
from sae_desktop.gui.forms.job_forms import JobForm, free_name
from sae_desktop.gui.parts.check_rows import row_size
from sae_desktop.gui.parts.field_ranges import least_count
from sae_desktop.gui.parts.labels import label, push_button
from sae_desktop.gui.parts.more_button import MoreButton
from sae_desktop.gui.parts.number_fields import DecimalField, NumberField, WholeField
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.state.session import Session
from sae_desktop.words.amounts import exact_count
from sae_desktop.words.architecture_titles import architecture_title
from sae_desktop.words.benchmark_words import synthetic_cost

_MEASURES = (
    "A benchmark measures dictionaries on the same held-out rows and texts: what they rebuild, "
    "what a few features tell of texts, and which features return from other seeds. Random "
    "directions and principal components, which learnt nothing, stand beside them."
)
_TRAINS = (
    "Trains on activations that are made from known features (SynthSAEBench), so that one can say "
    "which of them a dictionary has found. The dictionaries are measured and not kept."
)
_RARE = ("rows", "loss_windows", "control_seeds", "texts", "text_tokens", "words")
_RARE_OF_TRAINING = (
    "features", "k", "k_start", "batch", "lista_step", "leave_one_out", "lr", "measured",
)  # fmt: skip
_ZERO_IS_USUAL = ("features", "k", "k_start", "lr")
_MOST, _MOST_DECIMAL = 10**9, 1.0
_SIZES = ((2_000_000, "2 million"), (20_000_000, "20 million"), (200_000_000, "200 million"))
_WORLDS = (("full", "Full: 16,384 features"), ("small", "Small: 2,048 features"))


class CheckList(QListWidget):
    """Names with boxes."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.setAccessibleName(name)
        self.setTabKeyNavigation(False)
        self.setUniformItemSizes(True)
        line = row_size(self).height()
        self.setMinimumHeight(4 * line)
        self.setMaximumHeight(6 * line)

    def add(self, title: str, name: str, on: bool) -> None:
        with QSignalBlocker(self):
            item = QListWidgetItem(title)
            item.setData(Qt.ItemDataRole.UserRole, name)
            item.setSizeHint(row_size(self))
            item.setToolTip(plain_tip(name if name != title else ""))
            item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
            item.setCheckState(Qt.CheckState.Checked if on else Qt.CheckState.Unchecked)
            self.addItem(item)
            if self.currentRow() < 0:
                self.setCurrentRow(0)

    def checked(self) -> list[str]:
        """Return the names of what is checked, in order."""
        items = [self.item(number) for number in range(self.count())]
        return [
            str(item.data(Qt.ItemDataRole.UserRole))
            for item in items
            if item.checkState() == Qt.CheckState.Checked
        ]


class _BenchmarkForm(JobForm):
    """What both forms have: a name, a list to check, settings one seldom changes."""

    def _begin(self, wanted: str) -> None:
        self.resize(560, 0)
        project = self.session.project
        taken = [] if project is None else project.benchmarks()
        self.name = self.add_name(free_name(wanted, taken), taken)

    def _add_rare(self, config: type[msgspec.Struct], fields: Sequence[str]) -> None:
        self.rare: dict[str, NumberField] = {}
        self._rare = QWidget()
        grid = QGridLayout(self._rare)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(6)
        for number, name in enumerate(fields):
            told = setting(config, name)
            usual = default(config, name)
            field: NumberField
            if isinstance(usual, float):
                field = DecimalField(usual, _MOST_DECIMAL, 6)
            else:
                field = WholeField(usual, least_count(config, name), _MOST)
            field.setAccessibleName(told.title)
            field.setToolTip(plain_tip(told.description))
            field.problemChanged.connect(
                lambda problem, field=field: self.say_problem(problem, field)
            )
            title = label(told.title)
            title.setToolTip(plain_tip(told.description))
            title.setBuddy(field)
            row, column = divmod(number, 2)
            grid.addWidget(title, row, 2 * column)
            grid.addWidget(field, row, 2 * column + 1)
            if name in _ZERO_IS_USUAL:
                field.setSpecialValueText("usual")
            self.rare[name] = field
        self.more = MoreButton(self._rare, "settings of the benchmark")
        self.add_below(self.more)
        self.add_below(self._rare)

    def _rare_values(self) -> dict[str, Any]:
        return {name: field.value() for name, field in self.rare.items()}


class BenchmarkForm(_BenchmarkForm):
    """Measures dictionaries of the project."""

    def __init__(self, session: Session) -> None:
        super().__init__(session, "Measure dictionaries", _MEASURES, "Measure")
        self._begin("benchmark")
        self.dictionaries = CheckList("Dictionaries")
        self.add_setting(BenchmarkConfig, "dictionaries", self.dictionaries)
        first = session.dictionary
        items = session.inventory.dictionaries
        for item in items:
            summary = item.summary
            if summary is None:
                continue
            told = f"{item.name} · {exact_count(summary.features)} features · {summary.site}"
            self.dictionaries.add(told, item.name, item.name == (first or items[0].name))
        others = setting(BenchmarkConfig, "siblings")
        self.siblings = QCheckBox(others.title)
        self.siblings.setChecked(True)
        self.add_row("", self.siblings, others.description)
        self.siblings.setAccessibleName(others.title)
        self.store = QComboBox()
        self.store.addItem("the one it was trained on", "")
        for store in session.inventory.stores:
            self.store.addItem(store.name, store.name)
        self.add_setting(BenchmarkConfig, "activations", self.store)
        self.labelled = QLineEdit()
        self.labelled.setPlaceholderText("none: the built-in texts alone")
        choose = push_button(
            "Choose…", self._choose_file, tip="A file with the columns text and label"
        )
        beside = QWidget()
        row = QHBoxLayout(beside)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        row.addWidget(self.labelled, 1)
        row.addWidget(choose)
        self.add_setting(BenchmarkConfig, "labelled", beside)
        self.labelled.setAccessibleName(setting(BenchmarkConfig, "labelled").title)
        self._add_rare(BenchmarkConfig, _RARE)
        self.dictionaries.itemChanged.connect(self._check)
        self.store.currentIndexChanged.connect(self._check)
        self.labelled.textChanged.connect(self._check)
        self._check()

    def _choose_file(self) -> None:
        pattern = "Labelled texts (*.csv *.tsv *.jsonl *.json *.parquet)"
        chosen, _ = QFileDialog.getOpenFileName(self, "Labelled texts", "", pattern)
        if chosen:
            self.labelled.setText(chosen)

    def _check(self, *_changed: object) -> None:
        names = self.dictionaries.checked()
        self.say_problem("" if names else "Check a dictionary.", self.dictionaries)
        self.say_problem(self._store_problem(names), self.store)
        file = self.labelled.text().strip()
        missing = bool(file) and not Path(file).expanduser().is_file()
        self.say_problem(f"There is no file “{file}”." if missing else "", self.labelled)

    def _store_problem(self, names: Sequence[str]) -> str:
        """Return why the first dictionary has no rows to be measured on; empty: it has."""
        if not names or self.store.currentData():
            return ""
        item = self.session.inventory.dictionary(names[0])
        trained = item.train.activations if item is not None and item.train is not None else ""
        if any(store.name == trained for store in self.session.inventory.stores):
            return ""
        return f"The store that “{names[0]}” was trained on is not there: choose another one."

    def config(self) -> BenchmarkConfig:
        file = self.labelled.text().strip()
        return BenchmarkConfig(
            project=self.session.project_path, name=self.name.text().strip(),
            dictionaries=tuple(self.dictionaries.checked()), siblings=self.siblings.isChecked(),
            activations=self.store.currentData() or "", labelled=(file,) if file else (),
            **self._rare_values(),
        )  # fmt: skip


class SyntheticForm(_BenchmarkForm):
    """Trains on synthetic activations."""

    def __init__(self, session: Session, architectures: Sequence[str]) -> None:
        """`architectures`: the names of those there are, once the engine has told."""
        super().__init__(session, "Train on made data", _TRAINS, "Train and measure")
        self._begin("synthetic")
        usual = default(SyntheticConfig, "architectures")
        self.architectures = CheckList("Architectures")
        self.add_setting(SyntheticConfig, "architectures", self.architectures)
        for name in architectures or usual:
            self.architectures.add(architecture_title(name), name, name in usual)
        self.world = QComboBox()
        for value, text in _WORLDS:
            self.world.addItem(text, value)
        self.add_setting(SyntheticConfig, "world", self.world)
        self.sizes = QComboBox()
        for count, text in _SIZES:
            self.sizes.addItem(text, count)
        self.sizes.addItem("another number", 0)
        self.add_setting(SyntheticConfig, "samples", self.sizes)
        self.samples = WholeField(default(SyntheticConfig, "samples"), 1, _MOST)
        self.add_row("Another number", self.samples, "How many samples")
        self.seeds = WholeField(default(SyntheticConfig, "seeds"), 1, 100)
        self.add_setting(SyntheticConfig, "seeds", self.seeds)
        self._add_rare(SyntheticConfig, _RARE_OF_TRAINING)
        self.cost = label("", "muted", wrap=True)
        self.add_below(self.cost)
        self.architectures.itemChanged.connect(self._check)
        self.sizes.currentIndexChanged.connect(self._check)
        self.world.currentIndexChanged.connect(self._check)
        for field in (self.samples, self.seeds, *self.rare.values()):
            field.valueChanged.connect(self._check)
        self._check()

    def _check(self, *_changed: object) -> None:
        names = self.architectures.checked()
        self.say_problem("" if names else "Check an architecture.", self.architectures)
        other = not self.sizes.currentData()
        self.form.setRowVisible(self.samples, other)
        self.cost.setText(synthetic_cost(self.config()))

    def config(self) -> SyntheticConfig:
        return SyntheticConfig(
            project=self.session.project_path, name=self.name.text().strip(),
            architectures=tuple(self.architectures.checked()), world=self.world.currentData(),
            samples=self.sizes.currentData() or int(self.samples.value()),
            seeds=int(self.seeds.value()), **self._rare_values(),
        )  # fmt: skip
