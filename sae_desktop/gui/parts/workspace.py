"""A workspace: a middle and docks around it that can be moved, floated and put back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from PySide6.QtCore import QByteArray, QEvent, Qt, QTimer
from PySide6.QtGui import QHelpEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QDockWidget, QMainWindow, QSplitter, QTabBar, QWidget

from sae_desktop.gui.parts.actions import ActionInfo
from sae_desktop.gui.parts.places import Places
from sae_desktop.gui.parts.plain_text import show_tip
from sae_desktop.gui.parts.tab_order import move_focus
from sae_desktop.gui.parts.terms import TabTips, tip_of

_STATE_VERSION = 1
_SETTLE_MS = 500
"""After it is shown, how long the desktop may take to give the window its size."""


@dataclass(frozen=True)
class DockInfo:
    """A panel at a side of a workspace; `size` is its width, or its height above and below."""

    id: str
    title: str
    widget: QWidget
    area: Qt.DockWidgetArea
    size: int
    below: str = ""
    """Id of the dock of the same area that it lies under."""
    tabbed_with: str = ""
    """Id of the dock that it shares its place with, as a tab behind it."""
    hidden: bool = False
    """Not there until it is asked for."""


def bring_forward(widget: QWidget) -> None:
    """Show the dock of a panel, in front of those it shares its place with."""
    dock = widget.parentWidget()
    if isinstance(dock, QDockWidget):
        dock.show()
        dock.raise_()
        space = dock.parentWidget()
        if isinstance(space, Workspace):
            QTimer.singleShot(0, space, space.fit_tabs)


class _Dock(QDockWidget):
    """A dock whose panel the keyboard walks through where it is a window of its own."""

    def focusNextPrevChild(self, forward: bool) -> bool:
        if self.isWindow():
            return move_focus(self, forward=forward)
        return super().focusNextPrevChild(forward)

    def event(self, event: QEvent) -> bool:
        # Over its title; what is told over the panel is for the panel to say.
        if event.type() is QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            panel = self.widget()
            if panel is None or not panel.geometry().contains(event.pos()):
                show_tip(event.globalPos(), tip_of(self.windowTitle()), self)
                return True
        return super().event(event)


class Workspace(QMainWindow):
    """One page of the window. `main` is its middle, `docks` what surrounds it."""

    def __init__(
        self,
        id_: str,
        main: QWidget,
        docks: Sequence[DockInfo] = (),
        *,
        tall_left: bool = False,
        places: Places | None = None,
    ) -> None:
        """`main` has a method `action_infos() -> list[ActionInfo]`.

        `tall_left`: docks at the left reach the bottom, those below begin beside them.
        `places` are what its middle shows one of.
        """
        super().__init__()
        self.id = id_
        self.main: Any = main
        self._places = places
        self.setObjectName(f"workspace.{id_}")
        self.setWindowFlags(Qt.WindowType.Widget)
        self.setDockOptions(
            QMainWindow.DockOption.AllowNestedDocks | QMainWindow.DockOption.AllowTabbedDocks
        )
        if tall_left:
            self.setCorner(Qt.Corner.BottomLeftCorner, Qt.DockWidgetArea.LeftDockWidgetArea)
        self.setCentralWidget(main)
        self._infos = list(docks)
        self._docks = {info.id: self._make_dock(info) for info in docks}
        self._tab_tips = TabTips(self)
        self._sized = False
        self._restored: QByteArray | None = None
        """What was restored, until the window has found its size: a maximised one only then."""
        self._seen = False
        self._given: dict[str, Any] = {"docks": "", "splitters": [], "place": ""}
        self._settling = QTimer(self, singleShot=True, interval=_SETTLE_MS)
        self._settling.timeout.connect(self._settle)
        self._arrange()

    def add_dock(self, info: DockInfo) -> QDockWidget:
        """Add a panel after the workspace was made, where it was left last time.

        Without such a place it becomes a tab behind the others at its side.
        """
        there = {
            id_: dock for id_, dock in self._docks.items()
            if dock.isVisibleTo(self) and self.dockWidgetArea(dock) is info.area
        }  # fmt: skip
        dock = self._docks[info.id] = self._make_dock(info)
        if not self.restoreDockWidget(dock):
            self.addDockWidget(info.area, dock)
            if there:
                beside = next(iter(there))
                info = replace(info, tabbed_with=beside)
                self.tabifyDockWidget(there[beside], dock)
                there[beside].raise_()
        self._infos.append(info)
        return dock

    def _make_dock(self, info: DockInfo) -> QDockWidget:
        dock = _Dock(info.title, self)
        dock.setObjectName(f"{self.id}.{info.id}")
        dock.setWidget(info.widget)
        dock.setAccessibleName(info.title)
        return dock

    def _arrange(self) -> None:
        for info in self._infos:
            dock = self._docks[info.id]
            dock.setFloating(False)
            self.addDockWidget(info.area, dock)
            if info.below:
                self.splitDockWidget(self._docks[info.below], dock, Qt.Orientation.Vertical)
            if info.tabbed_with:
                self.tabifyDockWidget(self._docks[info.tabbed_with], dock)
            dock.setVisible(not info.hidden)
        for info in self._infos:
            if info.tabbed_with and not info.hidden:
                self._docks[info.tabbed_with].raise_()
        self._size_docks()

    def _size_docks(self) -> None:
        sides = (Qt.DockWidgetArea.LeftDockWidgetArea, Qt.DockWidgetArea.RightDockWidgetArea)
        sized = [info for info in self._infos if not info.tabbed_with]
        beside = [info for info in sized if info.area in sides and not info.below]
        stacked = [info for info in sized if info.area not in sides or info.below]
        for infos, orientation in (
            (beside, Qt.Orientation.Horizontal),
            (stacked, Qt.Orientation.Vertical),
        ):
            if infos:
                docks = [self._docks[info.id] for info in infos]
                self.resizeDocks(docks, [info.size for info in infos], orientation)
        for bar in self.findChildren(QTabBar):  # Qt makes them, without a name
            bar.setAccessibleName(bar.accessibleName() or "Panels")
            bar.installEventFilter(self._tab_tips)
        QTimer.singleShot(0, self, self._hide_stray_bars)

    def fit_tabs(self) -> None:
        """Widen docks that are tabs of one place until every tab shows its whole name."""
        direct = Qt.FindChildOption.FindDirectChildrenOnly
        for bar in self.findChildren(QTabBar, options=direct):
            needed = bar.sizeHint().width()
            if not bar.isVisible() or bar.width() >= needed:
                continue
            names = {bar.tabText(number) for number in range(bar.count())}
            shown = [d for d in self.docks() if d.windowTitle() in names and not d.isFloating()]
            if shown:
                self.resizeDocks(shown[:1], [needed], Qt.Orientation.Horizontal)

    def _hide_stray_bars(self) -> None:
        """Hide the bars of tabs that Qt leaves behind, over other panels, when docks move."""
        if not self.isVisible():
            return
        sides = {(d.geometry().left(), d.width()) for d in self.docks() if d.isVisible()}
        for bar in self.findChildren(QTabBar, options=Qt.FindChildOption.FindDirectChildrenOnly):
            if (bar.geometry().left(), bar.width()) not in sides:
                bar.hide()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._seen = True
        if not self._sized:
            # Only now is there a width of which the docks can have their share.
            self._sized = True
            QTimer.singleShot(0, self, self._size_docks)
        if self._restored is not None:
            self.restoreState(self._restored, _STATE_VERSION)
        self._settling.start()

    def _settle(self) -> None:
        self._restored = None
        self._hide_stray_bars()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if self._restored is not None and self.isVisible():
            self.restoreState(self._restored, _STATE_VERSION)

    def action_infos(self) -> list[ActionInfo]:
        """Return the actions of the panel in the middle."""
        infos: list[ActionInfo] = self.main.action_infos()
        return infos

    def show_place(self, name: str) -> str:
        """Bring a place of the middle, or a dock, to the front; return what the workspace is then.

        Such as "explore.map"; no name leaves the place that is there.
        """
        if name in self._docks:
            bring_forward(self._docks[name].widget())
        if self._places is None:
            return self.id
        self._places.show_place(name)
        return f"{self.id}.{self._places.place}"

    def focus_first(self) -> None:
        """Put the keyboard into the panel, which says by its focus proxy where."""
        self.main.setFocus(Qt.FocusReason.OtherFocusReason)

    def docks(self) -> list[QDockWidget]:
        return list(self._docks.values())

    def reset_layout(self) -> None:
        """Put every dock back where it was at the first start."""
        self._restored = None
        self._arrange()

    def layout_state(self) -> str:
        """Return the docks' places as text to be kept."""
        return bytes(self.saveState(_STATE_VERSION).toBase64().data()).decode()

    def kept(self) -> dict[str, Any]:
        """Return what brings the layout back: where docks are, and how splitters share room."""
        if not self._seen:  # nothing has been laid out: what was given is all there is to know
            return self._given
        sizes = [splitter.sizes() for splitter in self.findChildren(QSplitter)]
        return {
            "docks": self.layout_state() if self._docks else "",
            "splitters": sizes,
            "place": "" if self._places is None else self._places.place,
        }

    def give(self, kept: dict[str, Any]) -> None:
        """Bring back what `kept` returned, also where there is less room than there was."""
        self._given = kept
        self.restore_layout(kept["docks"])
        self.show_place(kept["place"])
        splitters = self.findChildren(QSplitter)
        if len(kept["splitters"]) == len(splitters):
            for splitter, sizes in zip(splitters, kept["splitters"], strict=True):
                if len(sizes) == splitter.count() and sum(sizes) > 0:
                    splitter.setSizes(sizes)

    def restore_layout(self, state: str) -> bool:
        """Bring back what `layout_state` returned; False for what is not such a state."""
        if not self._docks or not state:
            return False
        data = QByteArray.fromBase64(state.encode())
        if not self.restoreState(data, _STATE_VERSION):
            return False
        self._sized, self._restored = True, data
        if all(dock.isHidden() for dock in self.docks()):
            self._restored = None
            self._arrange()
        return True
