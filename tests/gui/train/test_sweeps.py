"""Sweeps in the window: the typed grid, the table, the plots, and what a training needs."""

from __future__ import annotations

import msgspec
import pytest
from frame_client import FakeClient
from frame_project import ARCHITECTURES, add_run
from PySide6.QtGui import QGuiApplication
from pytestqt.qtbot import QtBot

from sae_desktop.engine.protocol import StopJob
from sae_desktop.errors import UserError
from sae_desktop.gui.state.background import Background
from sae_desktop.gui.state.session import Session
from sae_desktop.gui.train.pareto_plot import ParetoPlot
from sae_desktop.gui.train.scaling_plot import ScalingPlot
from sae_desktop.gui.train.sweep_draft import (
    AXIS_INFOS,
    SweepDraft,
    build_sweep,
    heeded_axes,
    parse_values,
    passes,
    sweep_text,
)
from sae_desktop.gui.train.training import TrainingPanel
from sae_desktop.project import Project
from sae_desktop.training.config import (
    TrainConfig,
)
from sae_desktop.training.sweeps.scaling import ScalingPoint, scaling_laws
from sae_desktop.training.sweeps.sweep_config import (
    SweepConfig,
    SweepRecord,
    SweepResult,
    SweepRow,
    sweep_points,
    write_sweep,
)
from sae_desktop.words.run_figures import RunRow
from sae_desktop.words.scaling_text import default_budget, law_line, law_text, optimum_text

AXIS = {info.axis: info for info in AXIS_INFOS}
HEEDED = {info.name: info.settings for info in ARCHITECTURES}
BASE = TrainConfig(project="p", name="base", activations="acts")


# ---------------------------------------------------------------------- the grid as typed
@pytest.mark.parametrize(
    ("axis", "text", "values"),
    [
        ("k", "16, 32,64", (16, 32, 64)),
        ("k", "", ()),
        ("features", "512..4096", (512, 1024, 2048, 4096)),
        ("features", "512 … 1024, 3k", (512, 1024, 3000)),
        ("tokens", "500k, 1.5M", (500_000, 1_500_000)),
        ("lr", "1e-4..8e-4", (1e-4, 2e-4, 4e-4, 8e-4)),
        ("sparsity", "0.5 5", (0.5, 5.0)),
        ("seed", "0..3", (0, 1, 2, 3)),
        ("k", "8, 8", (8,)),
    ],
)
def test_sweep__values_are_read_as_typed(axis: str, text: str, values: tuple[float, ...]) -> None:
    assert parse_values(AXIS[axis], text) == pytest.approx(values)


@pytest.mark.parametrize(
    ("axis", "text"),
    [("k", "many"), ("k", "1.5"), ("features", "64..8"), ("lr", "0..1"), ("seed", "0..1000")],
)
def test_sweep__what_is_no_list_is_refused(axis: str, text: str) -> None:
    with pytest.raises(UserError):
        parse_values(AXIS[axis], text)


def draft(*architectures: str, name: str = "s", **texts: str) -> SweepDraft:
    return SweepDraft(name, architectures, texts)


def test_sweep__counts_runs_and_passes() -> None:
    texts = {"k": "8, 16", "tokens": "10k, 20k", "seed": "0..1"}
    config, points, problems = build_sweep(draft(**texts), BASE, "p", HEEDED)
    assert problems == {}
    assert config is not None
    assert (config.k, config.seed) == ((8, 16), (0, 1))
    assert len(points) == 8
    assert len(passes(points)) == 4
    assert sweep_text(points).startswith("8 runs in 4 passes")
    assert "60k rows" in sweep_text(points)


def test_sweep__does_not_train_twice_what_an_architecture_ignores() -> None:
    sweep = draft("matryoshka", "standard", k="8, 16", sparsity="1, 2, 3")
    _, points, _ = build_sweep(sweep, BASE, "p", HEEDED)
    assert len(points) == 5


def test_sweep__shows_the_axes_that_say_something() -> None:
    assert {"k", "features"} <= heeded_axes(BASE, (), HEEDED)
    assert "sparsity" not in heeded_axes(BASE, (), HEEDED)
    assert {"k", "sparsity"} <= heeded_axes(BASE, ("matryoshka", "standard"), HEEDED)


