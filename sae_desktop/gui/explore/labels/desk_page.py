"""How the reading desk is laid out: head, texts beside names, foot; or that there is no feature."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QSplitter, QStackedWidget, QVBoxLayout, QWidget

from sae_desktop.gui.explore.labels.desk_foot import DeskFoot
from sae_desktop.gui.explore.labels.desk_head import DeskHead
from sae_desktop.gui.explore.labels.desk_side import DeskSide
from sae_desktop.gui.explore.labels.desk_text import DeskText
from sae_desktop.gui.parts.empty_state import EmptyState

_TEXT_LEAST, _SIDE_LEAST = 240, 200
_SHARES = (600, 400)


class DeskPage(QWidget):
    """The parts of the desk, each in its place."""

    readAllWanted = Signal()
    """All features are to be read, labelled or not."""

    def __init__(self) -> None:
        super().__init__()
        self.head = DeskHead()
        self.text = DeskText()
        self.side = DeskSide()
        self.foot = DeskFoot()
        self.empty = EmptyState("", "Read all at random", self.readAllWanted.emit, icon="shuffle")
        split = QSplitter(Qt.Orientation.Horizontal)
        split.setChildrenCollapsible(False)
        for part, least, share in ((self.text, _TEXT_LEAST, 3), (self.side, _SIDE_LEAST, 2)):
            part.setMinimumWidth(least)
            split.addWidget(part)
            split.setStretchFactor(split.count() - 1, share)
        split.setSizes(_SHARES)
        self._desk = QWidget()
        column = QVBoxLayout(self._desk)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(split, 1)
        column.addWidget(self.foot)
        self._stack = QStackedWidget()
        self._stack.addWidget(self.empty)
        self._stack.addWidget(self._desk)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(16, 8, 16, 8)
        whole.setSpacing(8)
        whole.addWidget(self.head)
        whole.addWidget(self._stack, 1)
        self.setProperty("ground", "surface")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setAccessibleName("Reading desk")

    def show_desk(self) -> None:
        """Show a feature’s texts and names."""
        self._stack.setCurrentWidget(self._desk)

    def show_end(self, sentence: str) -> None:
        """Say why there is no feature to be shown."""
        self.empty.sentence.setText(sentence)
        self._stack.setCurrentWidget(self.empty)
