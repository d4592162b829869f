"""Histograms over a run's features while it runs, with a slider over its snapshots."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QMenu, QSlider, QVBoxLayout, QWidget

from sae_desktop.gui.parts import theme
from sae_desktop.gui.parts.curve_bar import menu_button
from sae_desktop.gui.parts.elided_label import ElidedLabel
from sae_desktop.gui.parts.plot_image import add_image_actions
from sae_desktop.gui.parts.plot_style import dress, plot_view
from sae_desktop.gui.parts.terms import explain
from sae_desktop.training.run_log import FeatureSample, RunCurves
from sae_desktop.words.histograms import (
    HISTOGRAMS,
    HistogramInfo,
    available,
    histogram_table,
    sentence,
    x_range,
)


class DensityPlot(QWidget):
    """The latest snapshot, or the one the slider is on."""

    samplesShown = Signal(object)
    """list[FeatureSample] of the snapshot shown; empty where there are none."""

    def __init__(self) -> None:
        super().__init__()
        self._run: RunCurves | None = None
        self._follow = True
        self._samples: list[FeatureSample] = []
        self.kind = QComboBox()
        self.kind.setAccessibleName("Histogram to show")
        explain(self.kind, "Density", "Norm")
        self._offer(list(HISTOGRAMS))
        self.kind.currentIndexChanged.connect(self._draw)
        self.view = plot_view()
        self.view.viewport().setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.plot = self.view.getPlotItem()
        self.plot.hideButtons()
        self.plot.setMenuEnabled(False)
        self.plot.setMouseEnabled(x=False, y=False)
        for side in ("bottom", "left"):
            self.plot.getAxis(side).enableAutoSIPrefix(False)
        self._bars = pg.BarGraphItem(x0=[0.0], x1=[0.0], height=[0.0])
        self.plot.addItem(self._bars)
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setAccessibleName("Step of the run")
        self.slider.valueChanged.connect(self._on_moved)
        self._text = ElidedLabel()
        self._text.setProperty("role", "muted")
        exports = QMenu(self)
        add_image_actions(exports, self.view, "densities")
        exports.addAction("Copy data", self.copy_data)
        head = QHBoxLayout()
        head.setSpacing(4)
        head.addWidget(self.kind, 1)
        head.addWidget(menu_button("Copy", "copy", exports))
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 8, 8, 8)
        column.setSpacing(4)
        column.addLayout(head)
        column.addWidget(self._text)
        column.addWidget(self.view, 1)
        column.addWidget(self.slider)
        theme.manager().themeChanged.connect(self._draw)
        self.show_run(None)

    def show_run(self, run: RunCurves | None) -> None:
        """Show a run's snapshots; the slider stays at the end unless it was moved back."""
        shown, self._run = self._run, run if run is not None and len(run.density_steps) else None
        if shown is not None and self._run is not None and _same(shown, self._run):
            return
        count = len(self._run.density_steps) if self._run else 0
        with QSignalBlocker(self.slider):
            self.slider.setRange(0, max(count - 1, 0))
            if self._follow or run is None:
                self.slider.setValue(max(count - 1, 0))
        self.slider.setEnabled(count > 1)
        self._offer(available(self._run))
        self._show()

    def _offer(self, infos: list[HistogramInfo]) -> None:
        offered = [self.kind.itemData(place).id for place in range(self.kind.count())]
        if offered == [info.id for info in infos]:
            return
        keep = self.info.id if self.kind.count() else ""
        with QSignalBlocker(self.kind):
            self.kind.clear()
            for info in infos:
                self.kind.addItem(info.title, info)
                if info.id == keep:
                    self.kind.setCurrentIndex(self.kind.count() - 1)

    @property
    def info(self) -> HistogramInfo:
        """The histogram that is shown."""
        chosen = self.kind.currentData()
        return chosen if isinstance(chosen, HistogramInfo) else HISTOGRAMS[0]

    def _on_moved(self, value: int) -> None:
        self._follow = value == self.slider.maximum()
        self._show()

    def _show(self) -> None:
        samples = self._run.samples[self.slider.value()] if self._run else []
        if samples != self._samples:
            self._samples = samples
            self.samplesShown.emit(samples)
        self._draw()

    def _draw(self, _index: int = 0) -> None:
        colours, info = theme.palette(), self.info
        dress(self.plot)
        self.plot.setLabel("bottom", info.axis)
        self.view.setAccessibleName(f"Histogram: {info.title}")
        if self._run is None:
            self._text.setText("Appears with the run’s first snapshot.")
            self._bars.setOpts(x0=[0.0], x1=[0.0], height=[0.0])
            self.plot.setXRange(*info.least_range, padding=0)
            self.plot.setYRange(0.0, 1.0, padding=0)
            self.plot.getAxis("left").setTicks([])  # nothing is counted yet
            return
        self.plot.getAxis("left").setTicks(None)
        at = self.slider.value()
        counts = np.asarray(info.counts(self._run)[at], dtype=float)
        self._bars.setOpts(
            x0=info.edges[:-1],
            x1=info.edges[1:],
            height=counts,
            pen=pg.mkPen(colours.surface, width=1),
            brush=colours.accent,
        )
        self.plot.setXRange(*x_range(info, counts), padding=0)
        self.plot.setYRange(0, max(float(counts.max()), 1.0) * 1.05, padding=0)
        self._text.setText(sentence(info, int(self._run.density_steps[at]), counts))

    def copy_data(self) -> None:
        """Put the shown histogram on the clipboard, tab-separated."""
        if self._run is not None:
            counts = self.info.counts(self._run)[self.slider.value()]
            QGuiApplication.clipboard().setText(histogram_table(self.info, counts))


def _same(one: RunCurves, other: RunCurves) -> bool:
    """Tell whether two readings of a log hold the same snapshots."""
    return one.config == other.config and np.array_equal(one.density_steps, other.density_steps)
