"""The wheel scrolls what it is over; a field changes by it only once it has the focus."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication, QEvent, QObject, QPointF
from PySide6.QtGui import QWheelEvent, QWindow
from PySide6.QtWidgets import (
    QAbstractScrollArea,
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QScrollBar,
    QWidget,
)

from sae_desktop.gui.parts.window_guard import WindowGuard

_FIELDS = (QComboBox, QAbstractSpinBox, QAbstractSlider)


class WheelGuard(WindowGuard):
    """Hands the wheel on from a field that has not the focus to what scrolls the field."""

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() != QEvent.Type.Wheel or not isinstance(event, QWheelEvent):
            return False
        field = _field_at(watched, event.position())
        if field is None or _has_focus(field):
            return False
        area = _scroll_area_of(field)
        if area is not None:
            _send_on(event, area)
        return True


def _field_at(window: QObject, position: QPointF) -> QWidget | None:
    if not isinstance(window, QWindow):
        return None
    top = next((w for w in QApplication.topLevelWidgets() if w.windowHandle() is window), None)
    widget = top.childAt(position.toPoint()) if top is not None else None
    while widget is not None:
        if isinstance(widget, _FIELDS) and not isinstance(widget, QScrollBar):
            return widget
        if isinstance(widget, QAbstractScrollArea):
            return None  # a list inside something, which scrolls itself
        widget = widget.parentWidget()
    return None


def _has_focus(field: QWidget) -> bool:
    focused = QApplication.focusWidget()
    return focused is not None and (focused is field or field.isAncestorOf(focused))


def _scroll_area_of(field: QWidget) -> QAbstractScrollArea | None:
    widget = field.parentWidget()
    while widget is not None and not isinstance(widget, QAbstractScrollArea):
        widget = widget.parentWidget()
    return widget


def _send_on(event: QWheelEvent, area: QAbstractScrollArea) -> None:
    viewport = area.viewport()
    place = QPointF(viewport.mapFromGlobal(event.globalPosition().toPoint()))
    passed = QWheelEvent(
        place,
        event.globalPosition(),
        event.pixelDelta(),
        event.angleDelta(),
        event.buttons(),
        event.modifiers(),
        event.phase(),
        event.inverted(),
    )
    QCoreApplication.sendEvent(viewport, passed)
