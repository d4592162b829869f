"""The Training panel on a real project and an engine the test answers for."""

from __future__ import annotations

import dataclasses

import msgspec
from frame_client import FakeClient
from frame_project import ARCHITECTURES, SITE, add_run, add_store, train_result
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from pytestqt.qtbot import QtBot

from sae_desktop.engine.protocol import AdjustJob
from sae_desktop.gui.forms.job_forms import EvaluateForm, IndexForm
from sae_desktop.gui.state.session import Session
from sae_desktop.gui.train.training import TrainingPanel
from sae_desktop.project import Project
from sae_desktop.training.architecture_info import DescribeArchitecturesConfig
from sae_desktop.training.config import (
    TrainConfig,
)
from sae_desktop.words.training_catalogue import STREAM

OUT = "blocks.1.hook_mlp_out"


def choose(panel: TrainingPanel, field: str, value: str) -> None:
    box = panel.form.fields[field]
    assert box.findData(value) >= 0
    box.setCurrentIndex(box.findData(value))
    box.activated.emit(box.currentIndex())


def shown_fields(panel: TrainingPanel) -> set[str]:
    return {name for name, group in panel.form._groups.items() if not group.isHidden()}


# ---------------------------------------------------------------------- settings
def test_training__offers_what_the_engine_told_of_and_asks_once(
    training: TrainingPanel, client: FakeClient
) -> None:
    box = training.form.fields["architecture"]
    assert [box.itemText(n) for n in range(box.count())] == [a.title for a in ARCHITECTURES]
    assert training.config().architecture == "matryoshka"
    training.hide()
    training.show()
    assert len(client.started(DescribeArchitecturesConfig)) == 1


def test_training__shows_only_what_matters(training: TrainingPanel) -> None:
    assert {"k", "aux_weight"} <= shown_fields(training)
    assert not {"sparsity", "sparsity_warm_up", "site", "sites"} & shown_fields(training)
    choose(training, "architecture", "standard")
    assert {"sparsity", "sparsity_warm_up"} <= shown_fields(training)
    assert not {"k", "aux_weight", "threshold_decay"} & shown_fields(training)
    assert training.config().name == "standard-64"
    assert training.form.fields["sparsity"].text() == "default (5)"
    assert training.config().sparsity is None


def test_training__asks_for_rows_and_features_that_suit_the_store(
    training: TrainingPanel, session: Session
) -> None:
    form, fields = training.form, training.form.fields
    store = session.inventory.stores[0]
    small = dataclasses.replace(store, name="small", rows=20_000)
    large = dataclasses.replace(store, name="large", rows=3_000_000)
    form.show_stores([small, large], "small")
    choose(training, "activations", "small")
    assert fields["features"].value() == max(8 * store.width, 64)
    assert fields["tokens"].value() == 400_000
    choose(training, "activations", "large")
    assert fields["tokens"].value() == 3_000_000
    fields["tokens"].setValue(1_000_000)  # by hand: it stays
    fields["features"].setValue(96)
    choose(training, "activations", "small")
    assert (fields["tokens"].value(), fields["features"].value()) == (1_000_000, 96)


def test_training__a_step_up_from_a_default_begins_at_its_value(training: TrainingPanel) -> None:
    choose(training, "architecture", "standard")
    field = training.form.fields["sparsity"]
    field.stepBy(1)
    assert training.config().sparsity == 5.0
    field.setValue(0.0)
    field.stepBy(-1)
    assert training.config().sparsity is None


def test_training__asks_no_second_look_of_what_takes_none(training: TrainingPanel) -> None:
    training.form.fields["leave_one_out"].setValue(0.8)
    assert training.config().leave_one_out == 0.8
    choose(training, "architecture", "standard")
    assert training.config().leave_one_out == 0.0
    assert training.setup.start_button.isEnabled()
    choose(training, "architecture", "jumprelu")
    assert training.config().leave_one_out == 0.8


def test_training__says_at_the_field_what_is_wrong(training: TrainingPanel) -> None:
    assert training.form._rare.isHidden()
    training.form.fields["batch"].setValue(100_000)
    assert not training.setup.start_button.isEnabled()
    assert "fewer than one batch" in training.form._explanations["batch"].text()
    assert not training.form._rare.isHidden()


def test_training__a_transcoder_reads_one_site_and_writes_another(
    training: TrainingPanel, project: Project, session: Session, qtbot: QtBot
) -> None:
    choose(training, "target", "transcoder")
    assert not training.setup.start_button.isEnabled()
    add_store(project, "two", rows=4_000, wanted=4_000, more_sites=(OUT,))
    with qtbot.waitSignal(session.contentsChanged):
        session.refresh()
    choose(training, "activations", "two")
    config = training.config()
    assert (config.sites, config.output_sites) == ((SITE,), (OUT,))
    assert training.setup.start_button.isEnabled()
    choose(training, "output_site", SITE)
    assert "same site" in training.form._explanations["target"].text()


