"""A dictionary's figures beside those of random directions."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QScrollArea, QVBoxLayout, QWidget

from sae_desktop.gui.parts.elided_label import ElidedLabel
from sae_desktop.gui.parts.labels import label, push_button
from sae_desktop.gui.parts.terms import explain
from sae_desktop.training.config import EvaluateResult
from sae_desktop.words.evaluation_figures import evaluation_rows, evaluation_text, verdict
from sae_desktop.words.inventory import DictionaryItem
from sae_desktop.words.start_words import started_sentence

_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


class EvaluationView(QScrollArea):
    """The evaluation of one run; without one, a button that makes it."""

    def __init__(self, evaluate: Callable[[], object]) -> None:
        super().__init__()
        self.setObjectName("evaluation")
        self.setAccessibleName("Evaluation")
        self.setWidgetResizable(True)
        self.name = ElidedLabel()
        self.name.setProperty("role", "heading")
        self.text = label("", "muted", wrap=True)
        self.started = label("", wrap=True, selectable=True)
        self.warning = label("", "warning", wrap=True)
        self.button = push_button("Evaluate…", evaluate, icon="ruler")
        self._table = QWidget()
        self.grid = QGridLayout(self._table)
        self.grid.setContentsMargins(0, 4, 0, 4)
        self.grid.setHorizontalSpacing(16)
        self.grid.setVerticalSpacing(4)
        self.grid.setColumnStretch(0, 1)
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(8, 8, 8, 8)
        column.setSpacing(8)
        for widget in (self.name, self.started, self.text, self.warning, self._table):
            column.addWidget(widget)
        column.addWidget(self.button, 0, Qt.AlignmentFlag.AlignLeft)
        column.addStretch(1)
        self.setWidget(page)
        self.show_run(None, writable=False)

    def show_run(self, item: DictionaryItem | None, *, writable: bool) -> None:
        """Show the figures of a run, and what it made of the dictionary it started from."""
        summary = item.summary if item is not None else None
        found = summary.evaluation if summary is not None else None
        self.started.setText(started_sentence(summary.started_from if summary else None))
        self.started.setVisible(bool(self.started.text()))
        possible = summary is not None and writable
        self.show_evaluation(item.name if item else "", found, possible=possible)

    def show_evaluation(self, name: str, found: EvaluateResult | None, *, possible: bool) -> None:
        """Show the figures of a run; `possible`: whether it can be evaluated now."""
        self.name.setText(name)
        self.name.setVisible(bool(name))
        self.button.setVisible(bool(name))
        self.button.setEnabled(possible)
        self.button.setText("Evaluate…" if found is None else "Evaluate again…")
        while self.grid.count():
            item = self.grid.takeAt(0)
            widget = item.widget() if item is not None else None
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        self._table.setVisible(found is not None)
        self.warning.setText(verdict(found) if found else "")
        self.warning.setVisible(bool(self.warning.text()))
        if found is None:
            self.text.setText(
                "Not evaluated yet. An evaluation gives figures on held-out rows, next to "
                "those of random directions."
                if name
                else "Figures for the run selected below."
            )
            return
        self.text.setText(evaluation_text(found))
        for column, title in enumerate(("", "this", "random")):
            self.grid.addWidget(label(title, "small"), 0, column, _RIGHT)
        for place, row in enumerate(evaluation_rows(found), start=1):
            what = label(row.title, "muted")
            self.grid.addWidget(what, place, 0)
            value = label(row.value, "figure", selectable=True)
            control = label(row.control, selectable=True)
            explain(value, row.title)
            explain(control, row.title, "Random control")
            self.grid.addWidget(value, place, 1, _RIGHT)
            self.grid.addWidget(control, place, 2, _RIGHT)
