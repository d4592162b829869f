"""The card of an index: what it took to make, and which stage took longest."""

from __future__ import annotations

import datetime

from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from sae_desktop.features.stages import StageTime
from sae_desktop.gui.project.card_grid import CardWidget
from sae_desktop.gui.project.project_cards import _index
from sae_desktop.words.inventory import IndexItem

NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
STAGES = (
    StageTime(name="Reading the activations", seconds=2.0, processor_seconds=3.5),
    StageTime(name="Naming the features", seconds=6.0, processor_seconds=6.0),
)


def test_card__says_what_an_index_took_and_the_longest_stage_first(qtbot: QtBot) -> None:
    card = _index(IndexItem("i", "d", "", "m", 8, 100, 1_000, NOW, STAGES), NOW)
    assert ("Made in", "8.0 s") in card.figures
    widget = CardWidget(card, lambda *_: None, lambda _: True)
    qtbot.addWidget(widget)
    tips = [one.toolTip() for one in widget.findChildren(QLabel)]
    told = next(tip for tip in tips if "Naming" in tip)
    assert told.index("Naming the features: 6.0 s, 75%") < told.index(
        "Reading the activations: 2.0 s, 25%"
    )


def test_card__of_an_earlier_version_does_not_guess() -> None:
    card = _index(IndexItem("i", "d", "", "m", 8, 100, 1_000, NOW), NOW)
    assert "Made in" not in dict(card.figures)