def test_training__a_crosscoder_takes_the_checked_sites(
    training: TrainingPanel, project: Project, session: Session, qtbot: QtBot
) -> None:
    add_store(project, "three", rows=4_000, wanted=4_000, more_sites=(OUT, "blocks.2.hook_mlp_out"))
    with qtbot.waitSignal(session.contentsChanged):
        session.refresh()
    choose(training, "activations", "three")
    choose(training, "target", "crosscoder")
    assert len(training.config().sites) == 3
    training.form.fields["sites"].item(1).setCheckState(Qt.CheckState.Unchecked)
    assert training.config().sites == (SITE, "blocks.2.hook_mlp_out")
    assert "other_activations" in shown_fields(training)


def test_training__a_crosscoder_of_models_takes_the_checked_stores(
    training: TrainingPanel, project: Project, session: Session, qtbot: QtBot
) -> None:
    for name in ("base", "tuned", "chat"):
        add_store(project, name, rows=4_000, wanted=4_000)
    with qtbot.waitSignal(session.contentsChanged):
        session.refresh()
    choose(training, "activations", "base")
    choose(training, "target", "crosscoder")
    others = training.form.fields["other_activations"]
    assert training.config().other_activations == ()
    for row in range(others.count()):
        if others.item(row).text() in ("tuned", "chat"):
            others.item(row).setCheckState(Qt.CheckState.Checked)
    config = training.config()
    assert set(config.other_activations) == {"tuned", "chat"}
    assert training.setup.start_button.isEnabled()
    training.form.fill(msgspec.structs.replace(config, other_activations=("chat",)))
    assert training.config().other_activations == ("chat",)


def test_training__a_stream_needs_no_store(training: TrainingPanel, session: Session) -> None:
    choose(training, "activations", STREAM)
    config = training.config()
    assert config.activations == ""
    assert config.stream is not None
    assert config.stream.model == "builtin"
    assert training.setup.start_button.isEnabled()
    session.draft_harvest(msgspec.structs.replace(config.stream, model="smollm2", site=OUT))
    assert "smollm2" in training.form._explanations["activations"].text()
    stream = training.config().stream
    assert stream is not None
    assert stream.site == OUT


def test_training__copies_the_settings_of_a_run_to_a_new_one(
    training: TrainingPanel, project: Project, session: Session, qtbot: QtBot
) -> None:
    made = TrainConfig(
        project="elsewhere",
        name="done",
        activations="acts",
        architecture="standard",
        features=64,
        sparsity=2.5,
        tokens=3_000,
        batch=256,
        lr=3e-4,
        seed=7,
        init="data",
        centre="never",
        lr_warm_up=0.1,
        precision="float32",
        exclude_massive=False,
        device="cpu",
    )
    training.setup.copy_settings(made)
    wanted = msgspec.structs.replace(made, project=str(project.path), name="done-2")
    assert training.config() == wanted


# ---------------------------------------------------------------------- a running training
def test_training__stops_and_keeps(training: TrainingPanel, client: FakeClient) -> None:
    training.start()
    job = client.last(TrainConfig)
    client.run(job)
    infos = {info.id: info for info in training.action_infos()}
    enabled = infos["train.stop"].enabled_when
    assert enabled is not None
    assert enabled()
    infos["train.stop"].callback()
    assert type(client.sent[-1]).__name__ == "StopJob"
    result = msgspec.structs.replace(train_result(job.config.name), stopped_early=True)
    client.finish(job, result)
    assert not enabled()


def test_training__leads_on_to_an_index(
    training: TrainingPanel, client: FakeClient, project: Project
) -> None:
    assert training.index_button.isHidden()
    training.start()
    job = client.last(TrainConfig)
    assert training.index_button.isHidden()
    add_run(project, job.config.name)
    client.finish(job, train_result(job.config.name))
    assert not training.index_button.isHidden()
    assert job.config.name in training.index_button.text()
    training.index_button.click()
    form = training.window().findChild(IndexForm)
    assert form is not None
    assert job.config.name in form.windowTitle()


def test_training__changes_lr_and_lambda_of_a_running_one(
    training: TrainingPanel, client: FakeClient
) -> None:
    assert training.live.isHidden()
    choose(training, "architecture", "standard")
    training.start()
    job = client.last(TrainConfig)
    client.run(job)
    live = training.live
    assert not live.isHidden()
    assert not live.button.isEnabled()
    live.sparsity.stepBy(1)
    live.lr.setValue(1e-4)
    live.button.click()
    assert client.sent[-1] == AdjustJob(job_id=job.id, values={"lr": 1e-4, "sparsity": 5.0})
    assert not live.button.isEnabled()
    client.finish(job, train_result(job.config.name))
    assert live.isHidden()


