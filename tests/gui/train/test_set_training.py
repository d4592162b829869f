"""A set is trained from the form of a dictionary, and its layers are seen as they learn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from frame_client import FakeClient
from frame_project import ARCHITECTURES
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot
from set_project import FEATURES, add_set

from sae_desktop.activations.config import HarvestConfig
from sae_desktop.engine.protocol import StopJob
from sae_desktop.errors import UserError
from sae_desktop.features.set_index_config import IndexSetConfig
from sae_desktop.gui.forms.set_forms import IndexSetForm
from sae_desktop.gui.state.job_start import on_device
from sae_desktop.gui.state.session import Session
from sae_desktop.gui.train.layers_plot import LayersPlot
from sae_desktop.gui.train.set_draft import parse_layers, set_target
from sae_desktop.gui.train.training import TrainingPanel
from sae_desktop.project import Project
from sae_desktop.training.config import TrainConfig
from sae_desktop.training.planning.preflight_config import PreflightResult, Room
from sae_desktop.training.set_config import (
    EstimateSetConfig,
    SetEstimate,
    SetLayerFigures,
    TrainSetConfig,
    TrainSetResult,
)
from sae_desktop.words.inventory import take_inventory
from sae_desktop.words.layer_figures import LayerFigures, layer_figures


def choose_target(panel: TrainingPanel, kind: Any) -> None:
    box = panel.form.fields["target"]
    box.setCurrentIndex(box.findData(set_target(kind)))
    box.activated.emit(box.currentIndex())


@pytest.fixture
def drafted(training: TrainingPanel, session: Session) -> TrainingPanel:
    """Harvest is set to the built-in model, and there is the architecture usual for sets."""
    usual = msgspec.structs.replace(ARCHITECTURES[0], name="batchtopk", title="BatchTopK")
    training.setup.show_architectures([*ARCHITECTURES, usual])
    session.draft_harvest(HarvestConfig(project="", name="", model="builtin", site="s"))
    return training


def estimate(*, fits: bool = True) -> SetEstimate:
    room = Room(place="memory", needed_bytes=3_000_000_000, free_bytes=8_000_000_000, needs=[])
    needs = PreflightResult(
        fits=fits,
        problem="" if fits else "The set needs 30 GB of memory; 8 GB are free.",
        would_fit=[] if fits else ["--features 512"],
        device="cpu",
        precision="float32",
        rooms=[room],
        largest_features=4096,
    )
    return SetEstimate(needs=needs, layers=(0, 1, 2, 3), features=8192, set_bytes=31_000_000)


def outcome(name: str, kind: Any, figures: tuple[float, ...]) -> TrainSetResult:
    by_layer = tuple(
        SetLayerFigures(layer=layer, fvu=fvu, l0=8.0, dead_fraction=0.0)
        for layer, fvu in enumerate(figures)
    )
    return TrainSetResult(
        name=name, kind=kind, layers=tuple(range(len(figures))), features=FEATURES, rows=10_000,
        figures=by_layer, seconds=1.0, rows_per_second=1e4, stopped_early=False, bytes=1,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "layers"),
    [("", ()), ("3", (3,)), ("0-2, 5", (0, 1, 2, 5)), ("0–1; 1", (0, 1)), ("2..4", (2, 3, 4))],
)
def test_layers__are_read_as_typed(text: str, layers: tuple[int, ...]) -> None:
    assert parse_layers(text) == layers


@pytest.mark.parametrize("text", ["x", "3-1", "-2", "1 2", "0-99999"])
def test_layers__that_are_none_are_refused(text: str) -> None:
    with pytest.raises(UserError):
        parse_layers(text)


def test_set__takes_the_place_of_one_dictionary_in_the_form(
    drafted: TrainingPanel, client: FakeClient
) -> None:
    form = drafted.form
    assert not form.set_fields.isVisibleTo(form)
    choose_target(drafted, "transcoders")
    assert form.set_fields.isVisibleTo(form)
    assert not form.fields["output_site"].isVisibleTo(form)
    form.set_fields.layers.setText("0-3")
    form.fields["features"].setValue(2048)
    drafted.start()
    config = client.last(TrainSetConfig).config
    assert (config.kind, config.skip, config.layers) == ("transcoders", True, (0, 1, 2, 3))
    assert config.train.stream is not None  # the store has no layer's sites
    assert config.train.architecture == "batchtopk"
    assert (config.name, config.train.features) == ("transcoders-2048", 2048)
    box = form.fields["target"]
    box.setCurrentIndex(box.findData("input"))
    assert form.config("p").architecture == "matryoshka"
    assert not form.set_fields.isVisibleTo(form)


def test_set__is_set_up_where_circuits_lead_here(
    drafted: TrainingPanel, session: Session, project: Project
) -> None:
    session.setWanted.emit()
    request = drafted.setup.request()
    assert isinstance(request, TrainSetConfig)
    assert request.train.stream is not None
    drafted.form.set_fields.layers.setText("1")
    session.setWanted.emit()  # a set that is being set up stays as it is
    assert drafted.form.set_fields.layers.text() == "1"


def test_set__without_a_skip_or_across_layers_is_another_target(training: TrainingPanel) -> None:
    choose_target(training, "transcoders")
    training.form.set_fields.skip.setChecked(False)
    request = training.setup.request()
    assert isinstance(request, TrainSetConfig)
    assert (request.skip, request.train.target) == (False, "transcoder")
    choose_target(training, "cross_layer")
    request = training.setup.request()
    assert isinstance(request, TrainSetConfig)
    assert (request.kind, request.train.target) == ("cross_layer", "cross_layer_transcoder")
    assert not training.form.set_fields.skip.isVisibleTo(training.form)


def test_set__says_what_it_takes_and_does_not_start_beyond_it(
    drafted: TrainingPanel, client: FakeClient, asked: Callable[[type], Any]
) -> None:
    choose_target(drafted, "transcoders")
    question = asked(EstimateSetConfig)
    assert question.config.measure is False
    client.finish(question, estimate())
    told = drafted.setup._summary.text()
    assert told.startswith("4 layers (0–3), 8,192 features in all, 31 MB on disk once trained.")
    assert "3 GB of 8 GB free memory" in drafted.setup._needs.text()
    drafted.form.fields["features"].setValue(1_000_000)
    client.finish(asked(EstimateSetConfig), estimate(fits=False))
    assert not drafted.setup.start_button.isEnabled()
    assert "--features 512" in drafted.setup._summary.text()
    drafted.start()
    assert client.started(TrainSetConfig) == []


def test_set__computes_on_the_device_that_the_settings_name() -> None:
    train = TrainConfig(project="p", name="")
    asked = EstimateSetConfig(train=TrainSetConfig(project="p", name="s", train=train))
    assert on_device(asked, "cuda:1").train.train.device == "cuda:1"
    own = msgspec.structs.replace(train, device="cpu")
    asked = EstimateSetConfig(train=TrainSetConfig(project="p", name="s", train=own))
    assert on_device(asked, "cuda:1").train.train.device == "cpu"


def test_set__says_at_the_field_what_is_wrong(drafted: TrainingPanel) -> None:
    choose_target(drafted, "transcoders")
    drafted.form.set_fields.layers.setText("zero")
    assert drafted.setup.blocked().startswith("“zero” is not a layer")
    assert drafted.form.set_fields.layers.property("invalid") == "true"
    drafted.form.set_fields.layers.setText("")
    assert drafted.setup.blocked() == ""
    drafted.form.choose_store("acts")
    assert drafted.setup.blocked().startswith("The store lacks what a set is trained on")
    assert drafted.setup.sweep_blocked().startswith("A sweep is over single dictionaries")


def test_set__of_which_settings_are_copied_gets_a_free_name_or_is_resumed(
    training: TrainingPanel, session: Session, project: Project
) -> None:
    config = add_set(project, "half", finished=False)
    session.look_again()
    training.setup.copy_settings(config)
    assert training.form.config("p").architecture == config.train.architecture
    assert training.setup.request().name == "half-2"
    training.form.forget_name()
    training.setup.refresh()
    assert training.form.fields["name"].text() == "half"
    assert training.setup.start_button.text() == "Resume the training"
    training.form.fields["k"].setValue(9)
    assert training.form.fields["name"].text() == f"transcoders-{FEATURES}"
    assert training.setup.start_button.text() == "Start the training"


def test_set__in_training_is_listed_drawn_and_stopped(
    training: TrainingPanel, session: Session, client: FakeClient, project: Project
) -> None:
    config = add_set(project, "whole", layers=4, finished=False)
    job = client.start_job(config)
    client.run(job)
    session.look_again()
    for _ in range(4):
        training._look()
    names = [f"whole.L0{layer}" for layer in range(4)]
    assert (training.runs.set, training.runs.names()) == ("whole", names)
    assert set(names) <= set(training.curves.runs)
    shares = [training.curves.runs[name].share for name in names]
    assert shares == pytest.approx([0, 1 / 3, 2 / 3, 1])
    assert len({training.curves.colour_of(name) for name in names}) == 4
    assert training.tabs.isTabVisible(training.tabs.indexOf(training.board.layers))
    assert [one.fvu for one in training.board.layers.figures] == pytest.approx([0.09] * 4)
    member = training.runs.model.run_at(0)
    assert not training.board.actions.allowed("resume", member)
    training._stop_and_keep()
    assert StopJob(job_id=job.id) in client.sent


def test_set__leads_on_to_the_index_of_its_layers(
    training: TrainingPanel, session: Session, client: FakeClient, project: Project
) -> None:
    job = client.start_job(add_set(project, "whole"))
    client.finish(job, outcome("whole", "transcoders", (0.0, 0.1, 0.2)))
    assert training.index_button.text() == "Index all layers of “whole”"
    training.index_button.click()
    form = training.window().findChild(IndexSetForm)
    assert form is not None
    assert form._room.text().startswith("The activations take 9.6 MB of disk")
    form.rows.setValue(1_000)
    form.accept()
    asked = client.last(IndexSetConfig).config
    assert (asked.set, asked.rows, asked.lean, asked.layers) == ("whole", 1_000, True, ())


def test_runs__of_a_set_stay_out_of_the_list_of_all(
    training: TrainingPanel, session: Session, project: Project
) -> None:
    add_set(project, "whole", layers=12)
    session.look_again()
    assert training.runs.names() == ["done"]
    session.setRequested.emit("whole")
    assert len(training.runs.names()) == 12
    assert training.runs.model.column_of("layer") is not None
    training.curves.redraw()
    legend = training.curves._legend.text()
    assert "layer&nbsp;0" in legend
    assert "layer&nbsp;11" in legend
    assert "more" not in legend


def test_figures__by_layer_are_those_of_the_end_or_of_the_members(project: Project) -> None:
    add_set(project, "whole")
    add_set(project, "clt", layers=1)
    result = outcome("clt", "cross_layer", (0.3, 0.2))
    (project.set_path("clt") / "result.json").write_bytes(msgspec.json.encode(result))
    across, whole = take_inventory(project).sets
    assert [one.fvu for one in layer_figures(whole)] == pytest.approx([0.0, 0.1, 0.2])
    found = [(one.layer, one.fvu, one.run) for one in layer_figures(across)]
    assert found == [(0, 0.3, "clt.L00"), (1, 0.2, "clt.L00")]


def test_layers_plot__is_walked_by_key(qtbot: QtBot) -> None:
    plot = LayersPlot()
    qtbot.addWidget(plot)
    figures = [LayerFigures(n, f"s.L0{n}", 0.1 * n, 8.0, 0.0) for n in range(3)]
    picked: list[str] = []
    plot.picked.connect(picked.append)
    plot.show_figures(figures, "s.L01")
    assert plot.readout.text() == "Layer 1 · FVU 0.100 · L0 8.0 · 0.0% dead"
    qtbot.keyClick(plot, Qt.Key.Key_Right)
    assert picked == ["s.L02"]
    plot.show_figures(figures, "s.L02")
    qtbot.keyClick(plot, Qt.Key.Key_Right)
    assert picked == ["s.L02"]
    plot.show_figures([], "")
    assert plot._empty.isVisibleTo(plot)
