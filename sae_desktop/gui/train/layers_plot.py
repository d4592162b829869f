"""The figures of a set by layer: which layers are hard, and which have features that are dead."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from sae_desktop.gui.parts import theme
from sae_desktop.gui.parts.labels import label
from sae_desktop.gui.parts.plot_style import ValueAxis, curve_pen, dress, plot_view
from sae_desktop.gui.parts.terms import explain
from sae_desktop.gui.train.read_plot import ReadPlot
from sae_desktop.words.layer_figures import FIGURES, LayerFigures, figures_table

_TITLES = {"fvu": "FVU", "l0": "L0", "dead_fraction": "Dead"}
_SIZE, _CHOSEN_SIZE = 7, 12
_LEFT = 56
_LEAST_HEIGHT = 72
_EMPTY = "The figures of each layer appear here while a set is trained."


class _LayerAxis(ValueAxis):
    """Marks whole layers only."""

    def tickValues(self, low: float, high: float, size: float) -> list[tuple[float, list[float]]]:
        first, last = int(np.ceil(low)), int(np.floor(high))
        step = max(1, int(np.ceil((last - first + 1) * 24 / max(size, 1))))
        return [(step, [float(layer) for layer in range(first, last + 1, step)])]

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:
        del scale, spacing
        return [str(round(value)) for value in values]


class LayersPlot(ReadPlot):
    """A point for each layer in three plots above one axis; arrow keys go from layer to layer."""

    picked = Signal(str)
    """The run of a layer."""

    def __init__(self) -> None:
        super().__init__(QWidget(), "figures by layer", _EMPTY)
        self._figures: list[LayerFigures] = []
        self._chosen = ""
        self.plots: dict[str, pg.PlotItem] = {}
        self._lines: dict[str, pg.PlotDataItem] = {}
        self._points: dict[str, pg.ScatterPlotItem] = {}
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Figures by layer")
        self._column = QVBoxLayout(self._area)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(0)
        for column in FIGURES:
            self._add_plot(column)
        theme.manager().themeChanged.connect(self._draw)
        self._draw()

    def _add_plot(self, column: str) -> None:
        last = column == FIGURES[-1]
        title = label(_TITLES[column], "heading")
        explain(title, _TITLES[column])
        title.setContentsMargins(8, 4, 8, 0)
        view = plot_view({"bottom": _LayerAxis(orientation="bottom")}, still=True)
        view.setAccessibleName(f"{_TITLES[column]} by layer")
        view.viewport().setFocusPolicy(Qt.FocusPolicy.NoFocus)
        view.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        view.setMinimumHeight(_LEAST_HEIGHT + (24 if last else 0))
        plot = self.plots[column] = view.getPlotItem()
        plot.hideButtons()
        plot.setMenuEnabled(False)
        plot.getAxis("left").setWidth(_LEFT)
        plot.getAxis("bottom").setStyle(showValues=last)
        if last:
            plot.setLabel("bottom", "layer")
        self._lines[column] = pg.PlotDataItem(connect="finite")
        points = self._points[column] = pg.ScatterPlotItem(hoverable=True, tip=None)
        points.sigClicked.connect(self._on_clicked)
        plot.addItem(self._lines[column])
        plot.addItem(points)
        view.scene().sigMouseMoved.connect(lambda at, plot=plot: self._on_moved(plot, at))
        self._column.addWidget(title)
        self._column.addWidget(view, 3 if not last else 4)

    # ------------------------------------------------------------------ content
    def show_figures(self, figures: Sequence[LayerFigures], chosen: str, empty: str = "") -> None:
        """Show a set’s layers and mark the run that is looked at; `empty`: said where none are."""
        known = [one for one in figures if one.fvu is not None or one.l0 is not None]
        empty = empty or _EMPTY
        if (known, chosen, empty) == (self._figures, self._chosen, self._empty.text()):
            return
        self._figures, self._chosen = known, chosen
        self._empty.setText(empty)
        self._draw()

    @property
    def figures(self) -> list[LayerFigures]:
        """What is shown."""
        return self._figures

    def _draw(self) -> None:
        shown = bool(self._figures)
        self.show_plot(shown)
        layers = np.array([one.layer for one in self._figures], dtype=float)
        for column, plot in self.plots.items():
            dress(plot)
            values = [getattr(one, column) for one in self._figures]
            y = np.array([np.nan if v is None else v for v in values], dtype=float)
            self._lines[column].setData(layers, y)
            self._lines[column].setPen(curve_pen(theme.palette().border))
            self._points[column].setData(self._spots(y))
            if shown:
                plot.setXRange(layers.min() - 0.5, layers.max() + 0.5, padding=0)
                top = float(np.nanmax(y)) if np.isfinite(y).any() else 0.0
                plot.setYRange(0.0, max(top, 0.05 if column == "dead_fraction" else 1e-6) * 1.1)
        self._say(None)

    def _spots(self, y: np.ndarray) -> list[dict[str, object]]:
        most = max(len(self._figures) - 1, 1)
        alone = len({one.run for one in self._figures}) <= 1
        spots = []
        for place, one in enumerate(self._figures):
            if np.isfinite(y[place]):
                colour = theme.layer_colour(place / most)
                chosen = one.run == self._chosen and not alone
                spots.append(
                    {
                        "pos": (one.layer, y[place]),
                        "data": place,
                        "size": _CHOSEN_SIZE if chosen else _SIZE,
                        "brush": pg.mkBrush(colour),
                        "pen": pg.mkPen(theme.palette().text if chosen else colour, width=1),
                    }
                )
        return spots

    # ------------------------------------------------------------------ hands
    def _say(self, place: int | None) -> None:
        if place is None:
            place = self._place()
        if place is not None:
            self.readout.setText(self._figures[place].text)
        else:
            self.readout.setText("Click a layer to see its histograms and features.")

    def _place(self) -> int | None:
        """Return where the layer stands that is looked at; None: none is, or all are one run."""
        places = [n for n, one in enumerate(self._figures) if one.run == self._chosen]
        return places[0] if len(places) == 1 else None

    def _on_moved(self, plot: pg.PlotItem, at: QPointF) -> None:
        if not self._figures or not plot.sceneBoundingRect().contains(at):
            self._say(None)
            return
        x = plot.vb.mapSceneToView(at).x()
        self._say(min(range(len(self._figures)), key=lambda n: abs(self._figures[n].layer - x)))

    def _on_clicked(self, _item: object, points: Sequence[pg.SpotItem], _event: object) -> None:
        if len(points):
            self.picked.emit(self._figures[points[0].data()].run)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        steps = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}
        if event.key() not in steps or not self._figures:
            super().keyPressEvent(event)
            return
        place = self._place()
        step = steps[event.key()]  # type: ignore[index]
        wanted = (0 if step > 0 else len(self._figures) - 1) if place is None else place + step
        if 0 <= wanted < len(self._figures):
            self.picked.emit(self._figures[wanted].run)

    def data_text(self) -> str:
        """Return the figures, tab-separated."""
        return figures_table(self._figures, delimiter="\t")
