"""What there is of changes in a project: comparisons, watches, calibrations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PySide6.QtCore import QSignalBlocker, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QListWidget, QListWidgetItem

from sae_desktop.gui.parts import icons
from sae_desktop.gui.parts.plain_text import plain_tip

KINDS = {
    "comparison": ("Comparisons", "git-diff"),
    "watch": ("Watched folders", "eye"),
    "calibration": ("Calibrations", "gauge"),
}
"""Kind, as the trash calls it → heading and icon."""
Thing = tuple[str, str]
"""Kind and name."""


class ThingsList(QListWidget):
    """A heading for each kind there is, and its things beneath."""

    chosen = Signal(str, str)
    deleteAsked = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName("Comparisons, watched folders and calibrations")
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setMinimumWidth(160)
        self.setIconSize(QSize(16, 16))
        self.currentItemChanged.connect(lambda item, _before: self._tell(item))
        self.itemClicked.connect(self._tell)  # of the chosen one, too: back from what it led to

    @property
    def thing(self) -> Thing | None:
        item = self.currentItem()
        found: Thing | None = None if item is None else item.data(Qt.ItemDataRole.UserRole)
        return found

    def show_things(self, things: Mapping[str, Sequence[str]]) -> None:
        """List things by kind; the chosen one stays chosen."""
        kept = self.thing
        with QSignalBlocker(self):
            self.clear()
            for kind, names in things.items():
                if not names:
                    continue
                title, icon = KINDS[kind]
                heading = QListWidgetItem(title)
                heading.setFlags(Qt.ItemFlag.NoItemFlags)
                font = heading.font()
                font.setBold(True)
                heading.setFont(font)
                self.addItem(heading)
                for name in names:
                    item = QListWidgetItem(name)
                    item.setData(Qt.ItemDataRole.UserRole, (kind, name))
                    item.setToolTip(plain_tip(name))
                    icons.set_icon(item, icon)
                    self.addItem(item)
        if kept is not None:
            self.select(*kept)

    def names(self, kind: str) -> list[str]:
        """Return the names that are listed of a kind."""
        found = [self.item(row).data(Qt.ItemDataRole.UserRole) for row in range(self.count())]
        return [thing[1] for thing in found if thing is not None and thing[0] == kind]

    def choose(self, kind: str, name: str) -> bool:
        """Choose a thing, as a click does; tell whether it is there."""
        there = self.select(kind, name)
        if there:
            self.chosen.emit(kind, name)
        return there

    def select(self, kind: str, name: str) -> bool:
        """Mark a thing as the chosen one, without a word; tell whether it is there."""
        for row in range(self.count()):
            if self.item(row).data(Qt.ItemDataRole.UserRole) == (kind, name):
                with QSignalBlocker(self):
                    self.setCurrentRow(row)
                return True
        return False

    def _tell(self, item: QListWidgetItem | None) -> None:
        found = None if item is None else item.data(Qt.ItemDataRole.UserRole)
        if found is not None:
            self.chosen.emit(*found)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Delete and self.thing is not None:
            self.deleteAsked.emit()
        else:
            super().keyPressEvent(event)
