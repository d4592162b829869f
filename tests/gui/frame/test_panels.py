"""The Project, Harvest and Training panels on a real project and an engine the test answers for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest
from frame_client import FakeClient, Heard
from frame_project import add_run, add_store, train_result
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QGuiApplication
from pytestqt.qtbot import QtBot

from sae_desktop.activations.config import (
    CorpusDescription,
    CorpusPreview,
    DescribeCorpusConfig,
    EstimateHarvestConfig,
    HarvestConfig,
    HarvestEstimate,
    HarvestResult,
    ImportActivationsConfig,
)
from sae_desktop.features.config import IndexConfig
from sae_desktop.gui.advice import advice
from sae_desktop.gui.curve_buffer import CurveBuffer
from sae_desktop.gui.panels.harvest import HarvestPanel
from sae_desktop.gui.panels.job_forms import EvaluateForm, ImportForm, IndexForm
from sae_desktop.gui.panels.project import ProjectPanel
from sae_desktop.gui.panels.training import TrainingPanel
from sae_desktop.gui.session import Session
from sae_desktop.gui.settings import Settings
from sae_desktop.gui.widgets.card_grid import CardWidget
from sae_desktop.gui.widgets.curve_stack import axis_end
from sae_desktop.language_model.config import (
    DescribeModelConfig,
    GetModelConfig,
    GetModelResult,
    ModelDescription,
)
from sae_desktop.project import Project
from sae_desktop.training.config import EvaluateConfig, TrainConfig
from sae_desktop.training.run_log import read_run

SITES = [
    f"blocks.{layer}.hook_{hook}"
    for layer in range(4)
    for hook in ("resid_pre", "attn_out", "resid_mid", "mlp_out", "resid_post")
]


def model(*, cached: bool = True) -> ModelDescription:
    return ModelDescription(
        name="builtin",
        architecture="LlamaForCausalLM",
        layers=4,
        width=32,
        vocabulary=512,
        context_size=256,
        parameters=100_000,
        sites=SITES,
        default_site="blocks.2.hook_resid_post",
        cached=cached,
    )


# ---------------------------------------------------------------------- project
@pytest.fixture
def project_panel(session: Session, project: Project, qtbot: QtBot) -> ProjectPanel:
    add_store(project, "acts", rows=20, wanted=20)
    add_run(project, "done")
    session.open_project(project.path)
    panel = ProjectPanel(session)
    qtbot.addWidget(panel)
    panel.resize(1100, 700)
    panel.show()
    return panel


def card(panel: ProjectPanel, name: str) -> CardWidget:
    return next(w for w in panel.findChildren(CardWidget) if w.card.name == name)


def test_project_panel__welcomes_without_a_project(session: Session, qtbot: QtBot) -> None:
    panel = ProjectPanel(session)
    qtbot.addWidget(panel)
    assert panel.currentIndex() == 0


def test_project_panel__shows_cards_and_the_next_step(project_panel: ProjectPanel) -> None:
    names = {w.card.name for w in project_panel.findChildren(CardWidget)}
    assert names == {"builtin", "acts", "done"}
    assert project_panel.next_button.text() == "Build an index"


def test_project_panel__opens_the_form_of_the_next_step(
    project_panel: ProjectPanel, client: FakeClient
) -> None:
    project_panel.do_next_step()
    form = project_panel.window().findChild(IndexForm)
    assert form is not None
    form.accept()
    config = client.last(IndexConfig).config
    assert isinstance(config, IndexConfig)
    assert (config.dictionary, config.activations, config.rows) == ("done", "acts", 0)


def test_project_panel__enter_on_a_card_does_its_first_action(
    project_panel: ProjectPanel, heard: Heard, qtbot: QtBot
) -> None:
    qtbot.keyClick(card(project_panel, "acts"), Qt.Key.Key_Return)
    assert heard.workspaces == ["train"]


def test_project_panel__allows_no_writing_when_read_only(
    project_panel: ProjectPanel, client: FakeClient
) -> None:
    client.refuse_project("Open elsewhere.")
    assert not project_panel.next_button.isEnabled()
    menu = card(project_panel, "done").menu()
    enabled = {action.text(): action.isEnabled() for action in menu.actions() if action.text()}
    assert not enabled["Delete…"]
    assert enabled["Show its curves"]
    menu.close()


def test_project_panel__deletes_a_store(
    project_panel: ProjectPanel, session: Session, project: Project, qtbot: QtBot
) -> None:
    with qtbot.waitSignal(session.contentsChanged):
        project_panel.delete("store", "acts")
    assert project.stores() == []


def test_project_panel__a_dropped_matrix_is_offered_for_import(
    project_panel: ProjectPanel, client: FakeClient, tmp_path: Path
) -> None:
    file = tmp_path / "my acts.npy"
    np.save(file, np.zeros((4, 8), dtype=np.float32))
    project_panel.take(file)
    form = project_panel.window().findChild(ImportForm)
    assert form is not None
    form.accept()
    config = client.last(ImportActivationsConfig).config
    assert isinstance(config, ImportActivationsConfig)
    assert (config.name, config.file) == ("my-acts", str(file))


def test_forms__refuse_a_name_that_is_taken(project_panel: ProjectPanel, session: Session) -> None:
    form = ImportForm(session, Path("acts.npy"))
    assert form.name.text() == "acts-2"
    form.name.setText("acts")
    assert not form._start.isEnabled()
    form.name.setText("../away")
    assert not form._start.isEnabled()
    form.deleteLater()


def test_evaluate_form__asks_for_the_store_it_was_trained_on(
    project_panel: ProjectPanel, session: Session, client: FakeClient
) -> None:
    form = EvaluateForm(session, "done")
    form.accept()
    config = client.last(EvaluateConfig).config
    assert isinstance(config, EvaluateConfig)
    assert config.activations == "acts"
    form.deleteLater()


# ---------------------------------------------------------------------- harvest
@pytest.fixture
def harvest(
    session: Session, client: FakeClient, project: Project, qtbot: QtBot
) -> Iterator[HarvestPanel]:
    session.open_project(project.path)
    panel = HarvestPanel(session)
    qtbot.addWidget(panel)
    panel.resize(1100, 700)
    panel.show()
    client.finish(client.last(DescribeModelConfig), model())
    yield panel
    panel.hide()


def test_harvest__makes_the_config_that_is_shown(harvest: HarvestPanel, project: Project) -> None:
    harvest.sites.pick("blocks.1.hook_mlp_out")
    harvest.amount.tokens.setValue(20_000)
    config = harvest.config()
    assert config == HarvestConfig(
        project=str(project.path),
        name="builtin-L1-mlp_out",
        site="blocks.1.hook_mlp_out",
        tokens=20_000,
    )
    assert harvest.site_box.currentText() == "blocks.1.hook_mlp_out"


def test_harvest__says_the_estimate_in_words(
    harvest: HarvestPanel, client: FakeClient, qtbot: QtBot
) -> None:
    qtbot.waitUntil(lambda: bool(client.started(EstimateHarvestConfig)), timeout=5_000)
    estimate = HarvestEstimate(
        bytes=256_000_000,
        free_bytes=12_000_000_000,
        seconds=180.0,
        tokens_per_second=2_800.0,
        memory_bytes=0,
    )
    client.finish(client.last(EstimateHarvestConfig), estimate)
    text = harvest._estimate.text()
    assert text == ("500,000 tokens: ≈ 256 MB on disk (12 GB free), about 3 min at 2.8k tokens/s.")


def test_harvest__does_not_start_without_room(
    harvest: HarvestPanel, client: FakeClient, qtbot: QtBot
) -> None:
    qtbot.waitUntil(lambda: bool(client.started(EstimateHarvestConfig)), timeout=5_000)
    estimate = HarvestEstimate(
        bytes=2_000_000, free_bytes=500_000, seconds=1, tokens_per_second=1.0, memory_bytes=0
    )
    client.finish(client.last(EstimateHarvestConfig), estimate)
    assert "1.5 MB" in harvest._estimate.text()
    assert not harvest.start_button.isEnabled()


def test_harvest__starts_and_offers_to_train_on_what_it_made(
    harvest: HarvestPanel, client: FakeClient, heard: Heard
) -> None:
    harvest.start()
    job = client.last(HarvestConfig)
    client.run(job)
    assert not harvest.start_button.isEnabled()
    result = HarvestResult(
        name="builtin-L2-resid_post",
        site="blocks.2.hook_resid_post",
        rows=500_000,
        width=32,
        windows=1,
        documents=1,
        bytes=1,
        seconds=1,
        tokens_per_second=1,
    )
    client.finish(job, result)
    assert "500,000 rows" in harvest._estimate.text()
    harvest.train_button.click()
    assert heard.workspaces == ["train"]


def test_harvest__asks_to_get_a_model_that_is_not_here(
    harvest: HarvestPanel, client: FakeClient
) -> None:
    harvest.model.choice.set_value("smollm2")
    client.finish(client.last(DescribeModelConfig), model(cached=False))
    assert harvest.model.get_button.isVisible()
    assert not harvest.start_button.isEnabled()
    harvest.model.get_button.click()
    got = GetModelResult(name="smollm2", path="/x", source="hub", bytes=1, sha256="0")
    client.finish(client.last(GetModelConfig), got)
    client.finish(client.last(DescribeModelConfig), model())
    assert not harvest.model.get_button.isVisible()
    assert harvest.start_button.isEnabled()


def test_harvest__says_what_is_wrong_with_a_model(
    harvest: HarvestPanel, client: FakeClient
) -> None:
    harvest.fill({"model": "/no/model/here"})
    client.fail(client.last(DescribeModelConfig), "The folder is no model.")
    assert harvest.model._message.text() == "The folder is no model."
    assert not harvest.start_button.isEnabled()


def test_harvest__shows_how_the_text_begins(harvest: HarvestPanel, client: FakeClient) -> None:
    description = CorpusDescription(
        name="builtin",
        documents=3,
        bytes=2_000,
        sources=["a"],
        languages=["en", "de"],
        preview=[CorpusPreview(title="T", source="a", language="en", tokens=["In", " the"])],
    )
    client.finish(client.last(DescribeCorpusConfig), description)
    assert harvest.corpus._message.text() == "3 documents, 2 kB: en, de."
    assert "In" in harvest.corpus._preview.toPlainText()


def test_harvest__checks_names_and_context_in_place(harvest: HarvestPanel) -> None:
    harvest.amount.name.setText("no/slash")
    harvest.amount.name.textEdited.emit("no/slash")
    assert not harvest.start_button.isEnabled()
    assert harvest.amount.name.property("invalid") == "true"
    harvest.amount.name.setText("fine")
    harvest.amount.name.textEdited.emit("fine")
    harvest.amount.context_size.setValue(1_024)
    assert "256 at most" in harvest.amount._problem.text()


def test_site_picker__walks_by_keyboard_and_mouse(harvest: HarvestPanel, qtbot: QtBot) -> None:
    picker = harvest.sites
    picker.pick("blocks.1.hook_resid_mid")
    qtbot.keyClick(picker, Qt.Key.Key_Up)
    assert picker.site == "blocks.2.hook_resid_mid"
    qtbot.keyClick(picker, Qt.Key.Key_Right)
    assert picker.site == "blocks.2.hook_mlp_out"
    qtbot.keyClick(picker, Qt.Key.Key_End)
    assert picker.site == "blocks.3.hook_resid_post"
    point = next(p for p in picker._points if p.site == "blocks.0.hook_attn_out")
    place: QPointF = picker.point_position(point)
    qtbot.mouseClick(picker, Qt.MouseButton.LeftButton, pos=place.toPoint())
    assert picker.site == "blocks.0.hook_attn_out"
    assert "attention" in picker.accessibleDescription()


# ---------------------------------------------------------------------- training
@pytest.fixture
def training(
    session: Session, project: Project, qtbot: QtBot, client: FakeClient
) -> Iterator[TrainingPanel]:
    add_store(project, "acts", rows=4_000, wanted=4_000)
    add_run(project, "done")
    session.open_project(project.path)
    panel = TrainingPanel(session, Settings())
    for dock in panel.docks():
        qtbot.addWidget(dock.widget)
    qtbot.addWidget(panel)
    panel.resize(800, 700)
    panel.show()
    yield panel
    panel.hide()


def test_training__draws_the_runs_on_disk(training: TrainingPanel, qtbot: QtBot) -> None:
    assert set(training.curves.runs) == {"done"}
    training.curves.redraw()
    x, y = training.curves.runs["done"].items["l0"].getOriginalDataset()
    assert x is None or len(x) == 0
    x, y = training.curves.runs["done"].items["loss"].getOriginalDataset()
    assert list(x[:2]) == [500.0, 1000.0]
    assert y[0] == 10.0


def test_training__takes_live_points(
    training: TrainingPanel, client: FakeClient, session: Session, qtbot: QtBot
) -> None:
    training.start()
    job = client.last(TrainConfig)
    assert isinstance(job.config, TrainConfig)
    client.run(job)
    points = [{"rows": 2048.0 * n, "loss": 5.0 / n, "l0": 30.0} for n in (1, 2, 3)]
    client.points(job, points)
    buffer = training.curves.runs[job.config.name].buffer
    assert buffer.points == 3
    item = training.curves.runs[job.config.name].items["loss"]
    qtbot.waitUntil(lambda: item.yData is not None and len(item.yData) == 3, timeout=5_000)
    assert job.config.name in training.runs.shown()
    assert not training.start_button.isEnabled()


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


def test_training__shows_only_what_applies(training: TrainingPanel) -> None:
    fields, groups = training.form.fields, training.form._groups
    assert not groups["k"].isHidden()
    assert groups["sparsity"].isHidden()
    fields["architecture"].setCurrentIndex(fields["architecture"].findData("standard"))
    assert groups["k"].isHidden()
    assert not groups["sparsity"].isHidden()
    assert training.config().architecture == "standard"
    assert training.config().name == "standard-2048"


def test_training__says_at_the_field_what_is_wrong(training: TrainingPanel) -> None:
    training.form.fields["batch"].setValue(100_000)
    assert not training.start_button.isEnabled()
    assert "less than one batch" in training.form._explanations["batch"].text()


def test_training__overlays_the_runs_that_are_checked(
    training: TrainingPanel, project: Project, session: Session, qtbot: QtBot
) -> None:
    add_run(project, "other")
    with qtbot.waitSignal(session.contentsChanged):
        session.refresh()
    assert training.runs.names() == ["done", "other"]
    training.runs._list.item(1).setCheckState(Qt.CheckState.Checked)
    assert set(training.curves.runs) == {"done", "other"}
    colours = {training.curves.colour_of(name) for name in ("done", "other")}
    assert len(colours) == 2
    training.runs._list.item(0).setCheckState(Qt.CheckState.Unchecked)
    assert set(training.curves.runs) == {"other"}


def test_training__copies_the_data(training: TrainingPanel) -> None:
    training.curves.copy_data()
    lines = QGuiApplication.clipboard().text().splitlines()
    assert lines[0] == "# done"
    assert lines[1].split("\t")[:2] == ["step", "rows"]
    assert lines[2].split("\t")[:2] == ["1", "500"]


def test_training__the_cross_hair_reads_all_curves(training: TrainingPanel) -> None:
    training.curves._on_hovered(1_100.0)
    assert "at 1.1k rows" in training.curves._position.text()
    assert ">5<" in training.curves.plots["loss"].readout.text()
    assert ">0.45<" in training.curves.plots["fvu"].readout.text()
    training.curves._on_hovered(None)
    assert ">1<" in training.curves.plots["loss"].readout.text()


@pytest.mark.parametrize(
    ("rows", "end"), [(0, 1), (1, 1), (99, 100), (101, 125), (3.1e5, 4e5), (9.9e6, 1e7)]
)
def test_curves__end_their_axis_at_a_round_number(rows: float, end: float) -> None:
    assert axis_end(rows) == pytest.approx(end)


def test_density__walks_over_the_snapshots(training: TrainingPanel) -> None:
    density = training.density
    assert density.slider.maximum() == 1
    assert "4 silent" in density._text.text()
    density.slider.setValue(0)
    assert density._text.text() == "Step 5, 16 features."


def test_samples__are_those_of_the_shown_snapshot(training: TrainingPanel) -> None:
    texts = [view.plain_text() for view in training.samples.views if not view.isHidden()]
    assert texts == ["the Lord"]
    training.density.slider.setValue(0)
    assert all(view.isHidden() for view in training.samples.views)


def test_training__waits_for_the_engine(training: TrainingPanel, client: FakeClient) -> None:
    assert training.start_button.isEnabled()
    client.crash("Killed.")
    assert not training.start_button.isEnabled()
    assert "not running" in training._summary.text()
    client.restart()
    assert training.start_button.isEnabled()


def test_buffer__replaces_what_a_resumed_run_repeats(project: Project) -> None:
    add_run(project, "done")
    buffer = CurveBuffer.of_run(read_run(project.dictionary_path("done") / "run.h5"))
    assert buffer.points == 10
    buffer.append({"rows": 3_000.0, "loss": 99.0})
    assert buffer.points == 6
    assert buffer.last("loss") == 99.0
    for number in range(5_000):
        buffer.append({"rows": 4_000.0 + number, "loss": 1.0})
    assert buffer.points == 5_006
    assert buffer.column("rows")[0] == 500.0


def test_advice__speaks_only_of_what_concerns() -> None:
    config = TrainConfig(project="", name="a", activations="b", k=32, tokens=1_000)
    buffer = CurveBuffer()
    buffer.append({"rows": 10.0, "dead_fraction": 0.9, "l0": 90.0, "fvu": 0.9})
    assert advice(config, buffer) == {}
    buffer.append({"rows": 900.0, "dead_fraction": 0.3, "l0": 60.0, "fvu": 0.1})
    found = advice(config, buffer)
    assert set(found) == {"dead_fraction", "l0"}
    assert "30%" in found["dead_fraction"]
    assert "60" in found["l0"]
