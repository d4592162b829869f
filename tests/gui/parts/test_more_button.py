"""What one seldom changes is unfolded by mouse or key, and out of the way of both while folded."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLineEdit, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from sae_desktop.gui.parts.labels import label
from sae_desktop.gui.parts.more_button import MoreButton


def focused() -> QWidget | None:
    return QApplication.focusWidget()


def test_more__unfolds_by_keyboard_and_its_fields_are_reached_only_then(qtbot: QtBot) -> None:
    window, part = QWidget(), QWidget()
    field, last, text = QLineEdit(), QLineEdit(), label("wrong " * 20, "small", wrap=True)
    inside = QVBoxLayout(part)
    inside.addWidget(field)
    inside.addWidget(text)
    more = MoreButton(part, "settings of the text")
    column = QVBoxLayout(window)
    for widget in (more, part, last):
        column.addWidget(widget)
    column.addStretch(1)
    qtbot.addWidget(window)
    window.resize(240, 500)
    window.show()
    more.setFocus()
    qtbot.waitUntil(lambda: focused() is more)
    assert more.accessibleName() == "More settings of the text"
    QTest.keyClick(more, Qt.Key.Key_Tab)
    assert focused() is last
    more.setFocus()
    QTest.keyClick(more, Qt.Key.Key_Space)
    assert part.isVisible()
    assert (more.text(), more.accessibleName()) == ("Less", "Less settings of the text")
    QTest.keyClick(more, Qt.Key.Key_Tab)
    assert focused() is field
    text.setText("wrong " * 60)
    qtbot.waitUntil(lambda: text.height() >= text.heightForWidth(text.width()))
    more.click()
    assert part.isHidden()
    assert more.text() == "More"
