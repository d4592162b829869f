"""Tokens per second of a harvest while it runs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from PySide6.QtWidgets import QVBoxLayout, QWidget

from sae_desktop.gui.parts import theme
from sae_desktop.gui.parts.curve_plot import CurvePlot, RunLine
from sae_desktop.words.curve_buffer import CurveBuffer
from sae_desktop.words.curve_info import CURVE_OF, CurveView
from sae_desktop.words.store_text import throughput_text

_INFO = replace(CURVE_OF["rows_per_second"], unit="tokens per second")
_VIEW = CurveView(shown=(_INFO.column,))
_HEADROOM = 1.15


class ThroughputPlot(QWidget):
    """The curve of one harvest over the rows it has kept."""

    def __init__(self) -> None:
        super().__init__()
        self._end = 0.0
        self._run = RunLine("", CurveBuffer(), 0)
        self.curve = CurvePlot(_INFO, logarithmic=False)
        self.curve.show_axis("rows", last=True)
        self.curve.head.setContentsMargins(0, 0, 0, 0)
        inside = self.curve.layout()
        if inside is not None:
            inside.setContentsMargins(0, 0, 0, 0)
        self.curve.plot.setLabel("bottom", "rows kept")
        self.curve.plot.setMouseEnabled(x=False, y=False)
        self.curve.hovered.connect(self._on_hovered)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.curve)
        theme.manager().themeChanged.connect(self._dress)
        self._dress()

    def begin(self, name: str, rows_wanted: float) -> None:
        """Clear the curve for a harvest that will have a given number of rows."""
        self.curve.remove(self._run)
        self._run = RunLine(name, CurveBuffer(), 0)
        self._end = rows_wanted
        self.curve.plot.setXRange(0, max(rows_wanted, 1), padding=0.02)
        self._draw()

    @property
    def points(self) -> int:
        return self._run.buffer.points

    def take_points(self, steps: Sequence[float], values: Sequence[Mapping[str, float]]) -> None:
        """Add what a harvest logged at a given number of rows."""
        for rows, point in zip(steps, values, strict=True):
            self._run.buffer.append(
                {
                    "rows": float(rows),
                    "rows_per_second": point.get("tokens_per_second", math.nan),
                    "waited_share": point.get("waited_share", math.nan),
                }
            )
        self._draw()

    def _draw(self) -> None:
        buffer = self._run.buffer
        self.curve.draw(self._run, _VIEW)
        _, rates = buffer.curve("rows_per_second")
        if len(rates):
            top = float(np.max(rates)) * _HEADROOM
            self.curve.plot.setYRange(0, max(top, 1.0), padding=0)
        self._on_hovered(None)

    def _on_hovered(self, rows: float | None) -> None:
        buffer = self._run.buffer
        self.curve.show_hair(rows if buffer.points else None)
        if rows is None:
            rate, waited = buffer.last("rows_per_second"), buffer.last("waited_share")
        else:
            rate = buffer.value_at("rows_per_second", rows)
            waited = buffer.value_at("waited_share", rows)
        text = throughput_text(
            math.nan if rate is None else rate, math.nan if waited is None else waited
        )
        self.curve.readout.setText(text)
        self.setAccessibleDescription(text)

    def _dress(self) -> None:
        self.curve.dress()
        self.curve.view.setBackground(theme.palette().surface)
        self.curve.dress_run(self._run)
