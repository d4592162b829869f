"""The dialog that says what harvest, training and index will take."""

from __future__ import annotations

import datetime

import pytest
from frame_client import FakeClient
from PySide6.QtWidgets import QPushButton, QWidget
from pytestqt.qtbot import QtBot

from sae_desktop.activations.config import HarvestConfig
from sae_desktop.gui.forms.sizing_dialog import SizingDialog
from sae_desktop.gui.frame.main_window import MainWindow
from sae_desktop.gui.state.session import Session
from sae_desktop.gui.train.sizing_request import sizing_of
from sae_desktop.gui.train.training import TrainingPanel
from sae_desktop.sizing.cards import USUAL
from sae_desktop.sizing.config import (
    MeasureMachineConfig,
    SizeConfig,
    SizeResult,
    Spent,
    Stage,
    StageSize,
    Told,
)
from sae_desktop.training.config import TrainConfig
from sae_desktop.training.planning.preflight_config import Need
from sae_desktop.words.inventory import StoreItem


def stage(which: Stage, *, problem: str = "") -> StageSize:
    need = [Need(what="weights", bytes=1_500_000_000)]
    return StageSize(
        stage=which,
        memory=Told(value=1.5e9, why="Weights 1.5 GB.", sure="estimated"),
        disk=Told(value=0, why="No store is written.", sure="counted"),
        seconds=Told(value=600, why="9 steps.", sure="assumed"),
        cards=Told(value=1, why="It fits on one card.", sure="counted"),
        needs=need, disk_needs=[], times=[Spent(what="steps", seconds=600)],
        problem=problem, changes=["1,024 features"] if problem else [],
    )  # fmt: skip


def result(*, problem: str = "", measured: str = "") -> SizeResult:
    return SizeResult(
        machine="this machine", model="builtin", site="blocks.3.hook_resid_post", width=256,
        features=2048, tokens=500_000, rows=500_000, basis="usual rates", measured=measured,
        stages=[stage("harvest"), stage("training", problem=problem), stage("index")],
    )  # fmt: skip


@pytest.fixture
def parent(qtbot: QtBot) -> QWidget:
    widget = QWidget()
    qtbot.addWidget(widget)
    return widget


@pytest.fixture
def dialog(session: Session, client: FakeClient, parent: QWidget) -> SizingDialog:
    made = SizingDialog(session, SizeConfig(), parent)
    made.open()
    return made


def answer(client: FakeClient, qtbot: QtBot, count: int, found: SizeResult) -> SizeConfig:
    qtbot.waitUntil(lambda: len(client.started(SizeConfig)) == count)
    config = client.last(SizeConfig).config
    client.finish(client.last(SizeConfig), found)
    assert isinstance(config, SizeConfig)
    return config


def test_dialog__shows_the_answer_for_what_is_set_at_once(
    dialog: SizingDialog, client: FakeClient, qtbot: QtBot
) -> None:
    assert answer(client, qtbot, 1, result()) == SizeConfig()
    shown = [dialog.table.item(0, column).text() for column in range(5)]
    assert shown == ["Harvest", "1.5 GB", "none", "about 10 min", "1"]
    assert dialog._heading.text().startswith("builtin at blocks.3.hook_resid_post, width 256")
    assert dialog._verdict.isHidden()
    assert dialog._basis.text() == "Times rest on usual rates."


def test_figure__that_is_chosen_says_where_it_comes_from(
    dialog: SizingDialog, client: FakeClient, qtbot: QtBot
) -> None:
    answer(client, qtbot, 1, result())
    assert dialog._why.text().startswith("Training, memory: Weights 1.5 GB. Estimated")
    dialog.table.setCurrentCell(2, 3)
    assert dialog._why.text() == ("Index, time: 9 steps. Assumed: it may be off by a factor of 4.")
    assert "factor of 4" in dialog.table.item(2, 3).toolTip()


