"""The size of all text in the window, changed while it is open."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QHeaderView, QWidget

from sae_desktop.gui.parts import theme

_BASE = "system point size"
"""Property of the application: its font's size before any other was chosen."""
_NO_BOUND = 16_777_215


def apply(percent: int) -> None:
    """Set the text to a share of the system's size; what is as high as its text grows with it."""
    application = QApplication.instance()
    if not isinstance(application, QApplication):
        return
    font = application.font()
    before = font.pointSizeF()
    if application.property(_BASE) is None:
        application.setProperty(_BASE, before)
    size = float(application.property(_BASE)) * percent / 100.0
    if before <= 0 or abs(size - before) < 0.01:
        return
    font.setPointSizeF(size)
    application.setFont(font)
    for widget in application.allWidgets():
        _grow(widget, size / before)
    theme.manager().dress()


def _grow(widget: QWidget, ratio: float) -> None:
    """Give more room to what was made as high as its text is."""
    if isinstance(widget, QHeaderView):
        rows = widget.orientation() == Qt.Orientation.Vertical
        if rows and widget.defaultSectionSize() > 0:
            widget.setDefaultSectionSize(round(widget.defaultSectionSize() * ratio))
        return
    low, high = widget.minimumHeight(), widget.maximumHeight()
    if 0 < low == high < _NO_BOUND:
        widget.setFixedHeight(round(low * ratio))