@pytest.mark.parametrize(
    ("sweep", "field"),
    [
        (draft(k="8, x"), "k"),
        (draft(name="no/slash", k="8, 16"), "name"),
        (draft(k="8"), ""),
        (draft(k="8, 4096"), "k"),
        (draft(seed="0..63", k="1..60000", lr="1e-9..1e-3"), "name"),
    ],
)
def test_sweep__says_what_keeps_it_from_starting(sweep: SweepDraft, field: str) -> None:
    config, _, problems = build_sweep(sweep, BASE, "p", HEEDED)
    assert config is None
    assert set(problems) == {field}


# ---------------------------------------------------------------------- the panel
@pytest.fixture
def swept(
    training: TrainingPanel, project: Project, session: Session, qtbot: QtBot
) -> TrainingPanel:
    """The panel, with a run that a sweep “s” would make."""
    add_run(project, "s-k8")
    with qtbot.waitSignal(session.contentsChanged):
        session.refresh()
    return training


def type_into(panel: TrainingPanel, axis: str, text: str) -> None:
    field = panel.sweep.fields[axis]
    field.setText(text)
    field.textEdited.emit(text)


def record(config: SweepConfig, *states: str) -> SweepRecord:
    """The table of a sweep whose runs are in these states."""
    rows = [point.row for point in sweep_points(config, HEEDED)]
    done = {"l0": 8.0, "fvu": 0.2, "loss": 1.0, "steps": 10}
    rows = [
        msgspec.structs.replace(row, state=state, **(done if state == "done" else {}))
        for row, state in zip(rows, states, strict=True)
    ]
    return SweepRecord(config=config, rows=rows)


def test_sweep_form__starts_a_grid_around_the_settings(
    training: TrainingPanel, client: FakeClient
) -> None:
    form = training.sweep
    assert not form.start_button.isEnabled()
    assert form._groups["sparsity"].isHidden()
    type_into(training, "k", "8, 16")
    type_into(training, "seed", "0..2")
    assert form._summary.text().startswith("6 runs in 3 passes")
    training.form.fields["features"].setValue(300)
    form.start_button.click()
    config = client.last(SweepConfig).config
    assert isinstance(config, SweepConfig)
    assert (config.base.features, config.k, config.seed) == (300, (8, 16), (0, 1, 2))
    assert not form.start_button.isEnabled()


def test_sweep_form__marks_the_list_that_is_wrong(training: TrainingPanel) -> None:
    type_into(training, "k", "8, many")
    assert training.sweep.fields["k"].property("invalid") == "true"
    assert "not a number" in training.sweep._problems["k"].text()


def test_sweep_form__asks_for_the_settings_of_every_checked_architecture(
    training: TrainingPanel,
) -> None:
    actions = {action.data(): action for action in training.sweep.menu.actions()}
    actions["matryoshka"].setChecked(True)
    actions["standard"].setChecked(True)
    assert not training.sweep._groups["sparsity"].isHidden()
    assert "Standard (L1)" in training.sweep.architectures.text()
    assert training.sweep.start_button.isEnabled()


def test_sweep__is_followed_while_it_runs(
    swept: TrainingPanel, client: FakeClient, project: Project
) -> None:
    training = swept
    type_into(training, "name", "s")
    type_into(training, "k", "8, 16, 32")
    training.sweep.start()
    job = client.last(SweepConfig)
    assert isinstance(job.config, SweepConfig)
    client.run(job)
    assert not training.setup.start_button.isEnabled()
    write_sweep(project, record(job.config, "running", "waiting", "waiting"))
    training._look()
    assert training.runs.sweep == "s"
    assert [run.state for run in training.runs.model.runs()] == ["waiting", "waiting", "running"]
    assert set(training.curves.runs) == {"s-k8"}
    training.board.runs.toggled.emit("s-k8", False)
    training._look()
    assert not training.curves.runs  # it was switched off, and stays so
    infos = {info.id: info for info in training.action_infos()}
    infos["train.stop"].callback()
    assert isinstance(client.sent[-1], StopJob)
    final = record(job.config, "done", "failed", "waiting")
    write_sweep(project, final)
    client.finish(
        job, SweepResult(name="s", rows=final.rows, done=1, failed=1, waiting=1, seconds=1.0)
    )
    assert training.board.pareto.front() == ["s-k8"]
    assert training.setup.start_button.isEnabled()


def test_sweep__settings_of_a_run_that_waits_can_be_copied(
    training: TrainingPanel, project: Project, session: Session, qtbot: QtBot
) -> None:
    config = SweepConfig(project=str(project.path), name="s", base=BASE, k=(8, 16))
    write_sweep(project, record(config, "done", "waiting"))
    with qtbot.waitSignal(session.contentsChanged):
        session.refresh()
    training.runs.choose_sweep("s")
    assert training.runs.names() == ["s-k16", "s-k8"]
    training.runs.requested.emit("copy_settings", "s-k16")
    assert training.config().k == 16
    assert training.config().activations == "acts"