def test_training__lambda_is_not_offered_where_there_is_none(
    training: TrainingPanel, client: FakeClient
) -> None:
    training.start()
    client.run(client.last(TrainConfig))
    assert training.live.sparsity.isHidden()
    assert not training.live.lr.isHidden()


def test_training__waits_for_the_engine(training: TrainingPanel, client: FakeClient) -> None:
    assert training.setup.start_button.isEnabled()
    client.crash("Killed.")
    assert not training.setup.start_button.isEnabled()
    assert "not running" in training.setup._summary.text()
    client.restart()
    assert training.setup.start_button.isEnabled()


# ---------------------------------------------------------------------- histograms, samples
def test_density__walks_over_the_snapshots(training: TrainingPanel) -> None:
    density = training.density
    assert density.slider.maximum() == 1
    assert "4 silent" in density._text.text()
    density.slider.setValue(0)
    assert density._text.text() == "Step 5, 16 features."


def test_histograms__offer_what_the_run_has(training: TrainingPanel) -> None:
    kinds = training.density.kind
    assert [kinds.itemData(n).id for n in range(kinds.count())] == ["density", "norm"]
    kinds.setCurrentIndex(1)
    assert training.density._text.text() == "Step 10, 16 features."
    training.density.copy_data()
    assert QGuiApplication.clipboard().text().startswith("norm_from\tnorm_to\tfeatures\n")


def test_samples__are_those_of_the_shown_snapshot(training: TrainingPanel) -> None:
    texts = [view.plain_text() for view in training.samples.views if not view.isHidden()]
    assert texts == ["the Lord"]
    training.density.slider.setValue(0)
    assert all(view.isHidden() for view in training.samples.views)


# ---------------------------------------------------------------------- the table of runs
def test_runs__are_sorted_by_a_figure_and_the_cursor_stays(
    training: TrainingPanel, project: Project, session: Session, qtbot: QtBot
) -> None:
    add_run(project, "worse", fvu=0.5)
    with qtbot.waitSignal(session.contentsChanged):
        session.refresh()
    training.runs.choose("worse")
    column = training.runs.model.column_of("fvu")
    assert column is not None
    training.runs.table.sortByColumn(column, Qt.SortOrder.DescendingOrder)
    assert training.runs.names() == ["worse", "done"]
    assert training.runs.current == "worse"
    training.runs.copy_table()
    assert "0.125" in QGuiApplication.clipboard().text()


def test_runs__menu_evaluates_and_copies_settings(
    training: TrainingPanel, client: FakeClient, qtbot: QtBot
) -> None:
    menu = training.runs.menu(training.runs.model.run_at(0))
    enabled = {action.text(): action.isEnabled() for action in menu.actions()}
    assert enabled == {
        "Draw only this run": True,
        "Copy its settings to a new run": True,
        "Train it further…": True,
        "Resume the training": False,
        "Evaluate…": True,
    }
    menu.close()
    training.runs.requested.emit("copy_settings", "done")
    assert training.config().name == "done-2"
    assert training.config().features == 16
    training.runs.requested.emit("evaluate", "done")
    form = training.window().findChild(EvaluateForm)
    assert form is not None
    form.reject()


def test_runs__a_read_only_project_is_not_evaluated(
    training: TrainingPanel, client: FakeClient
) -> None:
    client.refuse_project("Open elsewhere.")
    menu = training.runs.menu(training.runs.model.run_at(0))
    enabled = {action.text(): action.isEnabled() for action in menu.actions()}
    menu.close()
    assert not enabled["Evaluate…"]
    assert enabled["Copy its settings to a new run"]


def test_evaluation__stands_beside_random_directions(
    training: TrainingPanel, project: Project, session: Session, qtbot: QtBot
) -> None:
    view = training.board.evaluation
    assert view._table.isHidden()
    add_run(project, "measured", evaluated=True)
    with qtbot.waitSignal(session.contentsChanged):
        session.refresh()
    training.runs.choose("measured")
    texts = [view.grid.itemAt(n).widget().text() for n in range(view.grid.count())]
    place = texts.index("FVU")
    assert texts[place : place + 3] == ["FVU", "0.110", "0.700"]
    model = training.runs.model
    row, column = model.row_of("measured"), model.column_of("random_fvu")
    assert row is not None
    assert column is not None
    assert model.index(row, column).data() == "0.700"
