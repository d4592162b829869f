"""The wheel changes only what has the focus; what differs from the default is marked."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QCoreApplication, QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import (
    QApplication,
    QComboBox,
    QLabel,
    QScrollArea,
    QSlider,
    QVBoxLayout,
    QWidget,
)
from pytestqt.qtbot import QtBot

from sae_desktop.gui.harvest.corpus_fields import CorpusFields
from sae_desktop.gui.harvest.harvest_amount import HarvestAmount
from sae_desktop.gui.parts.default_mark import DefaultMark
from sae_desktop.gui.parts.number_fields import CountField, DecimalField
from sae_desktop.gui.parts.wheel_guard import WheelGuard
from sae_desktop.gui.train.training_settings import TrainingSettings


def turned(over: QWidget, window: QWidget) -> QWheelEvent:
    """Return a turn of the wheel over the middle of a widget, as the window hears it."""
    place = QPointF(over.mapTo(window, over.rect().center()))
    return QWheelEvent(
        place,
        window.mapToGlobal(place),
        QPoint(0, 0),
        QPoint(0, -120),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )


def turn(window: QWidget, over: QWidget) -> None:
    """Turn the wheel down over a widget."""
    event = turned(over, window)
    guard = QApplication.instance().findChild(WheelGuard)  # type: ignore[union-attr]
    assert guard is not None
    if not guard.eventFilter(window.windowHandle(), event):
        # Qt hands on from a field's line to the field only what a real mouse does.
        QCoreApplication.sendEvent(over, turned(over, over))


@pytest.fixture
def area(qapp: QApplication, qtbot: QtBot) -> QScrollArea:
    """A form higher than its area, with a field of every kind."""
    inside = QWidget()
    column = QVBoxLayout(inside)
    box, slider = QComboBox(), QSlider(Qt.Orientation.Horizontal)
    box.addItems(["a", "b", "c"])
    slider.setRange(0, 10)
    slider.setValue(5)
    for widget in (CountField(500, 1), DecimalField(0.5, 1.0, 3), box, slider):
        column.addWidget(widget)
    for number in range(40):
        column.addWidget(QLabel(str(number)))
    area = QScrollArea()
    area.setWidget(inside)
    qtbot.addWidget(area)
    area.resize(300, 300)
    with qtbot.waitExposed(area):
        area.show()
    qtbot.waitUntil(lambda: area.verticalScrollBar().maximum() > 0, timeout=5_000)
    WheelGuard(qapp).guard(area.windowHandle())
    return area


def values(area: QScrollArea) -> list[float]:
    count, decimal = area.findChild(CountField), area.findChild(DecimalField)
    box, slider = area.findChild(QComboBox), area.findChild(QSlider)
    assert count is not None
    assert decimal is not None
    assert box is not None
    assert slider is not None
    return [count.value(), decimal.value(), box.currentIndex(), slider.value()]


def test_wheel__over_a_field_scrolls_the_form(area: QScrollArea) -> None:
    for kind in (CountField, DecimalField, QComboBox, QSlider):
        area.setFocus()
        area.verticalScrollBar().setValue(0)
        before, field = values(area), area.findChild(kind)
        assert field is not None
        turn(area, field)
        assert values(area) == before, kind
        assert area.verticalScrollBar().value() > 0, kind
        assert not field.hasFocus()


def test_wheel__changes_the_field_that_has_the_focus(area: QScrollArea, qtbot: QtBot) -> None:
    area.activateWindow()
    for kind in (CountField, DecimalField, QComboBox, QSlider):
        before, field = values(area), area.findChild(kind)
        assert field is not None
        field.setFocus()
        qtbot.waitUntil(field.hasFocus, timeout=5_000)
        turn(area, field)
        assert values(area) != before, kind


def test_training_settings__mark_what_differs_and_put_it_back(qtbot: QtBot) -> None:
    settings = TrainingSettings()
    qtbot.addWidget(settings)
    default = settings.fields["gradient_clip"].value()
    mark = settings.mark("gradient_clip")
    assert mark is not None
    assert mark.isHidden()
    settings.fields["gradient_clip"].setValue(0.82)
    assert not mark.isHidden()
    assert mark.toolTip() == f"Back to the default: {default:g}"
    mark.click()
    assert settings.config("").gradient_clip == default
    assert mark.isHidden()


@pytest.mark.parametrize("form", [TrainingSettings, HarvestAmount, CorpusFields])
def test_forms__mark_nothing_at_first_and_everything_that_is_changed(
    form: type[QWidget], qtbot: QtBot
) -> None:
    widget = form()
    qtbot.addWidget(widget)
    marks = widget.findChildren(DefaultMark)
    assert marks
    for mark in marks:
        assert mark.isHidden(), mark.accessibleName()
        field = mark._field
        if isinstance(field, CountField | DecimalField):
            field.setValue(field.value() + 1)
            assert not mark.isHidden()
            mark.click()
            assert mark.isHidden(), mark.accessibleName()