# ---------------------------------------------------------------------- plots
def test_pareto__marks_the_front_and_tells_what_is_under_the_pointer(qtbot: QtBot) -> None:
    plot = ParetoPlot()
    qtbot.addWidget(plot)
    runs = [
        RunRow("good", "trained", l0=10.0, fvu=0.1),
        RunRow("dominated", "trained", l0=20.0, fvu=0.2),
        RunRow("sparse", "trained", l0=5.0, fvu=0.3),
        RunRow("waits", "waiting"),
    ]
    plot.show_runs(runs, {"good": "#112233"})
    assert plot.front() == ["sparse", "good"]
    assert plot.points.data["data"].tolist() == ["good", "dominated", "sparse"]
    assert plot.points.points()[0].brush().color().name() == "#112233"
    plot._on_hovered(None, plot.points.points()[:1], None)
    assert plot.readout.text() == "good: L0 10, FVU 0.100, on the front"
    with qtbot.waitSignal(plot.picked) as picked:
        plot._on_clicked(None, plot.points.points()[1:2], None)
    assert picked.args == ["dominated"]
    plot.copy_data()
    assert len(QGuiApplication.clipboard().text().splitlines()) == 4


def grid() -> list[SweepRow]:
    rows = []
    for features in (64, 128, 256):
        for steps in (100, 200, 400):
            loss = 3.0 * features**-0.5 + 2.0 * steps**-0.5
            rows.append(
                SweepRow(
                    dictionary=f"s-{features}-{steps}",
                    architecture="matryoshka",
                    features=features,
                    k=8,
                    sparsity=None,
                    lr=1e-3,
                    tokens=steps * 10,
                    batch=10,
                    seed=0,
                    state="done",
                    steps=steps,
                    loss=loss,
                )
            )
    return rows


def test_scaling__fits_beside_the_window_and_tells_the_optimum(qtbot: QtBot) -> None:
    plot = ScalingPlot()
    qtbot.addWidget(plot)
    assert "Choose a sweep" in plot._sentence.text()
    plot.show_sweep("s", grid())
    qtbot.waitUntil(lambda: plot._report is not None, timeout=30_000)
    assert "loss = " in plot._laws.text()
    plot.budget.setText("1e6")
    assert "features (95% interval " in plot._laws.text()
    assert "from the scatter of the runs around" in plot._laws.text()
    assert "times the largest compute" in plot._laws.text()
    plot.copy_data()
    assert len(QGuiApplication.clipboard().text().splitlines()) == 10


def test_scaling__says_why_there_is_no_law(qtbot: QtBot) -> None:
    plot = ScalingPlot()
    qtbot.addWidget(plot)
    plot.show_sweep("s", grid()[:2])
    qtbot.waitUntil(lambda: plot._sentence.text() != "Fitting…", timeout=30_000)
    assert plot._report is None
    assert plot._sentence.text()
    plot.show_sweep("s", [])
    assert "No run" in plot._sentence.text()


def test_scaling__words_and_lines_are_those_of_the_law() -> None:
    points = [
        ScalingPoint(features=r.features, steps=r.steps, lr=r.lr, loss=r.loss or 0.0)
        for r in grid()
    ]
    laws = scaling_laws(points)
    line = law_line(laws.loss, 1e4, 1e5)
    assert line.x[0] == pytest.approx(1e4)
    assert line.x[-1] == pytest.approx(1e6)
    assert line.y[0] == pytest.approx(laws.loss.at(1e4))
    assert line.y == sorted(line.y, reverse=True)
    assert "C^−" in law_text(laws.loss, "loss")
    assert default_budget(laws) == pytest.approx(4e5)
    assert "times the largest compute" in optimum_text(points, 1e7, 10)
    assert "none" in optimum_text(points, -1.0, 10)


def test_background__answers_the_last_question_only(qtbot: QtBot) -> None:
    background, heard = Background(), []
    background.answered.connect(heard.append)
    background.refused.connect(heard.append)
    background.run(1, lambda: "one")
    background.run(2, lambda: "two")
    qtbot.waitUntil(lambda: not background.busy, timeout=10_000)
    assert heard == [(2, "two")]

    def refuse() -> None:
        raise UserError("No.")

    background.run(3, refuse)
    qtbot.waitUntil(lambda: not background.busy, timeout=10_000)
    assert heard[-1][0] == 3
    assert isinstance(heard[-1][1], UserError)
