"""What a monitor promises, what it catches beside the cheap ways, and how texts score."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QScrollArea, QVBoxLayout, QWidget

from sae_desktop.gui.parts.labels import label
from sae_desktop.gui.parts.terms import explain
from sae_desktop.gui.safety.figure_table import FigureTable
from sae_desktop.gui.safety.score_plot import ScorePlot
from sae_desktop.gui.state.background import Background
from sae_desktop.gui.state.session import Session
from sae_desktop.safety.monitors.file import (
    NEGATIVES,
    POSITIVES,
    SCORES,
    Monitor,
    kept_scores,
)
from sae_desktop.words.monitor_text import (
    POWER_HEADS,
    plain_promise,
    power_rows,
    promise_text,
    winner_text,
)

Array = npt.NDArray[Any]
_KINDS = ((SCORES, "Ordinary text"), (NEGATIVES, "Near misses"), (POSITIVES, "Of the concept"))


class PromiseView(QScrollArea):
    """Reads from the top down: the promise, who catches most, the scores, the fine print."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._reading = Background(self)
        self._reading.answered.connect(self._on_read)
        self._monitor: Monitor | None = None
        self.promise = label("", wrap=True, selectable=True)
        self.winner = label("", wrap=True, selectable=True)
        self.table = FigureTable("What it catches beside cheaper ways", POWER_HEADS)
        self.plot = ScorePlot()
        self.more = label("", "small", wrap=True, selectable=True)
        power = label("What it catches", "heading")
        explain(power, "Power")
        self._power = power
        promise = label("Promise", "heading")
        explain(promise, "False-positive rate")
        self._scores = label("How texts score", "heading")
        page = QWidget()
        page.setMaximumWidth(900)
        column = QVBoxLayout(page)
        column.setContentsMargins(16, 12, 16, 16)
        column.setSpacing(8)
        for widget in (promise, self.promise, power, self.winner, self.table, self._scores,
                       self.plot, self.more):  # fmt: skip
            column.addWidget(widget)
        column.addStretch(1)
        outer = QWidget()
        row = QHBoxLayout(outer)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(page, 1)
        row.addStretch(0)
        self.setWidget(outer)
        self.setWidgetResizable(True)
        self.setFrameShape(self.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName("What the monitor promises and catches")

    def show_monitor(self, monitor: Monitor) -> None:
        """Show another monitor, or the same that was calibrated again."""
        self._monitor = monitor
        self.promise.setText(plain_promise(monitor.promise, monitor.threshold))
        self.winner.setText(winner_text(monitor.power))
        rows, best = power_rows(monitor.power)
        self.table.set_rows(rows, best)
        self.table.setVisible(bool(rows))
        self.more.setText("\n".join([promise_text(monitor.promise), *monitor.notes]))
        self._show_scores({})
        project = self._session.project
        if project is not None:
            self._reading.run(monitor.tensors, lambda: kept_scores(project, monitor))

    def _on_read(self, answer: tuple[object, dict[str, Array]]) -> None:
        if self._monitor is not None and answer[0] == self._monitor.tensors:
            self._show_scores(answer[1])

    def _show_scores(self, scores: dict[str, Array]) -> None:
        monitor = self._monitor
        kinds = [(title, scores[name]) for name, title in _KINDS if name in scores]
        self.plot.show_scores(kinds, monitor.threshold if monitor is not None else 0.0)
        self._scores.setVisible(self.plot.isVisibleTo(self))
