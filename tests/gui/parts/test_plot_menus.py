"""What a plot makes ends with it: windows that come and go leave nothing behind."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PySide6.QtWidgets import QApplication, QMenu, QWidget
from pytestqt.qtbot import QtBot

from sae_desktop.gui.parts.histogram import ActivationHistogram
from sae_desktop.gui.parts.plot_style import log_log_view


@pytest.mark.parametrize(
    "make", [lambda: log_log_view("Plot", "Rows", "Loss"), ActivationHistogram]
)
def test_plot__takes_its_menus_along(qtbot: QtBot, make: Callable[[], QWidget]) -> None:
    def menus() -> int:
        return sum(isinstance(widget, QMenu) for widget in QApplication.allWidgets())

    before = menus()
    widget = make()
    assert menus() > before
    widget.deleteLater()
    qtbot.waitUntil(lambda: menus() == before)
