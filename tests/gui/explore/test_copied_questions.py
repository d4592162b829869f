"""What is asked in Explore is copied as the job it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QToolButton, QWidget
from pytestqt.qtbot import QtBot

from sae_desktop.features.asking.text_set_config import FindFeaturesConfig
from sae_desktop.features.config import ProbeConfig
from sae_desktop.gui.explore.ask.probe import ProbePanel
from sae_desktop.gui.explore.ask.text_sets import TextSetsPanel
from sae_desktop.gui.parts.copy_code import COMMAND
from sae_desktop.gui.state.session import Session
from sae_desktop.words import as_code


def copied(panel: QWidget) -> str:
    """What “Copy as command” of a panel leaves on the clipboard."""
    (button,) = [b for b in panel.findChildren(QToolButton) if b.text() == "Copy as…"]
    clipboard = QGuiApplication.clipboard()
    clipboard.setText("nothing")
    (action,) = [a for a in button.menu().actions() if a.text() == COMMAND]
    action.trigger()
    return clipboard.text()


def _probe(session: Session) -> tuple[ProbePanel, Callable[[], None]]:
    panel = ProbePanel(session)
    return panel, lambda: panel.text.setPlainText("the cat sat")


def _text_sets(session: Session) -> tuple[TextSetsPanel, Callable[[], None]]:
    panel = TextSetsPanel(session)
    return panel, lambda: panel.on.setPlainText("un chat\nun chien")


@pytest.mark.parametrize(
    ("make", "kind", "fields"),
    [
        (_probe, ProbeConfig, {"text": "the cat sat", "spill": ""}),
        (_text_sets, FindFeaturesConfig, {"on": ["un chat", "un chien"]}),
    ],
)
def test_question__is_copied_once_there_is_one(
    make: Callable[[Session], tuple[Any, Callable[[], None]]],
    kind: type[msgspec.Struct],
    fields: dict[str, Any],
    session: Session,
    qtbot: QtBot,
) -> None:
    panel, write = make(session)
    qtbot.addWidget(panel)
    assert copied(panel) == "nothing"
    write()
    config = panel.config()
    assert isinstance(config, kind)
    assert (config.index, config.project) == ("main", session.project_path)  # type: ignore[attr-defined]
    assert {name: getattr(config, name) for name in fields} == fields
    assert copied(panel) == as_code.command(config)
