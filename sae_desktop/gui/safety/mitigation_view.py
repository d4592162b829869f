"""What happens when a monitor fires: set at the left, put to the test, and told at the right."""

from __future__ import annotations

from typing import Any

import msgspec
from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QHBoxLayout,
    QHeaderView,
    QScrollArea,
    QSplitter,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from sae_desktop.engine.protocol import JobProgress
from sae_desktop.gui.parts.copy_code import copy_code_button
from sae_desktop.gui.parts.labels import label, push_button
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.parts.terms import explain, set_heads
from sae_desktop.gui.safety.figure_table import FigureTable
from sae_desktop.gui.safety.mitigation_form import MitigationForm
from sae_desktop.gui.safety.trade_plot import TradePlot
from sae_desktop.gui.state.asked_job import AskedJob
from sae_desktop.gui.state.session import Session
from sae_desktop.safety.mitigation.config import MitigateConfig, MitigateResult
from sae_desktop.safety.monitors.file import Monitor
from sae_desktop.words.job_text import progress_text
from sae_desktop.words.mitigation_text import (
    SEARCH_NOTE,
    outcome_table,
    search_text,
    trade_points,
    verdict_text,
)

_EMPTY = (
    "A monitor can do more than raise an alarm: where it fires, the model can be steered or the "
    "text ended. Choose at the left what is to happen and after which prompts. The test writes "
    "with the model as it is, under the condition, without the condition and on a random one; "
    "measures the cost on ordinary text; and then searches for prompts that win the behaviour back."
)
_MOST_ROWS = 6


