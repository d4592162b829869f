"""Collects the short texts that stand in a window, and what each says when it is hovered over."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pyqtgraph as pg
from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QAbstractButton,
    QComboBox,
    QDockWidget,
    QGroupBox,
    QLabel,
    QTabBar,
    QTableView,
    QTreeView,
    QWidget,
)

from sae_desktop.gui.parts.terms import tip_of

_MOST_WORDS = 6
"""What is longer explains itself."""


class OnScreen(NamedTuple):
    """A short text, where it stands, and what is told there."""

    text: str
    kind: str
    tip: str


def words_on_screen(root: QWidget) -> list[OnScreen]:
    """Return the short texts of a widget and all within it, seen or hidden behind others."""
    found = [place for widget in (root, *root.findChildren(QWidget)) for place in _of(widget)]
    return [place for place in found if _is_short(place.text)]


def _is_short(text: str) -> bool:
    words = text.split()
    return 0 < len(words) <= _MOST_WORDS and not text.rstrip().endswith((".", "?"))


def _of(widget: QWidget) -> Iterator[OnScreen]:
    kind = type(widget).__name__
    if isinstance(widget, QLabel):
        if widget.textFormat() is not Qt.TextFormat.RichText:
            yield OnScreen(widget.text(), kind, _tip(widget))
    elif isinstance(widget, QAbstractButton):
        yield OnScreen(widget.text().replace("&", ""), kind, _tip(widget))
    elif isinstance(widget, QComboBox):
        yield OnScreen(widget.currentText(), kind, _tip(widget))
    elif isinstance(widget, QGroupBox):
        yield OnScreen(widget.title(), kind, _tip(widget))
    elif isinstance(widget, QTabBar):
        for tab in range(widget.count()):
            text = widget.tabText(tab)
            yield OnScreen(text, kind, widget.tabToolTip(tab) or tip_of(text))
    elif isinstance(widget, QDockWidget):
        yield OnScreen(widget.windowTitle(), kind, tip_of(widget.windowTitle()))
    elif isinstance(widget, QTableView | QTreeView) and widget.model() is not None:
        yield from _heads(widget)
    elif isinstance(widget, pg.PlotWidget):
        yield from _axes(widget)


def _tip(widget: QWidget | None) -> str:
    """Return what is told over a widget: Qt asks those around it where it has nothing to say."""
    while widget is not None and not widget.isWindow():
        if widget.toolTip():
            return widget.toolTip()
        widget = widget.parentWidget()
    return ""


def _heads(view: QTableView | QTreeView) -> Iterator[OnScreen]:
    model, kind = view.model(), f"{type(view).__name__} head"
    for column in range(model.columnCount()):
        across = Qt.Orientation.Horizontal
        text = str(model.headerData(column, across) or "").rstrip(" ▴▾")
        tip = model.headerData(column, across, Qt.ItemDataRole.ToolTipRole)
        yield OnScreen(text, kind, str(tip or ""))


def _axes(plot: pg.PlotWidget) -> Iterator[OnScreen]:
    for side in ("bottom", "left"):
        axis = plot.getPlotItem().getAxis(side)
        if axis.isVisible() and axis.labelText:
            yield OnScreen(axis.labelText, "axis", axis.toolTip() or _tip(plot))
