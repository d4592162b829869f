"""Places that share the middle of a workspace: one is in front, tabs above name them all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QTabBar, QVBoxLayout, QWidget

from sae_desktop.gui.parts import icons
from sae_desktop.gui.parts.plain_text import plain_tip


@dataclass(frozen=True)
class PlaceInfo:
    """One place. Its shortcut, where it has one, is only told here: actions do it."""

    id: str
    title: str
    icon: str
    widget: QWidget
    tip: str
    shortcut: str = ""


class Places(QWidget):
    """Tabs and what they lead to; every place keeps its state while another is in front."""

    placeChanged = Signal(str)
    """Id of the place that is now in front."""

    def __init__(self, infos: Sequence[PlaceInfo], name: str) -> None:
        """`name` is what the row of tabs is called for those who do not see it."""
        super().__init__()
        self.infos = list(infos)
        self.bar = QTabBar()
        self.bar.setDrawBase(False)
        self.bar.setExpanding(False)
        self.bar.setElideMode(Qt.TextElideMode.ElideNone)
        self.bar.setUsesScrollButtons(True)  # where they do not fit, arrows say that there are more
        self.bar.setAccessibleName(name)
        self._stack = QStackedWidget()
        self._tabs = [_Tab(self.bar, number) for number in range(len(self.infos))]
        for number, info in enumerate(self.infos):
            self.bar.addTab(info.title)
            icons.set_icon(self._tabs[number], info.icon)
            keys = f" ({info.shortcut})" if info.shortcut else ""
            self.bar.setTabToolTip(number, plain_tip(f"{info.tip}{keys}"))
            self._stack.addWidget(info.widget)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        self._head = QHBoxLayout()
        self._head.addWidget(self.bar, 1)
        column.addLayout(self._head)
        column.addWidget(self._stack, 1)
        self.bar.currentChanged.connect(self._on_changed)

    def add_beside(self, widget: QWidget) -> None:
        """Put something at the right of the tabs, which concerns every place."""
        self._head.addWidget(widget)

    @property
    def place(self) -> str:
        """Id of the place in front."""
        return self.infos[self.bar.currentIndex()].id

    def show_place(self, name: str) -> None:
        """Bring a place to the front. A name that is not one of them changes nothing."""
        for number, info in enumerate(self.infos):
            if info.id == name:
                self.bar.setCurrentIndex(number)

    def _on_changed(self, number: int) -> None:
        self._stack.setCurrentIndex(number)
        self.placeChanged.emit(self.infos[number].id)


class _Tab:
    """A tab as something that has an icon."""

    def __init__(self, bar: QTabBar, number: int) -> None:
        self._bar, self._number = bar, number

    def setIcon(self, icon: QIcon) -> None:
        self._bar.setTabIcon(self._number, icon)