class MitigationView(QWidget):
    """The form, the button and the last result of each monitor, which is kept with the project."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.setObjectName("safety.mitigation")
        self._session = session
        self._monitor: Monitor | None = None
        self._results: dict[str, tuple[MitigateConfig, MitigateResult]] = {}
        self._asked_for = ""
        self.asked = AskedJob(session, self)
        self.form = MitigationForm(session)
        self.run_button = push_button("Run the test", self.run, icon="flask", primary=True)
        self.cancel_button = push_button("Cancel", self.asked.cancel)
        self.state = label("", "small", wrap=True)
        self.missing = label("", "small", wrap=True)
        self.empty = label(_EMPTY, "muted", wrap=True)
        self.verdict = label("", wrap=True, selectable=True)
        self.table = FigureTable("Outcomes of the ways of steering")
        self.plot = TradePlot()
        self.notes = label("", "small", wrap=True, selectable=True)
        self.searched = label("", wrap=True, selectable=True)
        self.found = _tree(("Searched prompt", "Against", "Won by", "Tries", "What was put in"))
        self.examples = _tree(("Prompt", "As it is", "When it fires"))
        self._build()
        self.form.changed.connect(self._show_buttons)
        self.asked.busyChanged.connect(self._on_busy)
        self.asked.answered.connect(self._on_answered)
        session.client.stateChanged.connect(lambda _state: self._show_buttons())
        session.projectChanged.connect(self._results.clear)
        session.place.add(self, self._kept, self._give)
        self._on_busy(False)
        self._show(None)

    def _build(self) -> None:
        left = QWidget()
        column = QVBoxLayout(left)
        column.setContentsMargins(0, 0, 0, 8)
        column.setSpacing(8)
        column.addWidget(self.form, 1)
        self.missing.setContentsMargins(16, 0, 12, 0)
        column.addWidget(self.missing)
        row = QHBoxLayout()
        row.setContentsMargins(16, 0, 12, 0)
        row.addWidget(self.run_button)
        row.addWidget(copy_code_button(self._session, self._to_copy))
        row.addWidget(self.cancel_button)
        row.addStretch(1)
        column.addLayout(row)
        inner = QWidget()
        column = QVBoxLayout(inner)
        column.setContentsMargins(12, 12, 16, 16)
        column.setSpacing(8)
        self._searched = label("Won back", "heading")
        self._examples = label("Before and after", "heading")
        explain(self._searched, "Adaptive test")
        for widget in (
            self.state, self.empty, self.verdict, self.table, self.plot, self.notes,
            self._searched, self.searched, self.found, self._examples, self.examples,
        ):  # fmt: skip
            column.addWidget(widget)
        column.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidget(inner)
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setAccessibleName("What the test found")
        split = QSplitter()
        split.addWidget(left)
        split.addWidget(scroll)
        split.setStretchFactor(1, 1)
        split.setChildrenCollapsible(False)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(split)

    # ------------------------------------------------------------------ what is shown
    def show_monitor(self, monitor: Monitor) -> None:
        """Show a monitor's form, and the last result that it had."""
        self._monitor = monitor
        self.form.show_monitor(monitor)
        self._show_last()

    def _show_last(self) -> None:
        """Show the last result of the monitor, and fill the form with what was asked for it."""
        found = self._results.get(self._monitor.name) if self._monitor is not None else None
        if found is not None:
            self.form.fill(found[0])
        self._show(found)

    def _show(self, found: tuple[MitigateConfig, MitigateResult] | None) -> None:
        parts = (self.verdict, self.table, self.plot, self.notes, self._searched, self.searched,
                 self.found, self._examples, self.examples)  # fmt: skip
        for widget in parts:
            widget.setVisible(found is not None)
        self.empty.setVisible(found is None and not self.asked.busy)
        if found is None:
            return
        config, result = found
        self.verdict.setText(verdict_text(result))
        told = outcome_table(result.outcomes)
        self.table.set_heads(told.heads)
        self.table.set_rows(told.rows, strong_column=2, tips=told.tips)
        self.plot.show_points(trade_points(result.outcomes))
        self.notes.setText("\n".join(result.notes))
        self.notes.setVisible(bool(result.notes))
        lines = [search_text(one, config.tries) for one in result.searched]
        self.searched.setText("\n".join([*lines, SEARCH_NOTE] if lines else []))
        rows = [
            (one.prompt, searched.way, one.by or "not won back", str(one.tries), one.found)
            for searched in result.searched
            for one in searched.attacks
        ]
        _fill(self.found, rows)
        _fill(self.examples, result.examples)
        for widget in (self._searched, self.searched, self.found):
            widget.setVisible(bool(rows))
        for widget in (self._examples, self.examples):
            widget.setVisible(bool(result.examples))

    # ------------------------------------------------------------------ running
    def run(self) -> None:
        """Run the test that the form says."""
        if not self.run_button.isEnabled() or self._monitor is None:
            return
        self._asked_for = self._monitor.name
        if self.asked.ask(self.form.config()):
            job = self.asked.job
            assert job is not None
            self._config = job.config
            job.progressed.connect(self._on_progress)

    def _to_copy(self) -> MitigateConfig | None:
        complete = self._monitor is not None and not self.form.why_not()
        return self.form.config() if complete else None

    def _on_progress(self, progress: JobProgress) -> None:
        self.state.setText(progress_text("running", progress))

    def _on_busy(self, busy: bool) -> None:
        self.state.setText("Reading the model…" if busy else "")
        self.state.setVisible(busy)
        self._show_buttons()

    def _on_answered(self, result: MitigateResult) -> None:
        self._results[self._asked_for] = (self._config, result)  # type: ignore[assignment]
        if self._monitor is not None and self._monitor.name == self._asked_for:
            self._show(self._results[self._asked_for])

    def _show_buttons(self) -> None:
        missing = self.form.why_not()
        self.missing.setText(missing)
        self.missing.setVisible(bool(missing))
        ready = self._monitor is not None and not missing and not self.asked.busy
        self.run_button.setEnabled(ready and not self._session.engine_stopped)
        self.run_button.setToolTip(
            plain_tip(missing or "Write, measure the cost, and try to win it back")
        )
        self.cancel_button.setVisible(self.asked.busy)

    def rename(self, name: str, new: str) -> None:
        """Keep the result of a monitor under its new name."""
        if name in self._results:
            self._results[new] = self._results.pop(name)
        if self._asked_for == name:
            self._asked_for = new

    # ------------------------------------------------------------------ kept with the project
    def _kept(self) -> dict[str, Any]:
        return {
            name: [msgspec.to_builtins(config), msgspec.to_builtins(result)]
            for name, (config, result) in self._results.items()
        }

    def _give(self, kept: dict[str, Any]) -> None:
        for name, (config, result) in kept.items():
            asked = msgspec.convert(config, MitigateConfig)
            self._results[name] = asked, msgspec.convert(result, MitigateResult)
        self._show_last()


def _tree(heads: tuple[str, ...]) -> QTreeWidget:
    tree = QTreeWidget()
    set_heads(tree, heads)
    tree.setRootIsDecorated(False)
    tree.setAlternatingRowColors(False)
    tree.setTextElideMode(Qt.TextElideMode.ElideMiddle)
    tree.setAccessibleName(heads[0])
    tree.header().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
    return tree


def _fill(tree: QTreeWidget, rows: list[Any]) -> None:
    tree.clear()
    for row in rows:
        item = QTreeWidgetItem([" ".join(str(cell).split()) for cell in row])
        for column, cell in enumerate(row):
            item.setToolTip(column, plain_tip(str(cell)))
        tree.addTopLevelItem(item)
    line = tree.fontMetrics().height() + 8
    tree.setFixedHeight((min(len(rows), _MOST_ROWS) + 1) * line + 8)
