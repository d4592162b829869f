"""The table and the curves of a completeness job."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from other_dictionary import add_dictionaries, look_again
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from pytestqt.qtbot import QtBot

from sae_desktop.comparison.completeness_table import write_table
from sae_desktop.comparison.config import (
    CompletenessConfig,
    CompletenessResult,
    ConceptRow,
    Detector,
    DictionaryCompleteness,
)
from sae_desktop.features.reading.firing_paths import firings_folder
from sae_desktop.gui.explore.ask.completeness import CompletenessPanel
from sae_desktop.gui.state.session import Session
from sae_desktop.words.completeness_figures import share_curves, summary_text


def detector(feature: int, f1: float) -> Detector:
    return Detector(feature=feature, threshold=1.0, f1=f1, precision=f1, recall=f1)


def row(concept: str, occurrences: int, small: float, large: float) -> ConceptRow:
    return ConceptRow(
        concept=concept,
        occurrences=occurrences,
        frequency=occurrences / 1000,
        judged=True,
        detectors=[detector(1, small), detector(70, large)],
        control=[0.1, 0.2],
    )


def dictionary(name: str, index: str, features: int, found: int) -> DictionaryCompleteness:
    return DictionaryCompleteness(
        dictionary=name, index=index, features=features, alive=features, found=found,
        control_found=0, even_chance=0.04, even_chance_low=0.03, even_chance_high=0.05,
    )  # fmt: skip


TABLE = CompletenessResult(
    name="cities",
    concepts="cities",
    tokens=1000,
    judged=3,
    least_f1=0.5,
    least_occurrences=10,
    dictionaries=[dictionary("dict", "main", 64, 1), dictionary("large", "large-index", 96, 2)],
    rows=[
        row("Rome", 100, 0.9, 0.95),
        row("Athens", 50, 0.2, 0.8),
        row("Paris", 20, 0.1, 0.3),
        ConceptRow(
            concept="Ur", occurrences=2, frequency=0.002, judged=False,
            detectors=[None, None], control=[0.0, 0.0],
        ),
    ],
    seconds=1.0,
)  # fmt: skip


@pytest.fixture
def panel(qtbot: QtBot, session: Session) -> CompletenessPanel:
    panel = CompletenessPanel(session)
    qtbot.addWidget(panel)
    panel.resize(300, 700)
    panel.show()
    qtbot.waitExposed(panel)
    return panel


def keep_firings(session: Session, *names: str) -> None:
    for name in names:
        firings_folder(session.project.index_path(name)).mkdir()


def cells(panel: CompletenessPanel, column: int) -> list[str]:
    model = panel.model
    return [model.index(r, column).data() for r in range(model.rowCount())]


def test_without_firings__says_what_is_needed(panel: CompletenessPanel) -> None:
    assert "has no firings" in panel.state.text()
    assert not panel.look.isEnabled()
    assert panel.results.isHidden()
    lists = [panel.lists.itemText(i) for i in range(panel.lists.count())]
    assert lists == ["animals", "cities", "countries", "elements", "programming"]


def test_look__asks_one_index_of_each_dictionary(
    panel: CompletenessPanel, session: Session, client
) -> None:
    add_dictionaries(session.project)
    keep_firings(session, "main", "large-index")
    look_again(session)
    panel.lists.setCurrentText("cities")
    assert "Not searched yet: “cities”" in panel.state.text()
    assert panel.indexes.text() == "2 indexes"
    panel.control.setChecked(False)
    panel.look.click()
    config = client.jobs[-1].config
    assert isinstance(config, CompletenessConfig)
    assert (config.name, config.concepts, config.control) == ("cities", "cities", False)
    assert set(config.indexes) == {"main", "large-index"}
    first = panel.indexes.menu().actions()[0]
    first.trigger()
    assert panel.indexes.text() == "1 index"
    panel.look.click()
    assert len(client.jobs[-1].config.indexes) == 1


def test_table__shows_how_well_each_dictionary_knows_a_concept(
    panel: CompletenessPanel, session: Session
) -> None:
    add_dictionaries(session.project)
    write_table(session.project, TABLE)
    look_again(session)
    panel.lists.setCurrentText("cities")
    assert not panel.results.isHidden()
    assert cells(panel, 0) == ["Rome", "Athens", "Paris", "Ur"]
    assert cells(panel, 1) == ["100", "50", "20", "2"]
    assert cells(panel, 3) == ["0.95", "0.80", "0.30", "–"]
    model = panel.model
    assert model.index(0, 2).data(Qt.ItemDataRole.BackgroundRole) is not None
    assert model.index(1, 2).data(Qt.ItemDataRole.BackgroundRole) is None  # below 0.5
    tip = model.index(1, 3).data(Qt.ItemDataRole.ToolTipRole)
    assert "best random direction: F1 0.20" in tip
    assert "Strongest in “" in tip  # what the feature fires on, which has no label
    assert "Too rare" in model.index(3, 3).data(Qt.ItemDataRole.ToolTipRole)
    assert "dict: 1 of 3 have a feature" in panel.summary.text()
    panel.table.sortByColumn(3, Qt.SortOrder.AscendingOrder)
    assert cells(panel, 0) == ["Paris", "Athens", "Rome", "Ur"]  # what is not judged stays last
    panel.table.sortByColumn(0, Qt.SortOrder.AscendingOrder)
    assert cells(panel, 0) == ["Athens", "Paris", "Rome", "Ur"]
    panel.copy_data()
    assert QGuiApplication.clipboard().text().splitlines()[1].startswith("Rome\t100\t0.1\t1\t\t0.9")


def test_cell__opens_its_feature(panel: CompletenessPanel, session: Session) -> None:
    add_dictionaries(session.project)
    write_table(session.project, TABLE)
    look_again(session)
    panel.lists.setCurrentText("cities")
    panel.table.activated.emit(panel.model.index(1, 3))
    assert (session.index_name, session.feature) == ("large-index", 70)
    panel.table.activated.emit(panel.model.index(0, 0))  # the concept itself is no feature
    assert (session.index_name, session.feature) == ("large-index", 70)


def test_curves__are_running_shares_by_frequency() -> None:
    (small, large) = share_curves(TABLE, times_alive=False)
    assert small.dictionary == "dict"
    assert small.shares.tolist() == pytest.approx([1 / 3])
    assert large.shares.tolist() == pytest.approx([2 / 3])
    assert small.frequencies.tolist() == pytest.approx([np.cbrt(0.1 * 0.05 * 0.02)])
    times = share_curves(TABLE, times_alive=True)
    assert times[1].frequencies == pytest.approx(large.frequencies * 96)
    assert times[1].even_chance == pytest.approx(0.04 * 96)
    told = summary_text(TABLE, 1)
    assert "half do at 1 in 25 tokens, × 96 alive = 3.84 (90% interval 2.88 to 4.80)" in told


def test_curves__are_drawn(panel: CompletenessPanel, session: Session) -> None:
    write_table(session.project, TABLE)
    look_again(session)
    panel.lists.setCurrentText("cities")
    assert len(panel.plot.plot.listDataItems()) == 2
    panel.times_alive.setChecked(True)
    assert len(panel.plot.plot.listDataItems()) == 2
    assert "alive" in panel.plot.plot.getAxis("bottom").labelText


def test_add_list__takes_a_file_in(
    panel: CompletenessPanel, session: Session, tmp_path: Path, heard
) -> None:
    (tmp_path / "mine.txt").write_text("Golden Gate | Golden Gate Bridge\n")
    panel.add_list(tmp_path / "mine.txt")
    assert panel.lists.currentText() == "mine"
    assert session.project.concept_lists() == ["mine"]
    (tmp_path / "bad.txt").write_text("a\na\n")
    panel.add_list(tmp_path / "bad.txt")
    assert "appears twice" in heard.errors[-1].what
    assert panel.lists.currentText() == "mine"


def test_damaged_table__is_said(panel: CompletenessPanel, session: Session, heard) -> None:
    write_table(session.project, TABLE)
    session.project.completeness_path("cities").write_text("{")
    look_again(session)
    panel.lists.setCurrentText("cities")
    assert "cannot be read" in heard.errors[-1].what
    assert panel.results.isHidden()
