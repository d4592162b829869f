"""The sweep over strengths, and presets, in the Steer workspace."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from sae_desktop.engine.protocol import ErrorInfo
from sae_desktop.gui.parts.workspace import bring_forward
from sae_desktop.gui.state.session import Session
from sae_desktop.gui.steer.preset_name import PresetNameDialog
from sae_desktop.gui.steer.probability_bars import TokenProbability
from sae_desktop.gui.steer.steering import SteeringPanel
from sae_desktop.gui.steer.strength_sweep import StrengthSweepPanel
from sae_desktop.gui.steer.sweep_plot import WATCHED, break_points
from sae_desktop.steering.config import (
    PLAIN,
    Intervention,
    OutputToken,
    Sampling,
    SteerResult,
    SweepPoint,
    SweepStrengthsConfig,
    SweepStrengthsResult,
    Variant,
    VariantResult,
    clamped,
)
from sae_desktop.steering.export_config import ExportSteeringConfig
from sae_desktop.steering.history import runs
from sae_desktop.steering.presets import preset_of, read_preset
from sae_desktop.words.strength_list import parse_strengths


def point(strength: float, *, broken: bool = False) -> SweepPoint:
    return SweepPoint(
        strength=strength, text=f" text {strength:g}\nmore", watched=[abs(strength) / 20],
        perplexity=10.0 + abs(strength), kl=abs(strength), repetition=0.9 if broken else 0.0,
        broken=broken,
    )  # fmt: skip


RESULT = SweepStrengthsResult(
    points=[point(2), point(-5), point(5, broken=True), point(10, broken=True)],
    plain=VariantResult(name="plain", prompt="In", text=" it", perplexity=8.0, kl=0.0),
    plain_watched=[0.25],
    criterion="half of it repeats",
)


@pytest.fixture
def sweep(panel: SteeringPanel, session: Session) -> StrengthSweepPanel:
    session.steerRequested.emit(3)
    panel.rack.slider(3).slider.setValue(1.0)
    panel.form.prompt.setPlainText("In the beginning")
    bring_forward(panel.sweep)
    return panel.sweep


def swept(qtbot: QtBot, sweep: StrengthSweepPanel, client) -> SweepStrengthsConfig:
    def asked() -> list:
        return [job for job in client.jobs if isinstance(job.config, SweepStrengthsConfig)]

    before = len(asked())
    sweep.run_button.click()
    qtbot.waitUntil(lambda: len(asked()) > before, timeout=5000)
    client.answer(asked()[-1], RESULT)
    config: SweepStrengthsConfig = asked()[-1].config
    return config


def test_sweep__tries_every_strength_with_what_the_rack_does(
    qtbot: QtBot, sweep: StrengthSweepPanel, client
) -> None:
    assert sweep.results.isHidden()
    sweep.strengths.setText("2, -5, 5, 10")
    sweep.watch.setText(" God")
    config = swept(qtbot, sweep, client)
    assert config.strengths == [2, -5, 5, 10]
    assert config.watched == [" God"]
    assert config.variant.interventions == [Intervention(feature=3, strength=1.0)]
    model = sweep.model
    first = [model.index(r, 0).data() for r in range(model.rowCount())]
    assert first == ["plain", "2", "−5", "5", "10"]
    assert [model.index(1, c).data() for c in range(model.columnCount())] == [
        "2", "12", "2", "0%", "10.0%", "text 2 more",
    ]  # fmt: skip
    assert "half of it repeats" in model.index(3, 0).data(Qt.ItemDataRole.ToolTipRole)
    assert sweep.state.text() == "2 of 4 texts have broken down: half of it repeats."
    sweep.copy_data()
    assert QGuiApplication.clipboard().text().startswith("Sliders ×\tPerplexity\tKL")
    assert sweep.plot.what.currentText() == WATCHED
    assert sweep.plot.curves() == {" God": [0.25, 0.1, 0.25, 0.5]}
    sweep.plot.what.setCurrentText("KL (nats per token)")
    assert sweep.plot.curves() == {"KL (nats per token)": [5, 2, 5, 10]}
    sweep.grab()  # is painted


def test_break_points__are_where_nothing_holds_any_more() -> None:
    assert break_points(RESULT.points) == [5]
    both = [point(-2, broken=True), point(-1, broken=True), point(1, broken=True), point(2)]
    assert break_points(both) == [-1]
    assert break_points([point(0)]) == []


def test_strength_of_a_row__is_put_on_the_sliders(
    qtbot: QtBot, panel: SteeringPanel, sweep: StrengthSweepPanel, client
) -> None:
    panel.rack.slider(3).slider.setValue(2.0)
    swept(qtbot, sweep, client)
    sweep.table.activated.emit(sweep.model.index(2, 0))
    assert panel.rack.rack[0].strength == -10.0
    # The factor is of what was swept, not of what another row has put on the sliders.
    sweep.table.activated.emit(sweep.model.index(3, 0))
    assert panel.rack.rack[0].strength == 10.0
    sweep.table.activated.emit(sweep.model.index(2, 0))
    sweep.table.activated.emit(sweep.model.index(0, 0))  # the plain row has none
    assert panel.rack.rack[0].strength == -10.0


def test_sweep_of_nothing__says_what_is_missing(
    panel: SteeringPanel, session: Session, client
) -> None:
    panel.sweep.run()
    assert "Type a prompt" in panel.sweep.state.text()
    session.steerRequested.emit(3)
    panel.rack.slider(3).slider.setValue(1.0)
    panel.form.prompt.setPlainText("x")
    panel.sweep.strengths.setText("1, two")
    panel.sweep.run()
    assert panel.sweep.state.text().startswith("“two” is not a number")
    assert not any(isinstance(job.config, SweepStrengthsConfig) for job in client.jobs)


@pytest.mark.parametrize("text", ["nan", "1,inf", "a"])
def test_strengths__that_are_no_numbers_are_named(text: str) -> None:
    with pytest.raises(ValueError, match=text.split(",")[-1]):
        parse_strengths(text)
    assert parse_strengths("-1, 2.5,") == [-1, 2.5]


# ---------------------------------------------------------------- presets
def test_preset__brings_everything_back(
    panel: SteeringPanel, session: Session, sweep: StrengthSweepPanel, heard
) -> None:
    panel.form.temperature.setValue(0.7)
    panel.form.seed.setValue(11)
    panel.form.random.setChecked(True)
    panel.form.asking.setText("Ask for it")
    panel.rack.form.mode.setCurrentIndex(panel.rack.form.mode.findData("add"))
    kept = panel.asked()
    panel.presets.save_as("mine")
    assert session.project.presets() == ["mine"]
    panel.rack.slider(3).remove.click()
    panel.form.prompt.setPlainText("other")
    panel.form.temperature.setValue(0.0)
    panel.form.random.setChecked(False)
    panel.form.asking.clear()
    panel.rack.form.mode.setCurrentIndex(0)
    panel.presets.fill()
    action = next(a for a in panel.presets.menu().actions() if a.text() == "mine")
    action.trigger()
    assert panel.asked() == kept
    panel.presets.save_as("a/b")
    assert "is not a valid name" in heard.errors[-1].what


def test_preset_of_another_dictionary__is_refused(
    panel: SteeringPanel, session: Session, sweep: StrengthSweepPanel, heard, tmp_path: Path
) -> None:
    panel.presets.save_as("mine")
    path = session.project.preset_path("mine")
    other = path.read_text().replace('"dict"', '"another"')
    (tmp_path / "other.json").write_text(other)
    panel.presets.open_file(tmp_path / "other.json")
    assert "for the dictionary “another”" in heard.errors[-1].what
    panel.presets.open_file(tmp_path / "gone.json")
    assert "cannot be read" in heard.errors[-1].what
    path.write_text("{")
    panel.presets.open_preset("mine")
    assert "is not a preset" in heard.errors[-1].what
    assert panel.form.prompt.toPlainText() == "In the beginning"


def test_preset_the_sliders_cannot_show__says_so(
    panel: SteeringPanel, session: Session, sweep: StrengthSweepPanel
) -> None:
    told: list[str] = []
    session.noticeRaised.connect(told.append)
    kept = preset_of(
        "x", session.index.info, "In", [PLAIN, clamped({3: 2.0})], Sampling(), chat=False
    )
    panel.take_preset(kept)
    assert told == []
    mixed = [Intervention(feature=3, strength=2.0), Intervention(feature=4, mode="ablate")]
    other = Variant(name="steered", interventions=mixed)
    panel.take_preset(msgspec.structs.replace(kept, variants=[PLAIN, other]))
    assert "The sliders cannot show" in told[0]


def test_export__hands_the_engine_what_the_rack_does(
    panel: SteeringPanel, sweep: StrengthSweepPanel, client, tmp_path: Path
) -> None:
    panel.presets.export_to(tmp_path / "v.py")
    config = client.jobs[-1].config
    assert isinstance(config, ExportSteeringConfig)
    assert config.path == str(tmp_path / "v.py")
    assert config.variant.interventions == [Intervention(feature=3, strength=1.0)]


def test_presets_menu__offers_only_what_can_be(panel: SteeringPanel) -> None:
    panel.presets.fill()
    enabled = {a.text(): a.isEnabled() for a in panel.presets.menu().actions() if a.text()}
    assert enabled == {
        "Nothing yet": False, "Earlier runs": False, "Save as…": False, "From a file…": True,
        "Export…": False, "Rename": False, "Delete": False,
        "Copy as command": False, "Copy as Python": False,
    }  # fmt: skip


def test_run__is_remembered_and_shown_again(
    panel: SteeringPanel, session: Session, sweep: StrengthSweepPanel, client, heard
) -> None:
    panel.form.random.setChecked(True)
    panel.generate()
    tokens = [OutputToken(text=" x", log_probability=-1, plain_log_probability=-2, kl=0.7)]
    variants = [
        VariantResult(
            name=name, prompt="In the beginning", text=f" {name}", tokens=tokens,
            typical_strength=None if name == "plain" else 0.5,
        )
        for name in ("plain", "steered", "random")
    ]  # fmt: skip
    client.answer(client.jobs[-1], SteerResult(variants=variants, next_tokens=[]))
    assert panel.outputs.plain.strip.isHidden()
    assert not panel.outputs.steered.strip.isHidden()
    assert panel.outputs.steered.strip.bar(0).height() > 1
    with session.project.steering_path.open("ab") as file:
        file.write(b"no run\n")
    kept = panel.asked()
    panel.form.prompt.setPlainText("something else")
    panel.form.random.setChecked(False)
    panel.rack.slider(3).remove.click()
    panel.presets.fill()
    menu = next(a.menu() for a in panel.presets.menu().actions() if a.text() == "Earlier runs")
    (action,) = menu.actions()
    assert "In the beginning" in action.text()
    assert action.text().endswith("#3 1")
    action.trigger()
    assert panel.asked() == kept
    outputs = panel.outputs
    shown = (outputs.plain, outputs.steered, outputs.controls["Random direction"])
    assert [text.continuation for text in shown] == [" plain", " steered", " random"]
    (run,) = runs(session.project, 10)
    panel.presets.open_run(
        msgspec.structs.replace(run, asked=msgspec.structs.replace(run.asked, site="elsewhere"))
    )
    assert "for the site “elsewhere”" in heard.errors[-1].what


def test_preset__is_replaced_only_when_that_was_said_and_comes_back(
    qtbot: QtBot, panel: SteeringPanel, session: Session, sweep: StrengthSweepPanel
) -> None:
    panel.presets.save_as("mine")
    before = panel.asked()
    panel.rack.slider(3).slider.setValue(5.0)
    panel.presets.fill()
    next(a for a in panel.presets.menu().actions() if a.text() == "Save as…").trigger()
    dialog = panel.window().findChild(PresetNameDialog)
    assert not dialog.accept_button.isEnabled()  # without a name
    dialog.name.setText("other")
    assert (dialog.accept_button.text(), dialog.accept_button.isDefault()) == ("Save", True)
    dialog.name.setText("mine")
    assert dialog.accept_button.text() == "Replace it"
    assert "would be replaced" in dialog.said.text()
    assert not dialog.accept_button.isDefault()
    assert not dialog.accept_button.autoDefault()
    QTest.keyClick(dialog.name, Qt.Key.Key_Return)
    assert dialog.isVisible()
    dialog.accept_button.click()
    assert read_preset(session.project, "mine").variants[1].interventions[0].strength == 5.0
    session.undo_stack.undo()
    assert read_preset(session.project, "mine").variants == before.variants
    session.undo_stack.redo()
    assert read_preset(session.project, "mine").variants[1].interventions[0].strength == 5.0


def test_preset__is_renamed_and_deleted_and_both_are_undone(
    panel: SteeringPanel, session: Session, sweep: StrengthSweepPanel, heard
) -> None:
    panel.presets.save_as("mine")
    panel.presets.save_as("other")
    kept = read_preset(session.project, "mine")
    panel.presets.rename("mine", "better")
    assert session.project.presets() == ["better", "other"]
    assert read_preset(session.project, "better").name == "better"
    panel.presets.rename("better", "other")  # never on top of another one
    assert "already" in heard.errors[-1].what
    assert session.project.presets() == ["better", "other"]
    session.undo_stack.undo()
    assert session.project.presets() == ["mine", "other"]
    panel.presets.fill()
    menus = {a.text(): a.menu() for a in panel.presets.menu().actions() if a.menu()}
    assert [a.text() for a in menus["Rename"].actions()] == ["mine", "other"]
    next(a for a in menus["Delete"].actions() if a.text() == "mine").trigger()
    assert session.project.presets() == ["other"]
    session.undo_stack.undo()
    assert read_preset(session.project, "mine") == kept


def test_presets__of_a_read_only_project_stay(
    panel: SteeringPanel, session: Session, sweep: StrengthSweepPanel, heard
) -> None:
    panel.presets.save_as("mine")
    session.refusal = ErrorInfo(what="Somebody else has it.")
    panel.presets.delete("mine")
    assert session.project.presets() == ["mine"]
    assert heard.errors[-1].what == "Somebody else has it."


def test_sweep_in_a_small_window__keeps_its_plot_and_whole_rows_of_tokens(
    qtbot: QtBot, panel: SteeringPanel
) -> None:
    bring_forward(panel.sweep)
    panel.sweep._show(RESULT)
    bars = panel.next_token.bars
    bars.set_tokens([TokenProbability(token=str(n), plain=0.1, steered=0.1) for n in range(8)])
    panel.window().resize(1204, 579)
    qtbot.wait(50)
    assert panel.sweep.plot.view.height() >= 100
    assert panel.window().minimumSizeHint().height() <= 579
    bars.resize(bars.width(), bars.minimumSizeHint().height() + 7)
    last = len(bars._fitting()) - 1
    assert last == 2
    assert bars.bar_rects(last)[1].bottom() <= bars.height()
