"""The tab of benchmarks: makes them, and shows one of them as a table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QSignalBlocker
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QHBoxLayout,
    QScrollArea,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from sae_desktop.benchmark.config import BenchmarkConfig, BenchmarkResult, SyntheticConfig
from sae_desktop.errors import UserError
from sae_desktop.gui.parts.elided_combo import ElidedComboBox
from sae_desktop.gui.parts.empty_state import EmptyState
from sae_desktop.gui.parts.job_list import JobRow
from sae_desktop.gui.parts.labels import label, line, push_button
from sae_desktop.gui.state.save_file import ask_file
from sae_desktop.gui.state.session import Session
from sae_desktop.gui.state.trash import Trash
from sae_desktop.gui.train.benchmark_forms import BenchmarkForm, SyntheticForm
from sae_desktop.gui.train.benchmark_table import BenchmarkTable, figures_content, tasks_content
from sae_desktop.words.benchmark_words import headline, notes

if TYPE_CHECKING:
    from sae_desktop.client.job import Job

_FIRST = (
    "A benchmark says how good dictionaries are: what they rebuild, what a few features tell of "
    "texts, which features return from another seed. Dictionaries that learnt nothing stand beside "
    "them, so that one sees what the figures are worth. It takes some minutes on a small model."
)
_NO_DICTIONARY = (
    "A benchmark measures dictionaries, and the project has none yet. On made data, whose features "
    "are known, one can be trained and measured without any."
)
_FIGURES = "All figures"


class Benchmarks(QWidget):
    """Starts benchmarks, and shows one of them."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.setObjectName("train.benchmarks")
        self.setAccessibleName("Benchmarks")
        self._session = session
        self.result: BenchmarkResult | None = None
        self.architectures: list[str] = []
        """The names of those there are, once the engine has told."""
        self.chooser = ElidedComboBox(12)
        self.chooser.setAccessibleName("Benchmark that is shown")
        self.view = QComboBox()
        self.view.setAccessibleName("What is shown of the benchmark")
        self.seeds = QCheckBox("Each seed")
        self.seeds.setToolTip("Show the dictionaries of a recipe one by one, too")
        self.new_button = push_button(
            "Measure…", self.start, icon="ruler", tip="Measure dictionaries of the project"
        )
        self.made_button = push_button(
            "Made data…", self.start_synthetic, icon="flask",
            tip="Train on activations made from known features, and see which are found",
        )  # fmt: skip
        self.export_button = push_button(
            "Export…", self.export, icon="export", tip="Save as CSV or JSON"
        )
        self.delete_button = push_button(
            "Delete", self.delete, icon="trash", tip="Move the benchmark to the trash"
        )
        self.headline = label("", wrap=True)
        self.table = BenchmarkTable()
        self.notes = label("", "muted", wrap=True, selectable=True)
        self.first = EmptyState(_FIRST, "Measure dictionaries…", self.start, icon="ruler")
        self.lacking = EmptyState(
            _NO_DICTIONARY, "Train on made data…", self.start_synthetic, icon="flask"
        )
        self._job_place = QVBoxLayout()
        self._build()
        self.chooser.currentTextChanged.connect(self.open)
        self.view.currentIndexChanged.connect(self._show_content)
        self.seeds.toggled.connect(self._show_content)
        session.contentsChanged.connect(self.refresh)
        session.projectChanged.connect(self.refresh)
        session.client.jobAdded.connect(self._on_job_added)
        self.refresh()

    def _build(self) -> None:
        self._head = QWidget()
        rows = QVBoxLayout(self._head)
        rows.setContentsMargins(8, 8, 8, 4)
        rows.setSpacing(4)
        which, what = QHBoxLayout(), QHBoxLayout()
        for row in (which, what):
            row.setSpacing(8)
            rows.addLayout(row)
        which.addWidget(self.chooser, 1)
        which.addStretch(0)
        which.addWidget(self.made_button)
        which.addWidget(self.new_button)
        what.addWidget(self.view)
        what.addWidget(self.seeds)
        what.addStretch(1)
        what.addWidget(self.export_button)
        what.addWidget(self.delete_button)
        self._job_place.setContentsMargins(8, 4, 8, 4)
        below = QWidget()
        text = QVBoxLayout(below)
        text.setContentsMargins(8, 4, 8, 8)
        text.addWidget(self.notes)
        text.addStretch(1)
        self._below = QScrollArea()
        self._below.setWidgetResizable(True)
        self._below.setWidget(below)
        self._below.setAccessibleName("What the figures are of")
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        above = QHBoxLayout()
        above.setContentsMargins(8, 4, 8, 4)
        above.addWidget(self.headline)
        column.addLayout(above)
        column.addWidget(self.table, 3)
        column.addWidget(self._below, 2)
        self._stack = QStackedWidget()
        for widget in (self.lacking, self.first, page):
            self._stack.addWidget(widget)
        self._page = page
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        whole.addWidget(self._head)
        whole.addLayout(self._job_place)
        whole.addWidget(line())
        whole.addWidget(self._stack, 1)

    # ------------------------------------------------------------------ which one
    def refresh(self) -> None:
        """List the benchmarks again."""
        project = self._session.project
        names = [] if project is None else project.benchmarks()
        shown = self.chooser.currentText()
        if names != [self.chooser.itemText(n) for n in range(self.chooser.count())]:
            with QSignalBlocker(self.chooser):
                self.chooser.clear()
                self.chooser.addItems(names)
                self.chooser.setCurrentIndex(names.index(shown) if shown in names else 0)
            self.open(self.chooser.currentText())
        self._show()

    def open(self, name: str) -> None:
        """Show a benchmark of the project; errors become toasts. Of one that is gone, nothing."""
        # h5py: the window is shown before it is there
        from sae_desktop.benchmark.benchmark_file import read_benchmark

        project = self._session.project
        if name and (project is None or name not in project.benchmarks()):
            return
        self.result = None
        if project is not None and name:
            try:
                self.result = read_benchmark(project, name).result
            except UserError as error:
                self._session.show_error(error)
            place = self.chooser.findText(name)
            with QSignalBlocker(self.chooser):
                self.chooser.setCurrentIndex(place)
        with QSignalBlocker(self.view):
            self.view.clear()
            self.view.addItem(_FIGURES, "")
            for k in [] if self.result is None or not self.result.tasks else _ks(self.result):
                self.view.addItem(f"Datasets, k = {k}", k)
        self._show_content()
        self._show()

    def _show_content(self, _changed: object = None) -> None:
        result = self.result
        if result is None:
            return
        k = str(self.view.currentData() or "")
        content = tasks_content(result, k) if k else figures_content(
            result, seeds=self.seeds.isChecked()
        )  # fmt: skip
        self.table.show_content(content)
        self.seeds.setEnabled(not k)
        self.headline.setText(headline(result))
        self.notes.setText("\n".join(notes(result)))

    def _show(self) -> None:
        has, listed = self.result is not None, self.chooser.count() > 0
        can = bool(self._session.inventory.dictionaries)
        self._head.setVisible(listed or can)
        of_one = (self.chooser, self.view, self.seeds, self.export_button, self.delete_button)
        for field in of_one:
            field.setVisible(listed)
        self.new_button.setEnabled(can)
        self.export_button.setEnabled(has)
        self.delete_button.setEnabled(listed)
        page = self._page if has else self.first if can else self.lacking
        self._stack.setCurrentWidget(page)
        self.setFocusProxy(self.table if has else (self.first if can else self.lacking).button)

    # ------------------------------------------------------------------ making one
    def start(self) -> BenchmarkForm | None:
        """Ask what is to be measured, and measure it."""
        if self._session.project is None:
            return None
        form = BenchmarkForm(self._session)
        form.accepted.connect(lambda: self._session.run(form.config()))
        form.present(self)
        return form

    def start_synthetic(self) -> SyntheticForm | None:
        """Ask what is to be trained on made data, and train it."""
        if self._session.project is None:
            return None
        form = SyntheticForm(self._session, self.architectures)
        form.accepted.connect(lambda: self._session.run(form.config()))
        form.present(self)
        return form

    def _on_job_added(self, job: Job) -> None:
        """Follow a benchmark, whoever started it."""
        if not isinstance(job.config, BenchmarkConfig | SyntheticConfig):
            return
        if not self._session.is_here(job):
            return
        row = JobRow(job, self._session)
        self._job_place.addWidget(row)
        job.finished.connect(lambda result: self._on_finished(row, result))
        job.cancelled.connect(lambda _message: self._remove(row))
        job.failed.connect(lambda _error: self._remove(row))

    def _on_finished(self, row: JobRow, result: object) -> None:
        self._remove(row)
        self.refresh()
        self.open(getattr(result, "name", ""))

    def _remove(self, row: JobRow) -> None:
        self._job_place.removeWidget(row)
        row.hide()
        row.deleteLater()

    # ------------------------------------------------------------------ what is done with one
    def export(self) -> None:
        """Save the benchmark as CSV or JSON."""
        from sae_desktop.exchange.benchmark_export import export_benchmark

        if self.result is None:
            return
        first = Path.home() / f"{self.result.name}.csv"
        kinds = "Table (*.csv);;All of it (*.json)"
        chosen = ask_file(self, "Export the benchmark", first, kinds)
        if chosen is None:
            return
        path = chosen.path
        try:
            export_benchmark(self.result, path)
        except UserError as error:
            self._session.show_error(error)
            return
        self._session.notify(f"“{path.name}” was saved.")

    def delete(self) -> None:
        """Move the benchmark to the trash; that can be undone."""
        name = self.chooser.currentText()
        if name and self._session.refusal is not None:
            self._session.show_error(self._session.refusal)
        elif name:
            Trash(self._session).delete("benchmark", name)


def _ks(result: BenchmarkResult) -> list[str]:
    return list(result.tasks[0].raw_by_k)
