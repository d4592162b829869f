"""A plot of scores with its head: what is under the pointer, pictures and data of it."""

from __future__ import annotations

from collections.abc import Callable

import pyqtgraph as pg
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from sae_desktop.gui.parts.elided_label import ElidedLabel
from sae_desktop.gui.parts.labels import label, push_button
from sae_desktop.gui.parts.plot_image import image_button

LOWEST, HIGHEST = 190, 420
"""Pixels that a plot is high."""


class PlotFrame(QWidget):
    """A title and a read-out above a plot, and the buttons for pictures and data."""

    def __init__(self, title: str, view: pg.PlotWidget, data: Callable[[], str]) -> None:
        super().__init__()
        self.view, self._data = view, data
        view.setAccessibleName(title)
        view.setFixedHeight(LOWEST)
        view.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.title = label(title, "heading")
        self.told = label("", "muted", wrap=True)
        self.told.hide()
        self.readout = ElidedLabel()
        self.readout.setProperty("role", "small")
        copy = push_button("Copy data", self.copy_data, icon="copy", flat=True)
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(self.title)
        head.addStretch()
        head.addWidget(image_button(view, title.lower()))
        head.addWidget(copy)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(head)
        column.addWidget(self.told)
        column.addWidget(view, 1)
        column.addWidget(self.readout)

    def say(self, text: str) -> None:
        """Have a sentence that tells what the plot is of stand between its head and the plot."""
        self.told.setText(text)
        self.told.setVisible(bool(text))

    def set_room(self, height: int) -> None:
        """Have the plot as high as there is room, within reason."""
        self.view.setFixedHeight(min(max(height, LOWEST), HIGHEST))

    def copy_data(self) -> None:
        """Put what is drawn on the clipboard, tab-separated."""
        QGuiApplication.clipboard().setText(self._data())
