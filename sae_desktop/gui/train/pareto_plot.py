"""FVU against L0 of every listed run; those that none beats in both are joined by a line."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt, Signal

from sae_desktop.gui.parts import theme
from sae_desktop.gui.parts.plot_style import curve_pen, dress, log_log_view
from sae_desktop.gui.train.read_plot import ReadPlot
from sae_desktop.training.sweeps.pareto import pareto_front
from sae_desktop.words.run_figures import RunRow, runs_table

_SIZE, _FRONT_SIZE = 8, 11
_EMPTY = "Runs appear here once trained: lower and further left is better."


class ParetoPlot(ReadPlot):
    """A point a run. A click draws its curves; drawn runs have their colour."""

    picked = Signal(str)
    """A run's name."""

    def __init__(self) -> None:
        view = log_log_view("FVU against L0", "L0 (features per row)", "FVU")
        super().__init__(view, "pareto front", _EMPTY)
        self.view = view
        self._runs: list[RunRow] = []
        self._front: list[int] = []
        self._colours: dict[str, str] = {}
        self.plot = self.view.getPlotItem()
        self._line = pg.PlotDataItem()
        self.plot.addItem(self._line)
        self.points = pg.ScatterPlotItem(hoverable=True, tip=None)
        self.points.sigClicked.connect(self._on_clicked)
        self.points.sigHovered.connect(self._on_hovered)
        self.plot.addItem(self.points)
        theme.manager().themeChanged.connect(self._draw)
        self._draw()

    def show_runs(self, runs: Sequence[RunRow], colours: dict[str, str]) -> None:
        """Draw the runs that have both figures; `colours`: of those whose curves are drawn."""
        measured = [run for run in runs if _logs(run) is not None]
        if measured == self._runs and colours == self._colours:
            return
        moved = [(r.name, r.l0, r.fvu) for r in measured] != [
            (r.name, r.l0, r.fvu) for r in self._runs
        ]
        self._runs, self._colours = measured, dict(colours)
        self._front = pareto_front(
            [r.l0 or 0.0 for r in measured], [r.fvu or 0.0 for r in measured]
        )
        self._draw()
        if moved:
            self.plot.enableAutoRange()

    def front(self) -> list[str]:
        """Return the runs on the front, by rising L0."""
        return [self._runs[number].name for number in self._front]

    def _draw(self) -> None:
        colours = theme.palette()
        dress(self.plot)
        self.show_plot(bool(self._runs))
        on_front = set(self._front)
        spots = []
        for number, run in enumerate(self._runs):
            x, y = _logs(run) or (0.0, 0.0)
            colour = self._colours.get(run.name) or colours.muted_text.name()
            front = number in on_front
            spots.append(
                {
                    "pos": (x, y),
                    "data": run.name,
                    "size": _FRONT_SIZE if front else _SIZE,
                    "symbol": "d" if front else "o",
                    "brush": pg.mkBrush(colour if front else None),
                    "pen": pg.mkPen(colour, width=1),
                }
            )
        self.points.setData(spots)
        front_runs = [self._runs[number] for number in self._front]
        self._line.setData(
            np.array([run.l0 for run in front_runs], dtype=float),
            np.array([run.fvu for run in front_runs], dtype=float),
        )
        self._line.setPen(curve_pen(colours.muted_text, Qt.PenStyle.DashLine))
        self._say("")

    def _say(self, name: str) -> None:
        run = next((run for run in self._runs if run.name == name), None)
        if run is None:
            count = len(self._front)
            what = "run is" if count == 1 else "runs are"
            self.readout.setText(
                f"{count} {what} on the front (filled): no run is better on both." if count else ""
            )
            return
        where = ", on the front" if name in self.front() else ""
        self.readout.setText(f"{name}: L0 {run.l0:.4g}, FVU {run.fvu:.3f}{where}")

    def _on_hovered(self, _item: object, points: Sequence[pg.SpotItem], _event: object) -> None:
        self._say(points[0].data() if len(points) else "")

    def _on_clicked(self, _item: object, points: Sequence[pg.SpotItem], _event: object) -> None:
        if len(points):
            self.picked.emit(points[0].data())

    def data_text(self) -> str:
        """Return the runs, tab-separated."""
        return runs_table(self._runs, delimiter="\t")


def _logs(run: RunRow) -> tuple[float, float] | None:
    if not run.l0 or not run.fvu or run.l0 <= 0 or run.fvu <= 0:
        return None
    return math.log10(run.l0), math.log10(run.fvu)
