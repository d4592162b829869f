"""The rail of workspaces: every button whole, however low the window."""

from __future__ import annotations

from itertools import pairwise

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QToolButton, QWidget
from pytestqt.qtbot import QtBot

from sae_desktop.gui.frame.menus import WORKSPACES
from sae_desktop.gui.frame.rail import Rail
from sae_desktop.gui.parts.actions import ActionInfo


@pytest.mark.parametrize(("height", "texts"), [(700, True), (340, False), (280, False)])
def test_rail__lays_no_button_over_another(qtbot: QtBot, height: int, texts: bool) -> None:
    rail = Rail([ActionInfo(f"view.{n}", text, print, icon=icon) for n, text, icon in WORKSPACES])
    qtbot.addWidget(rail)
    rail.resize(rail.width(), 700)
    rail.show()
    rail.resize(rail.width(), height)
    qtbot.wait(50)
    buttons = sorted(rail.findChildren(QToolButton), key=lambda button: button.y())
    assert len(buttons) == len(WORKSPACES)
    for above, below in pairwise(buttons):
        assert above.geometry().bottom() < below.y()
    assert buttons[-1].geometry().bottom() < height
    with_text = Qt.ToolButtonStyle.ToolButtonTextUnderIcon
    assert all((button.toolButtonStyle() == with_text) == texts for button in buttons)
    assert all(button.accessibleName() and button.toolTip() for button in buttons)


@pytest.mark.parametrize("height", range(300, 720, 20))
def test_rail__asks_for_as_little_however_its_buttons_stand(qtbot: QtBot, height: int) -> None:
    """Else a window with a dock below it lays itself out for ever, and answers nothing."""
    rail = Rail([ActionInfo(f"view.{n}", text, print, icon=icon) for n, text, icon in WORKSPACES])
    whole = QWidget()
    qtbot.addWidget(whole)
    row = QHBoxLayout(whole)
    row.setContentsMargins(0, 0, 0, 0)
    row.addWidget(rail)
    whole.resize(200, height)
    whole.show()
    qtbot.wait(20)
    assert rail.height() == height
    assert row.minimumSize().height() == rail.minimumHeight() == 268
