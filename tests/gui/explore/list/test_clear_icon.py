"""The icon in the search field that clears it."""

from __future__ import annotations

import pytest
from PySide6.QtWidgets import QToolButton
from pytestqt.qtbot import QtBot

from sae_desktop.gui.explore.explore import ExplorePanel
from sae_desktop.gui.explore.list.filter_bar import FilterBar
from sae_desktop.gui.parts import theme


@pytest.fixture
def bar(panel: ExplorePanel) -> FilterBar:
    theme.manager().apply("light")
    return panel.list.bar


def icon_of(bar: FilterBar) -> QToolButton:
    return bar.search.findChild(QToolButton)


def test_clear_icon__goes_with_the_text_however_that_went(bar: FilterBar, qtbot: QtBot) -> None:
    bar.search.setText("French")
    qtbot.waitUntil(lambda: icon_of(bar).property("opacity") == 1.0)
    bar.clear_all()
    qtbot.waitUntil(lambda: icon_of(bar).property("opacity") == 0.0)


def test_clear_icon__stands_as_high_as_the_text(bar: FilterBar) -> None:
    bar.search.setText("French")
    middle = icon_of(bar).geometry().center().y()
    assert abs(middle - bar.search.rect().center().y()) <= 1


def test_search__filled_by_the_program_asks_for_nothing(bar: FilterBar, qtbot: QtBot) -> None:
    bar.search.setText("French")
    with qtbot.assertNotEmitted(bar.edited), qtbot.waitSignal(bar.toggled):
        bar.clear_all()
    assert not bar.search.text()
