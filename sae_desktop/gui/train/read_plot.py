"""A plot under a line that says what is pointed at, with its picture and its data to take away."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from sae_desktop.gui.parts.elided_label import ElidedLabel
from sae_desktop.gui.parts.labels import label, push_button
from sae_desktop.gui.parts.plot_image import image_button


class ReadPlot(QWidget):
    """While there is nothing to plot, a sentence says what will be."""

    def __init__(self, area: QWidget, picture: str, empty: str) -> None:
        """`area` is plotted in; `picture` is what a picture of it is called."""
        super().__init__()
        self._area = area
        self._empty = label(empty, "muted", wrap=True)
        self._empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.readout = ElidedLabel()
        self._head = QWidget()
        row = QHBoxLayout(self._head)
        row.setContentsMargins(8, 4, 8, 4)
        row.addWidget(self.readout, 1)
        row.addWidget(image_button(area, picture))
        row.addWidget(push_button("Copy data", self.copy_data, flat=True))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._head)
        column.addWidget(self._empty, 1)
        column.addWidget(area, 1)

    def show_plot(self, shown: bool) -> None:
        """Show the plot with its head, or the sentence."""
        self._empty.setVisible(not shown)
        self._head.setVisible(shown)
        self._area.setVisible(shown)

    def data_text(self) -> str:
        """Return what is plotted, tab-separated."""
        raise NotImplementedError

    def copy_data(self) -> None:
        """Put what is plotted on the clipboard."""
        QGuiApplication.clipboard().setText(self.data_text())
