"""Loss against compute of a sweep's runs, the fitted law, and the best run of a budget."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

import pyqtgraph as pg
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QVBoxLayout, QWidget

from sae_desktop.errors import UserError
from sae_desktop.gui.parts import theme
from sae_desktop.gui.parts.labels import label, push_button, set_property
from sae_desktop.gui.parts.plot_image import image_button
from sae_desktop.gui.parts.plot_style import curve_pen, dress, log_log_view, run_colour
from sae_desktop.gui.state.background import Background
from sae_desktop.training.sweeps.scaling_report import ScalingReport, SeriesReport, scaling_report
from sae_desktop.training.sweeps.sweep_config import SweepRow
from sae_desktop.words.curve_files import as_table
from sae_desktop.words.number_reading import NotANumberError, read_number
from sae_desktop.words.scaling_text import (
    default_budget,
    law_line,
    law_text,
    optimum_text,
    series_name,
)

_SIZE, _FRONT_SIZE = 7, 10
_BUDGET_WIDTH = 110


class ScalingPlot(QWidget):
    """Fits beside the window, whenever a run of the sweep is done."""

    def __init__(self) -> None:
        super().__init__()
        self._done: list[SweepRow] = []
        self._report: ScalingReport | None = None
        self._fit = Background(self)
        self._fit.answered.connect(self._on_fitted)
        self._fit.refused.connect(self._on_refused)
        self.view = log_log_view("Loss against compute", "compute (features × steps)", "loss")
        self.plot = self.view.getPlotItem()
        self._items: list[pg.GraphicsObject] = []
        self._sentence = label("", "muted", wrap=True)
        self._sentence.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._laws = QLabel()
        self._laws.setTextFormat(Qt.TextFormat.RichText)
        self._laws.setWordWrap(True)
        self._laws.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.budget = QLineEdit()
        self.budget.setFixedWidth(_BUDGET_WIDTH)
        self.budget.setAccessibleName("Budget in features × steps")
        self.budget.textChanged.connect(self._say)
        self._head = QWidget()
        row = QHBoxLayout(self._head)
        row.setContentsMargins(8, 4, 8, 4)
        row.setSpacing(8)
        row.addWidget(label("Budget (features × steps)", "small"))
        row.addWidget(self.budget)
        row.addStretch(1)
        row.addWidget(image_button(self.view, "scaling"))
        row.addWidget(push_button("Copy data", self.copy_data, flat=True))
        self._laws.setContentsMargins(8, 0, 8, 4)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._head)
        column.addWidget(self._laws)
        column.addWidget(self._sentence, 1)
        column.addWidget(self.view, 1)
        theme.manager().themeChanged.connect(self._draw)
        self.show_sweep("", [])

    def show_sweep(self, name: str, rows: Sequence[SweepRow]) -> None:
        """Fit the laws of a sweep's finished runs; without a name, say how to get one."""
        done = [row for row in rows if row.state == "done"]
        if name and done and done == self._done:
            return
        self._done, self._report = done, None
        if not name:
            self._tell("Choose a sweep in the table below to fit a law to its runs.")
        elif not done:
            self._tell("No run in the sweep has finished yet.")
        else:
            self._tell("Fitting…")
            self._fit.run(tuple(done), lambda: scaling_report(done))

    def _tell(self, sentence: str) -> None:
        self._sentence.setText(sentence)
        self._sentence.setVisible(bool(sentence))
        for widget in (self.view, self._head, self._laws):
            widget.setVisible(not sentence)

    def _on_fitted(self, answer: tuple[object, ScalingReport]) -> None:
        key, report = answer
        if key != tuple(self._done):
            return
        self._report = report
        self._tell("")
        laws = [series.laws for series in report.series if series.laws is not None]
        self.budget.setText(f"{default_budget(laws[0]):.2g}")
        self._draw()
        self._say()
        self.plot.enableAutoRange()

    def _on_refused(self, answer: tuple[object, UserError]) -> None:
        key, error = answer
        if key == tuple(self._done):
            self._tell(f"{error.what} {error.next_step}".strip())

    # ------------------------------------------------------------------ drawing
    def _draw(self) -> None:
        dress(self.plot)
        for item in self._items:
            self.plot.removeItem(item)
        self._items = []
        for number, report in enumerate(self._report.series if self._report else ()):
            self._draw_series(number, report)

    def _draw_series(self, number: int, report: SeriesReport) -> None:
        colour = run_colour(number)
        front = {
            (p.features, p.steps, p.loss) for p in (report.laws.frontier if report.laws else ())
        }
        spots = []
        for point in report.series.points:
            on_front = (point.features, point.steps, point.loss) in front
            spots.append(
                {
                    "pos": (math.log10(point.compute), math.log10(point.loss)),
                    "size": _FRONT_SIZE if on_front else _SIZE,
                    "brush": pg.mkBrush(colour if on_front else None),
                    "pen": pg.mkPen(colour, width=1),
                    "symbol": "o",
                }
            )
        self._add(pg.ScatterPlotItem(spots=spots))
        if report.laws is not None:
            computes = [point.compute for point in report.laws.frontier]
            line = law_line(report.laws.loss, min(computes), max(computes))
            item = pg.PlotDataItem(pen=curve_pen(colour, Qt.PenStyle.DashLine))
            self._add(item)
            item.setData(line.x, line.y)

    def _add(self, item: pg.GraphicsObject) -> None:
        self.plot.addItem(item)
        self._items.append(item)

    def _say(self, _text: str = "") -> None:
        if self._report is None:
            return
        try:
            budget = read_number(self.budget.text(), grouping=self.locale().groupSeparator())
        except NotANumberError:
            budget = 0.0
        unread = budget <= 0 and bool(self.budget.text().strip())
        set_property(self.budget, "invalid", "true" if unread else "false")
        lines = []
        for number, report in enumerate(self._report.series):
            lines += _lines(report, budget, self._done[0].batch, run_colour(number).name())
        self._laws.setText("<br>".join(lines))

    def copy_data(self) -> None:
        """Put the points of every series on the clipboard, tab-separated."""
        rows = [
            [
                series_name(report.series),
                *(f"{v:.8g}" for v in (p.features, p.steps, p.lr, p.compute, p.loss)),
            ]
            for report in (self._report.series if self._report else ())
            for p in report.series.points
        ]
        heading = ["series", "features", "steps", "lr", "compute", "loss"]
        QGuiApplication.clipboard().setText(as_table(heading, rows, delimiter="\t"))


def _lines(report: SeriesReport, budget: float, batch: int, colour: str) -> list[str]:
    name = f'<span style="color:{colour}">●</span> <b>{escape(series_name(report.series))}</b>: '
    if report.laws is None:
        return [name + escape(report.refusal)]
    lines = [name + law_text(report.laws.loss, "loss")]
    for of, law in (
        ("best features", report.laws.features),
        ("best steps", report.laws.steps),
        ("best learning rate", report.laws.lr),
    ):
        lines += [f"&nbsp;&nbsp;{law_text(law, of)}"] if law is not None else []
    if budget > 0:
        told = optimum_text(report.series.points, budget, batch)
        lines.append(f"&nbsp;&nbsp;At the budget: {escape(told)}")
    lines += [f"&nbsp;&nbsp;{escape(why)}" for why in report.laws.missing]
    return lines