def test_changes__are_asked_for_as_one_question_and_all_settings_reach_it(
    dialog: SizingDialog, client: FakeClient, qtbot: QtBot
) -> None:
    answer(client, qtbot, 1, result())
    dialog.fields["model"].setCurrentText("meta-llama/Llama-3.1-8B")
    dialog.fields["site"].setText(" blocks.16.hook_resid_post ")
    for name, value in (
        ("tokens", 8_000_000_000), ("width", 4096), ("parameters", 8_000_000_000),
        ("features", 34_000_000), ("k", 64), ("batch", 8192), ("rows", 1_000_000),
    ):  # fmt: skip
        dialog.fields[name].setValue(value)
    for name, value in (("card", "NVIDIA H100 SXM"), ("architecture", "topk"), ("dtype", "int8")):
        dialog.fields[name].setCurrentIndex(dialog.fields[name].findData(value))
    dialog.stream.setChecked(True)
    asked = answer(client, qtbot, 2, result(problem="The training needs 4 TB."))
    assert asked == SizeConfig(
        model="meta-llama/Llama-3.1-8B", site="blocks.16.hook_resid_post", tokens=8_000_000_000,
        width=4096, parameters=8_000_000_000, features=34_000_000, k=64, batch=8192,
        rows=1_000_000, card="NVIDIA H100 SXM", architecture="topk", dtype="int8", stream=True,
        folder=asked.folder,
    )  # fmt: skip
    assert dialog._verdict.text() == (
        "Training: The training needs 4 TB. This would help: 1,024 features."
    )
    assert dialog._verdict.property("role") == "warning"


def test_number__that_cannot_be_read_is_told_and_not_asked(
    dialog: SizingDialog, client: FakeClient, qtbot: QtBot
) -> None:
    answer(client, qtbot, 1, result())
    qtbot.keyClicks(dialog.fields["tokens"].lineEdit(), "many")
    assert dialog._verdict.text()
    assert not dialog._job.busy


def test_refusal__is_shown_where_the_answer_would_be(
    dialog: SizingDialog, client: FakeClient, qtbot: QtBot
) -> None:
    qtbot.waitUntil(lambda: len(client.started(SizeConfig)) == 1)
    client.fail(client.last(SizeConfig), "There is no model “x”.")
    assert dialog._verdict.text() == "There is no model “x”."
    assert dialog._verdict.property("role") == "error"


def test_measuring__is_followed_by_another_answer(
    dialog: SizingDialog, client: FakeClient, qtbot: QtBot
) -> None:
    answer(client, qtbot, 1, result())
    dialog.measure_button.click()
    assert not dialog.measure_button.isEnabled()
    assert "about ten seconds" in dialog._basis.text()
    qtbot.waitUntil(lambda: len(client.started(MeasureMachineConfig)) == 1)
    client.finish(client.last(MeasureMachineConfig), USUAL)
    answer(client, qtbot, 2, result(measured="today"))
    assert dialog.measure_button.isEnabled()
    assert dialog._basis.text() == "Times rest on usual rates."


# ---------------------------------------------------------------- ways in
def test_window__opens_it_from_the_menu_and_the_palette(window: MainWindow) -> None:
    assert window.registry.info("engine.size").text == "What will it take?…"
    window.registry.trigger("engine.size")
    assert window.findChild(SizingDialog) is not None


def test_training__opens_it_with_its_own_settings(training: TrainingPanel) -> None:
    setup = training.setup
    setup.form.fields["features"].setValue(4096)
    button = next(b for b in setup.findChildren(QPushButton) if b.text() == "What will it take?…")
    button.click()
    dialog = setup.window().findChild(SizingDialog)
    assert dialog is not None
    assert dialog.config().features == 4096
    assert dialog.config().tokens == setup.config().tokens


def _store(model: str) -> StoreItem:
    harvest = HarvestConfig(project="p", name="a", dtype="int8") if model else None
    now = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    return StoreItem("a", 9, 9, 64, model, "blocks.1.hook_resid_post", "c", 0, now, harvest)


def test_training__is_sized_with_the_model_site_and_format_of_its_rows() -> None:
    train = TrainConfig(project="p", name="d", activations="a", features=99, k=7, tokens=1234)
    found = sizing_of(train, _store("smollm2"))
    assert (found.model, found.site, found.dtype, found.width) == (
        "smollm2", "blocks.1.hook_resid_post", "int8", 0,
    )  # fmt: skip
    assert (found.features, found.k, found.tokens, found.stream) == (99, 7, 1234, False)
    assert sizing_of(train, _store("")).width == 64
    stream = TrainConfig(
        project="p", name="d", stream=HarvestConfig(project="", name="", model="smollm2")
    )
    assert sizing_of(stream, None).stream
    assert sizing_of(stream, None).model == "smollm2"
