"""The rail of workspaces: every button whole, however low the window."""

from __future__ import annotations

from itertools import pairwise

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QToolButton
from pytestqt.qtbot import QtBot

from sae_desktop.gui.frame.menus import WORKSPACES
from sae_desktop.gui.frame.rail import Rail
from sae_desktop.gui.parts.actions import ActionInfo


@pytest.mark.parametrize(("height", "texts"), [(700, True), (340, False), (280, False)])
def test_rail__lays_no_button_over_another(qtbot: QtBot, height: int, texts: bool) -> None:
    rail = Rail([ActionInfo(f"view.{n}", text, print, icon=icon) for n, text, icon in WORKSPACES])
    qtbot.addWidget(rail)
    rail.setMinimumHeight(1)
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
