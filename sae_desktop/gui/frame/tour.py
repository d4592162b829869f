"""The tour of the window: where things are, told beside each of them, one after another."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol, cast

import shiboken6
from PySide6.QtCore import QEvent, QObject, QRect, QTimer, Signal
from PySide6.QtWidgets import QApplication, QWidget

from sae_desktop.gui.frame.beside import placed
from sae_desktop.gui.frame.tour_bubble import TourBubble, TourOutline
from sae_desktop.gui.parts import theme
from sae_desktop.gui.parts.workspace import Workspace, bring_forward
from sae_desktop.gui.state.session import Session
from sae_desktop.words.tour import STOPS, Stop, StopId

_MOVED = {
    QEvent.Type.Move,
    QEvent.Type.Resize,
    QEvent.Type.Show,
    QEvent.Type.Hide,
    QEvent.Type.ParentChange,
}


class Toured(Protocol):
    """What the tour asks of the window."""

    session: Session

    @property
    def rail(self) -> QWidget: ...
    @property
    def search_button(self) -> QWidget: ...
    @property
    def status(self) -> QWidget: ...
    def workspace(self, name: str) -> Workspace: ...
    def show_workspace(self, name: str) -> None: ...


class Control(NamedTuple):
    """What a stop points at."""

    place: str
    """The workspace, or the place of it, where it is; empty: wherever one is."""
    widget: Callable[[Toured], QWidget]


CONTROLS: dict[StopId, Control] = {
    "rail": Control("", lambda window: window.rail),
    "list": Control("explore", lambda window: window.workspace("explore").main.list),
    "page": Control("explore.feature", lambda window: window.workspace("explore").main.page),
    "rack": Control("steer", lambda window: window.workspace("steer").main.rack),
    "training": Control("train", lambda window: window.workspace("train").main.setup),
    "search": Control("", lambda window: window.search_button),
    "engine": Control("", lambda window: window.status),
}
"""The control of each stop."""


class Tour(QObject):
    """Goes from control to control, with a bubble beside each.

    Nothing is taken from the person, who may use whatever is pointed at. Whoever leaves without
    having done so is where they were before; whoever goes elsewhere ends it by that.
    """

    left = Signal()

    def __init__(self, window: Toured) -> None:
        super().__init__(cast(QWidget, window))
        self._window, self._frame = window, cast(QWidget, window)
        self.stops: list[Stop] = []
        """Those whose controls are there; none while nobody takes the tour."""
        self.number = 0
        self._began: tuple[str, QWidget | None] = ("", None)
        """Where one was: the workspace, and what had the keyboard."""
        self._going = False
        self._used = False
        """Whether the keyboard went elsewhere since the last stop, by the person's doing."""
        self._followed: list[QWidget] = []
        self._soon = QTimer(self, singleShot=True, interval=0)
        self._soon.timeout.connect(self._place)
        self.bubble: TourBubble | None = None
        self.outline: TourOutline | None = None

    # ------------------------------------------------------------------ coming and leaving
    def start(self) -> None:
        """Begin at the first control that is there."""
        if not self.stops:
            self._began = self._window.session.workspace, self._frame.focusWidget()
        if self.bubble is None:
            self._build()
        for stop in STOPS:
            workspace, _, place = CONTROLS[stop.id].place.partition(".")
            if workspace:
                self._window.workspace(workspace).show_place(place)
        self.stops = [stop for stop in STOPS if self._is_there(stop.id)]
        self._go(0)

    def _build(self) -> None:
        self.outline, self.bubble = TourOutline(self._frame), TourBubble(self._frame)
        self.bubble.nextChosen.connect(self._on_next)
        self.bubble.backChosen.connect(self._on_back)
        self.bubble.left.connect(self.leave)
        theme.manager().themeChanged.connect(self._soon.start)
        application = QApplication.instance()
        assert isinstance(application, QApplication)
        application.focusChanged.connect(self._on_focus_changed)

    def leave(self) -> bool:
        """End the tour; false when there was none. The keyboard goes back to where it was."""
        if not self.stops or self.bubble is None or self.outline is None:
            return False
        focus = self._frame.focusWidget()
        go_back = not self._used and focus is not None and self.bubble.isAncestorOf(focus)
        self.stops = []
        self._follow(None)
        self.outline.hide()
        if go_back:
            self._go_back()
        self.bubble.hide()
        self.left.emit()
        return True

    def _go_back(self) -> None:
        place, focus = self._began
        self._window.show_workspace(place)
        if focus is not None and shiboken6.isValid(focus) and focus.isVisible():
            focus.setFocus()
        else:
            self._window.workspace(place).focus_first()

    def _on_next(self) -> None:
        if self.number + 1 < len(self.stops):
            self._go(self.number + 1)
        else:
            self.leave()

    def _on_back(self) -> None:
        self._go(max(self.number - 1, 0))

    # ------------------------------------------------------------------ a stop
    def control(self) -> QWidget:
        """Return what is pointed at."""
        return CONTROLS[self.stops[self.number].id].widget(self._window)

    def _is_there(self, id_: StopId) -> bool:
        """Tell whether a control is seen once one is at its place, and is no window of its own."""
        place, widget = CONTROLS[id_].place, CONTROLS[id_].widget(self._window)
        inside = self._window.workspace(place) if place else self._frame
        return widget.window() is self._frame and widget.isVisibleTo(inside)

    def _go(self, number: int) -> None:
        assert self.bubble is not None
        self.number, self._going = number, True
        place = CONTROLS[self.stops[number].id].place
        if place:
            self._window.show_workspace(place)
        control = self.control()
        bring_forward(control)
        self._follow(control)
        self.bubble.say(self.stops[number], number, len(self.stops))
        self._place()
        self._going = self._used = False

    def _on_focus_changed(self, _old: QWidget | None, now: QWidget | None) -> None:
        if self.stops and not self._going and now is not None and self.bubble is not None:
            self._used = self._used or not self.bubble.isAncestorOf(now)

    # ------------------------------------------------------------------ following
    def _follow(self, control: QWidget | None) -> None:
        """Hear of whatever moves a control: itself, and all that it lies in."""
        for widget in self._followed:
            if shiboken6.isValid(widget):
                widget.removeEventFilter(self)
        self._followed = []
        while control is not None:
            self._followed.append(control)
            control.installEventFilter(self)
            control = None if control is self._frame else control.parentWidget()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() in _MOVED:
            self._soon.start()
        return False

    def _place(self) -> None:
        """Put the bubble beside its control; where that is gone, the tour is over."""
        if not self.stops or self.bubble is None or self.outline is None:
            return
        control = self.control()
        if not control.isVisible() or control.window() is not self._frame:
            self._used = True
            self.leave()
            return
        self.bubble.fit()
        pointed_at, place = placed(self._seen(control), self.bubble.size(), self._frame.rect())
        self.bubble.move(place.topLeft())
        self.outline.surround(pointed_at)
        self.bubble.raise_()

    def _seen(self, control: QWidget) -> QRect:
        """Return what is in sight of a control, in the window's coordinates."""
        seen, widget = control.rect(), control
        above = control.parentWidget()
        while above is not None and widget is not self._frame:
            seen = seen.translated(widget.pos()) & above.rect()
            widget, above = above, above.parentWidget()
        return seen
