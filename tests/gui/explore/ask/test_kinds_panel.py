"""The panel of concepts in every kind of instance: what is asked, shown and opened."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from sae_desktop.benchmark.kinds.config import (
    OF_FEATURES,
    WAYS,
    ConceptKindsConfig,
    ConceptKindsResult,
    ConceptRow,
    KindArea,
    ModalRow,
    ModalScore,
    Strongest,
)
from sae_desktop.gui.explore.ask.kinds import ConceptKindsPanel
from sae_desktop.gui.explore.ask.kinds_table import FIRST_KIND
from sae_desktop.gui.state.session import Session


def _row(concept: str, way, number: int, *areas: float) -> ConceptRow:
    return ConceptRow(
        concept=concept, group="animals", way=way, number=number, learnt=0.97,
        areas=[KindArea(kind=kind, area=area, low=area - 0.1, high=1.0, instances=3, others=6)
               for kind, area in zip(("en", "picture"), areas, strict=True)],
        strongest=Strongest(named=2, texts=6) if number == 7 else None,
    )  # fmt: skip


RESULT = ConceptKindsResult(
    index="i",
    kinds=["en", "picture"],
    learn=["en"],
    rows=[
        _row(concept, way, 7 if way in OF_FEATURES else -1, english, pictures)
        for concept, english, pictures in (("horse", 0.95, 0.5), ("cat", 0.85, 0.9))
        for way in WAYS
    ],
    modality=ModalScore(
        features=20, same=2, other_way=1, by_chance=0.4,
        best=[ModalRow(feature=3, concept="cat", text=0.95, picture=0.92)],
    ),
    notes=["3 of 60 drawings are missing: 1f40e."],
)  # fmt: skip


@pytest.fixture
def panel(qtbot: QtBot, session: Session) -> ConceptKindsPanel:
    panel = ConceptKindsPanel(session)
    qtbot.addWidget(panel)
    panel.resize(900, 500)
    panel.show()
    return panel


def test_what_is_measured__is_a_table_with_the_means_of_all_ways_below(
    panel: ConceptKindsPanel, session: Session, client, tmp_path: Path
) -> None:
    assert not panel.table.isVisible()
    panel.drawings.setText(str(tmp_path))
    panel.learn.setCurrentIndex(1)
    panel.measure.click()
    config = client.jobs[-1].config
    assert isinstance(config, ConceptKindsConfig)
    assert (config.learn, config.pictures) == (("en",), (str(tmp_path),))
    assert not panel.measure.isEnabled()
    client.answer(client.jobs[-1], msgspec.structs.replace(RESULT, index=session.index_name))

    model = panel.model
    told = [
        [model.index(row, column).data() for column in range(model.columnCount())]
        for row in range(model.rowCount())
    ]
    assert told[0] == ["horse", "7", "2 of 6", "0.95", "0.50"]
    assert told[1] == ["cat", "7", "2 of 6", "0.85", "0.90"]
    assert told[2] == ["Mean, feature", "", "4 of 12", "0.90", "0.70"]
    assert len(told) == 2 + len(WAYS)
    tip = model.index(0, FIRST_KIND).data(Qt.ItemDataRole.ToolTipRole)
    assert "0.850–1.000" in tip
    assert "3 instances of the concept against 6" in tip
    # Half a chance, with an interval that holds it, has no colour.
    ground = Qt.ItemDataRole.BackgroundRole
    assert model.index(0, FIRST_KIND).data(ground) is not None
    assert model.index(0, FIRST_KIND + 1).data(ground) is None
    assert "3 of 60 drawings are missing" in panel.state.text()
    assert "2 have an AUROC" in panel.modality.text()
    assert [link.row.feature for link in panel.links.links()] == [3]
    panel._on_activated(model.index(0, 0))
    assert session.feature == 7
    panel.way.setCurrentIndex(WAYS.index("difference of means"))
    assert model.index(0, 1).data() == ""
    assert model.feature(model.index(0, 0)) is None


def test_what_cannot_be_measured__is_said_and_can_be_asked_again(
    panel: ConceptKindsPanel, client
) -> None:
    panel.measure.click()
    client.fail(client.jobs[-1], "None of the 60 drawings is there.")
    assert "None of the 60 drawings" in panel.state.text()
    assert panel.measure.isEnabled()


def test_in_a_low_dock__nothing_is_laid_over_another_and_no_head_is_cut(
    panel: ConceptKindsPanel, session: Session, client, qtbot: QtBot
) -> None:
    panel.measure.click()
    client.answer(client.jobs[-1], msgspec.structs.replace(RESULT, index=session.index_name))
    panel.resize(420, 200)
    shown = [panel.way, panel.state, panel.table, panel.modality, panel.links]
    qtbot.waitUntil(lambda: panel.table.height() >= 160)

    tops = [one.mapTo(panel, one.rect().topLeft()).y() for one in shown]
    for upper, top, next_top in zip(shown, tops, tops[1:], strict=False):
        assert top + upper.height() <= next_top, upper.accessibleName()
    head = panel.table.horizontalHeader()
    for column in range(panel.model.columnCount()):
        assert panel.table.columnWidth(column) > head.sectionSizeHint(column)
