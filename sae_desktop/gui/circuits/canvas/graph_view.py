"""The graph under one's hands: dragged, zoomed, pointed at, clicked, walked by the keys."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QPointF, Qt, Signal
from PySide6.QtGui import (
    QContextMenuEvent,
    QFocusEvent,
    QHelpEvent,
    QKeyEvent,
    QMouseEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QToolTip

from sae_desktop.gui.circuits.canvas.canvas import GraphCanvas
from sae_desktop.gui.parts.plain_text import show_tip

_CLICK = 4.0
_STEP = 1.25
_WAYS = {
    Qt.Key.Key_Left: (-1, 0),
    Qt.Key.Key_Right: (1, 0),
    Qt.Key.Key_Up: (0, -1),
    Qt.Key.Key_Down: (0, 1),
}
_LETTERS = {
    Qt.Key.Key_P: "pin",
    Qt.Key.Key_F: "freeze",
    Qt.Key.Key_E: "open",
    Qt.Key.Key_G: "fold",
    Qt.Key.Key_T: "test",
    Qt.Key.Key_N: "node",
}
_PAN = 0.15


class GraphView(GraphCanvas):
    """Drag pans, the wheel zooms, a click selects; what is pointed at lights up.

    Arrow keys go from node to node, with Shift up along the strongest output and down along the
    strongest input, with Ctrl they pan; Return selects, + − 0 zoom.
    """

    nodeClicked = Signal(object)
    """A node's number, or None for a click on nothing."""
    nodeOpened = Signal(int)
    """A node was double-clicked."""
    nodePointed = Signal(object)
    keyAsked = Signal(str)
    """What a letter stands for: "pin", "freeze", "open", "fold", "test" or "node"."""
    keyboardChanged = Signal()
    """The keyboard has come, or gone."""
    menuAsked = Signal(int, object)
    """A node and the place of the screen."""

    def __init__(self) -> None:
        super().__init__()
        self.tip_of: Callable[[int], str] = lambda _node: ""
        self._pressed: QPointF | None = None
        self._pressed_camera = self.camera

    # ------------------------------------------------------------------ the pointer
    def wheelEvent(self, event: QWheelEvent) -> None:
        area = self.area()
        at = event.position() - area.topLeft()
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            delta = event.angleDelta()
            self.set_camera(self.camera.moved(-(delta.x() or delta.y()), 0))
        else:
            steps = event.angleDelta().y() / 120
            self.set_camera(self.camera.zoomed(_STEP**steps, at.x(), at.y()))
        event.accept()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._pressed, self._pressed_camera = event.position(), self.camera

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._pressed is None or not event.buttons() & Qt.MouseButton.LeftButton:
            node = self.node_at(event.position())
            hand = Qt.CursorShape.PointingHandCursor
            self.setCursor(hand if node is not None else Qt.CursorShape.ArrowCursor)
            self._point(node)
            return
        away = event.position() - self._pressed
        if away.manhattanLength() > _CLICK:
            self.setCursor(Qt.CursorShape.ClosedHandCursor)
            self.set_camera(self._pressed_camera.moved(-away.x(), -away.y()))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        pressed, self._pressed = self._pressed, None
        if pressed is None:
            return
        self.setCursor(Qt.CursorShape.ArrowCursor)
        if (event.position() - pressed).manhattanLength() <= _CLICK:
            self.nodeClicked.emit(self.node_at(event.position()))

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        node = self.node_at(event.position())
        if node is not None:
            self.nodeOpened.emit(node)

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._point(None)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        if event.reason() is QContextMenuEvent.Reason.Keyboard:
            node = self._stood_on()
            if node is not None:
                self.menuAsked.emit(node, self.mapToGlobal(self.at(node).toPoint()))
            return
        node = self.node_at(QPointF(event.pos()))
        if node is not None:
            self.menuAsked.emit(node, event.globalPos())

    def event(self, event: QEvent) -> bool:
        if event.type() is QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            node = self.node_at(QPointF(event.pos()))
            text = "" if node is None else self.tip_of(node)
            if text:
                show_tip(event.globalPos(), text, self)
            else:
                QToolTip.hideText()
            return True
        return super().event(event)

    def _point(self, node: int | None) -> None:
        if node != self.pointed:
            self.point_at(node)
            self.nodePointed.emit(node)

    # ------------------------------------------------------------------ the keys
    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.keyboardChanged.emit()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.keyboardChanged.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key, modifiers = Qt.Key(event.key()), event.modifiers()
        area = self.area()
        middle = (area.width() / 2, area.height() / 2)
        if key in _WAYS and modifiers & Qt.KeyboardModifier.ControlModifier:
            across, down = _WAYS[key]
            self.set_camera(
                self.camera.moved(across * area.width() * _PAN, down * area.height() * _PAN)
            )
        elif key in _WAYS:
            self._step(key, follow=bool(modifiers & Qt.KeyboardModifier.ShiftModifier))
        elif key in (Qt.Key.Key_Plus, Qt.Key.Key_Equal):
            self.set_camera(self.camera.zoomed(_STEP, *middle))
        elif key == Qt.Key.Key_Minus:
            self.set_camera(self.camera.zoomed(1 / _STEP, *middle))
        elif key == Qt.Key.Key_0:
            self.show_all()
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            node = self._stood_on()
            if node is not None:
                self.nodeClicked.emit(node)
        elif key == Qt.Key.Key_Escape and (self.selected is not None or self.frozen):
            self.nodeClicked.emit(None)
        elif key in _LETTERS and not modifiers & ~Qt.KeyboardModifier.KeypadModifier:
            self.keyAsked.emit(_LETTERS[key])
        else:
            super().keyPressEvent(event)

    def _stood_on(self) -> int | None:
        """Return the node the arrow keys start at: pointed at, selected, or what is explained."""
        for node in (self.pointed, self.selected):
            if node is not None and self._is_shown(node):
                return node
        return self._first()

    def _first(self) -> int | None:
        """Return the most likely of the tokens that are explained."""
        if self.scene is None or not len(self.scene.nodes):
            return None
        nodes = self.scene.nodes
        return int(nodes[self.scene.probability[nodes].argmax()])

    def _step(self, key: Qt.Key, *, follow: bool) -> None:
        if self.scene is None:
            return
        start = self._stood_on()
        if start is None:
            return
        if self.pointed is None and self.selected is None:
            found: int | None = start
        elif follow and key in (Qt.Key.Key_Up, Qt.Key.Key_Down):
            found = self.scene.follow(start, outputs=key == Qt.Key.Key_Up)
        else:
            found = self.scene.beside(start, *_WAYS[key])
        if found is not None:
            self.show_node(found)
            self._point(found)
