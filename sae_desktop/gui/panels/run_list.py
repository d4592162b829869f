"""The runs of a project, to be drawn over one another."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QColor, QPixmap
from PySide6.QtWidgets import QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from sae_desktop.gui.widgets.labels import label

_SWATCH = 12


class RunList(QWidget):
    """A check box for each run; those that are drawn show their colour."""

    shownChanged = Signal(object)
    """set of names to be drawn."""

    def __init__(self) -> None:
        super().__init__()
        self._list = QListWidget()
        self._list.setAccessibleName("Runs to draw")
        self._list.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self._list.itemChanged.connect(self._on_item_changed)
        self._empty = label("No run yet.", "muted")
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 4, 8, 8)
        column.addWidget(self._empty)
        column.addWidget(self._list, 100)
        column.addStretch(1)

    def names(self) -> list[str]:
        return [self._list.item(row).text() for row in range(self._list.count())]

    def shown(self) -> set[str]:
        items = (self._list.item(row) for row in range(self._list.count()))
        return {item.text() for item in items if item.checkState() is Qt.CheckState.Checked}

    def show_runs(
        self, names: list[str], shown: set[str], colour_of: Callable[[str], str] | None = None
    ) -> None:
        """List the runs, those in `shown` checked and in their colour."""
        self._list.blockSignals(True)
        self._list.clear()
        for name in names:
            item = QListWidgetItem(name)
            item.setFlags(
                Qt.ItemFlag.ItemIsEnabled
                | Qt.ItemFlag.ItemIsUserCheckable
                | Qt.ItemFlag.ItemIsSelectable
            )
            on = name in shown
            item.setCheckState(Qt.CheckState.Checked if on else Qt.CheckState.Unchecked)
            item.setToolTip(name)
            swatch = QPixmap(_SWATCH, _SWATCH)
            colour = colour_of(name) if on and colour_of is not None else ""
            swatch.fill(QColor(colour) if colour else Qt.GlobalColor.transparent)
            item.setIcon(swatch)
            self._list.addItem(item)
        self._list.blockSignals(False)
        self._empty.setVisible(not names)
        self._list.setVisible(bool(names))

    def _on_item_changed(self, _item: QListWidgetItem) -> None:
        self.shownChanged.emit(self.shown())
