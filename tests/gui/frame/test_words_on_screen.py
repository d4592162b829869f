"""Every term that a person meets tells what it means where it stands, and the glossary has it.

The window is the real one, on the project that ships, with every workspace, place and panel.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from frame_client import FakeClient
from frame_harvest import model
from frame_project import ARCHITECTURES
from PySide6.QtCore import QEvent, QPoint
from PySide6.QtGui import QHelpEvent
from PySide6.QtWidgets import QApplication, QDialog, QLabel, QTabBar, QToolTip, QWidget
from pytestqt.qtbot import QtBot
from shipped import demonstration
from words_on_screen import OnScreen, words_on_screen

from sae_desktop.demonstrations import demonstration_copy
from sae_desktop.gui.forms.job_forms import EvaluateForm, IndexForm
from sae_desktop.gui.frame.main_window import MainWindow
from sae_desktop.gui.frame.menus import WORKSPACES
from sae_desktop.gui.parts.tab_order import tab_order
from sae_desktop.gui.parts.terms import terms_at
from sae_desktop.language_model.config import DescribeModelConfig
from sae_desktop.training.architecture_info import (
    ArchitecturesDescription,
    DescribeArchitecturesConfig,
)
from sae_desktop.words.first_steps import READING
from sae_desktop.words.glossary import hover, terms_in

OF_SHIPPED = demonstration()
OWN_NAMES = {
    "SAE Desktop", *(step.title for step in READING.steps), *OF_SHIPPED.monitors(),
    *OF_SHIPPED.scans(),
}  # fmt: skip
"""Not the terms that stand in them."""
SEEN = (
    "FVU", "L0", "Loss recovered", "Dead in evaluation", "Features", "Width", "Density", "Max",
    "Sites", "Tokens per window", "k", "λ", "Learning rate", "Throughput (rows per second)",
    "Explained variance", "Raises next token", "Nearest features", "Fires together with",
    "Activations", "Temperature", "Clamp", "Perplexity", "KL", "Dictionary",
)  # fmt: skip
"""Some of what must be found, so that the search itself is not blind."""


@pytest.fixture
def shown(window: MainWindow, client: FakeClient, tmp_path: Path, qtbot: QtBot) -> MainWindow:
    """The window on a copy of what ships, with everything built and every panel there."""
    window.session.open_project(demonstration_copy(tmp_path))
    for name, _, _ in WORKSPACES:
        window.show_workspace(name)
        qtbot.wait(50)
        for dock in window.workspace(name).docks():
            dock.show()
    client.finish(client.last(DescribeModelConfig), model())
    described = ArchitecturesDescription(architectures=ARCHITECTURES)
    client.finish(client.last(DescribeArchitecturesConfig), described)
    index = window.session.index
    assert index is not None
    window.session.select_feature(158)
    qtbot.wait(100)
    return window


def test_every_term_on_screen__tells_what_it_means(shown: MainWindow) -> None:
    places = words_on_screen(shown)
    assert [text for text in SEEN if text not in {place.text for place in places}] == []
    assert "\n".join(_silent(places)) == ""


def test_every_term_of_the_forms__tells_what_it_means(shown: MainWindow, qtbot: QtBot) -> None:
    session = shown.session
    shown.dialogs.show_shortcuts()
    shown.open_settings()
    forms = [IndexForm(session, session.dictionary), EvaluateForm(session, session.dictionary)]
    dialogs = [*forms, *shown.findChildren(QDialog)]
    assert len(dialogs) >= 4
    for dialog in dialogs:
        qtbot.addWidget(dialog)
        assert "\n".join(_silent(words_on_screen(dialog))) == ""


def _silent(places: list[OnScreen]) -> list[str]:
    """Return the places with a term in them that tell nothing of it."""
    return [
        f"{place.kind} “{place.text}”: {', '.join(entry.term for entry in terms_in(place.text))}"
        for place in dict.fromkeys(places)
        if place.text not in OWN_NAMES and terms_in(place.text) and not place.tip
    ]


def test_a_term_that_tells_nothing__is_found(shown: MainWindow) -> None:
    told = next(w for w in shown.findChildren(QLabel) if w.text() == "FVU" and w.toolTip())
    told.setToolTip("")
    assert [text for text in _silent(words_on_screen(shown)) if "“FVU”" in text]


def test_tabs_and_titles_of_panels__tell_what_they_show(shown: MainWindow, qtbot: QtBot) -> None:
    space = shown.workspace("explore")
    shown.show_workspace("explore")
    qtbot.wait(50)
    bar = next(b for b in space.findChildren(QTabBar) if b.tabText(0) == "Splitting")
    _hover(bar, bar.tabRect(0).center())
    assert hover("Splitting")[:30] in QToolTip.text()
    QToolTip.hideText()
    dock = next(d for d in space.docks() if d.windowTitle() == "Completeness")
    _hover(dock, QPoint(20, 8))
    assert hover("Completeness")[:30] in QToolTip.text()
    QToolTip.hideText()


def _hover(widget: QWidget, place: QPoint) -> None:
    event = QHelpEvent(QEvent.Type.ToolTip, place, widget.mapToGlobal(place))
    QApplication.sendEvent(widget, event)


def test_f1__has_something_to_say_at_most_of_what_the_keyboard_reaches(shown: MainWindow) -> None:
    for name in ("project", "train", "explore", "steer"):
        shown.show_workspace(name)
        stops = tab_order(shown.workspace(name))
        telling = [stop for stop in stops if terms_at(stop)]
        assert len(telling) > len(stops) / 2, name
