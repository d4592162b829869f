"""Modes, controls and places in the Steer workspace."""

from __future__ import annotations

import json

import msgspec
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot
from steer_results import NEXT, result, steer

from sae_desktop.gui.parts import theme
from sae_desktop.gui.state.session import Session
from sae_desktop.gui.steer.steering import SteeringPanel
from sae_desktop.steering.config import (
    MeanDifference,
    OutputToken,
    RandomDirection,
    SteeredToken,
    SteerResult,
    VariantResult,
)


# ---------------------------------------------------------------- modes and controls
def test_mode_and_place__are_those_of_all_sliders(panel: SteeringPanel, session: Session) -> None:
    session.steerRequested.emit(3)
    panel.rack.slider(3).slider.setValue(2.0)
    panel.rack.form.mode.setCurrentIndex(panel.rack.form.mode.findData("multiply"))
    panel.rack.form.where.setCurrentIndex(panel.rack.form.where.findData("output"))
    panel.rack.form.start.setValue(3)
    (act,) = panel.rack.interventions()
    assert (act.mode, act.where, act.strength, act.start) == ("multiply", "output", 2.0, 3)
    assert "Multiplies the feature’s own activation" in panel.rack.form.unit.text()


def test_solo__holds_one_feature_alone_and_then_all(panel: SteeringPanel, session: Session) -> None:
    for feature in (3, 5):
        session.steerRequested.emit(feature)
        panel.rack.slider(feature).slider.setValue(1.0)
    panel.rack.slider(5).solo.click()
    assert [act.feature for act in panel.rack.interventions()] == [5]
    panel.rack.slider(5).solo.click()
    assert [act.feature for act in panel.rack.interventions()] == [3, 5]


def test_controls__are_generated_beside_the_steered_text(
    panel: SteeringPanel, session: Session, client
) -> None:
    controls = list(panel.outputs.controls.values())
    assert all(text.isHidden() for text in controls)
    panel.form.random.setChecked(True)
    assert controls[0].isHidden()  # nothing is steered yet
    session.steerRequested.emit(3)
    panel.rack.slider(3).slider.setValue(5.0)
    panel.form.means.setChecked(True)
    panel.form.asking.setText("Write Arabic.")
    panel.form.prompt.setPlainText("In the beginning")
    panel.generate()
    assert not any(text.isHidden() for text in controls)
    variants = client.jobs[-1].config.variants
    assert [v.name for v in variants] == [
        "plain", "steered", "Random direction", "Difference of means", "Asked for",
    ]  # fmt: skip
    random, means = variants[2].interventions[0], variants[3].interventions[0]
    assert (random.feature, random.strength) == (means.feature, means.strength) == (3, 5.0)
    assert isinstance(random.direction, RandomDirection)
    assert isinstance(means.direction, MeanDifference)
    # The contexts end with the token on which it fires most, the others are taken evenly.
    assert len(means.direction.on) == len(means.direction.off) == 20
    assert all("\u0600" <= text[-1] <= "\u06ff" or text for text in means.direction.on)
    assert (variants[4].prompt, variants[4].interventions) == ("Write Arabic.", [])
    client.stream(client.jobs[-1], SteeredToken(position=0, texts=["a", "b", "c", "d", "e"]))
    assert [text.continuation for text in controls] == ["c", "d", "e"]
    assert controls[2].view.toPlainText() == "Write Arabic.e"


def test_result__is_coloured_by_what_steering_did_to_each_token(
    panel: SteeringPanel, session: Session, client
) -> None:
    panel.form.prompt.setPlainText("In")
    panel.generate()
    tokens = [
        OutputToken(text=" the", log_probability=-0.1, plain_log_probability=-5.0, kl=2.0),
        OutputToken(text=" sea", log_probability=-1.0, plain_log_probability=-1.0, kl=0.0),
    ]
    steered = VariantResult(
        name="steered", prompt="In", text=" the sea", tokens=tokens, perplexity=20.0, kl=1.0,
        typical_strength=0.5,
    )  # fmt: skip
    plain = VariantResult(name="plain", prompt="In", text=" it")
    client.answer(client.jobs[-1], SteerResult(variants=[plain, steered], next_tokens=NEXT))
    view = panel.outputs.steered.view
    assert view.toPlainText() == "In the sea"
    cursor = view.textCursor()
    cursor.setPosition(4)
    raised = cursor.charFormat()
    assert raised.background().color() != theme.palette().surface
    assert "probability 0.905, plain 0.00674" in raised.toolTip()
    cursor.setPosition(8)
    assert cursor.charFormat().background().style() == Qt.BrushStyle.NoBrush
    told = panel.outputs.steered.figures.text()
    assert told == (
        "change of 0.50 typical norms · perplexity 20 for the plain model · KL 1.00 nats per token"
    )
    assert panel.outputs.plain.figures.isHidden()


def test_range__reaches_as_far_as_is_asked_and_as_the_sliders_need(
    panel: SteeringPanel, session: Session
) -> None:
    session.steerRequested.emit(3)
    rack, slider = panel.rack, panel.rack.slider(3)
    assert slider.slider.maximum() == 10.0
    rack.form.range.setCurrentIndex(rack.form.range.findData(100.0))
    rack.form.range.activated.emit(rack.form.range.currentIndex())
    assert slider.slider.maximum() == slider.number.maximum() == 100.0
    QTest.keyClick(slider.slider, Qt.Key.Key_Right)
    assert rack.rack[0].strength == 5.0
    slider.number.setValue(40.0)
    rack.form.range.setCurrentIndex(rack.form.range.findData(1.0))  # too narrow for what is set
    rack.form.range.activated.emit(rack.form.range.currentIndex())
    assert (rack.form.range.currentData(), rack.rack[0].strength) == (100.0, 40.0)
    slider.number.setValue(0.4)
    rack.form.range.setCurrentIndex(rack.form.range.findData(1.0))
    rack.form.range.activated.emit(rack.form.range.currentIndex())
    assert (slider.slider.maximum(), rack.rack[0].strength) == (1.0, 0.4)


def test_slider__tells_the_features_contexts(panel: SteeringPanel, session: Session) -> None:
    session.steerRequested.emit(0)
    tip = panel.rack.slider(0).name.toolTip().splitlines()
    assert tip[0] == "Open the page of feature 0"
    assert len(tip) == 4
    assert all("[ Lord]" in line for line in tip[1:])


def test_chosen_tokens__are_clicked_on_the_prompt_or_typed(
    panel: SteeringPanel, session: Session, client, qtbot: QtBot
) -> None:
    panel.form.prompt.setPlainText("In the beginning")
    qtbot.waitUntil(lambda: len(client.jobs) == 1, timeout=5000)
    told = msgspec.structs.replace(result("In"), prompt_tokens=["In", " the", " begin", "ning"])
    client.answer(client.jobs[0], told)
    steer(panel, session, 3, 2.0)
    picker = panel.form.picker
    assert picker.isHidden()
    panel.rack.form.where.setCurrentIndex(panel.rack.form.where.findData("tokens"))
    assert picker.isVisible()
    assert panel.rack.interventions() == []  # none is chosen yet
    place = picker.visualItemRect(picker.item(2)).center()
    QTest.mouseClick(picker.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert panel.rack.form.tokens.text() == "2"
    panel.rack.form.tokens.setText("1-2")
    assert picker.chosen() == [1, 2]
    (act,) = panel.rack.interventions()
    assert (act.where, act.tokens) == ("all", [1, 2])
    panel.rack.form.tokens.setText("1-x")
    assert panel.rack.form.tokens.property("invalid") == "true"
    assert panel.rack.interventions() == []


def test_layers__are_for_adding_only(panel: SteeringPanel, session: Session) -> None:
    steer(panel, session, 3, 2.0)
    assert not panel.rack.form.layers.isVisible()
    panel.rack.form.mode.setCurrentIndex(panel.rack.form.mode.findData("add"))
    panel.rack.form.layers.setText("0, 2")
    (act,) = panel.rack.interventions()
    hook = session.index.info.site.split(".", 2)[2]
    assert act.sites == [f"blocks.0.{hook}", f"blocks.2.{hook}"]
    panel.rack.form.mode.setCurrentIndex(panel.rack.form.mode.findData("clamp"))
    assert panel.rack.interventions()[0].sites == []


def test_transcoder__says_where_it_reads_and_is_added_where_it_writes(
    panel: SteeringPanel, session: Session
) -> None:
    index, project = session.index, session.project
    assert index is not None
    assert project is not None
    assert not panel.rack.sites_line.isVisible()
    folder = project.dictionary_path(index.info.dictionary)
    folder.mkdir(parents=True, exist_ok=True)
    written = "blocks.1.hook_mlp_out"
    cfg = {"architecture": "transcoder", "d_in": 8, "d_sae": 32,
           "metadata": {"hook_name": index.info.site, "hook_name_out": written}}  # fmt: skip
    (folder / "cfg.json").write_text(json.dumps(cfg))
    (folder / "sae_weights.safetensors").touch()
    session.open_index("main")
    assert panel.rack.sites_line.isVisible()
    told = panel.rack.sites_line.text()
    assert told.index(index.info.site) < told.index(written)
    steer(panel, session, 3, 2.0)
    panel.rack.form.mode.setCurrentIndex(panel.rack.form.mode.findData("add"))
    panel.rack.form.layers.setText("0, 2")
    (act,) = panel.rack.interventions()
    assert act.sites == ["blocks.0.hook_mlp_out", "blocks.2.hook_mlp_out"]


def test_crosscoder__is_steered_at_all_outputs_or_at_one(
    panel: SteeringPanel, session: Session
) -> None:
    index, project = session.index, session.project
    assert index is not None
    assert project is not None
    form = panel.rack.form
    assert not form.output.isVisible()
    folder = project.dictionary_path(index.info.dictionary)
    folder.mkdir(parents=True, exist_ok=True)
    sites = [f"blocks.{layer}.hook_resid_post" for layer in range(3)]
    cfg = {"architecture": "crosscoder", "d_in": 24, "d_sae": 32, "parts": [8, 8, 8],
           "metadata": {"input_sites": sites}}  # fmt: skip
    (folder / "cfg.json").write_text(json.dumps(cfg))
    (folder / "sae_weights.safetensors").touch()
    session.open_index("main")
    assert form.output.isVisible()
    assert [form.output.itemData(n) for n in range(form.output.count())] == ["", *sites]
    steer(panel, session, 3, 2.0)
    assert [act.output for act in panel.rack.interventions()] == [""]
    form.output.setCurrentIndex(2)
    form.output.activated.emit(2)
    (act,) = panel.rack.interventions()
    assert act.output == sites[1]
    form.output.setCurrentIndex(0)
    form.output.activated.emit(0)
    panel.rack.take([act])
    assert panel.rack.interventions()[0].output == sites[1]


def test_strength__is_told_in_typical_norms_too(
    panel: SteeringPanel, session: Session, client, qtbot: QtBot
) -> None:
    panel.form.prompt.setPlainText("In the beginning")
    qtbot.waitUntil(lambda: len(client.jobs) == 1, timeout=5000)
    client.answer(client.jobs[0], msgspec.structs.replace(result("In"), typical_norm=8.0))
    steer(panel, session, 3, 2.0)
    card = panel.rack.slider(3)
    maximum = float(session.index.columns["max_activation"][3])
    assert card.in_norms.text() == f"+{2.0 * maximum / 8.0:.2f} typical norms"
    panel.rack.form.mode.setCurrentIndex(panel.rack.form.mode.findData("multiply"))
    assert not card.in_norms.isVisible()


def test_layers_typed__do_not_outlive_the_project(panel: SteeringPanel, session: Session) -> None:
    steer(panel, session, 3, 2.0)
    panel.rack.form.mode.setCurrentIndex(panel.rack.form.mode.findData("add"))
    panel.rack.form.layers.setText("2")
    session.close_project()
    assert panel.rack.how().sites == ()


def test_page__of_the_last_run_is_saved(
    panel: SteeringPanel, session: Session, client, tmp_path
) -> None:
    actions = {info.id: info for info in panel.action_infos()}
    assert not actions["steer.page"].enabled_when()
    panel.form.prompt.setPlainText("In")
    steer(panel, session, 3, 2.0)
    panel.generate()
    client.answer(client.jobs[-1], result("In", " it", " the sea"))
    assert actions["steer.page"].enabled_when()
    panel.last.save_page(tmp_path / "run.html")
    assert " the sea" in (tmp_path / "run.html").read_text(encoding="utf-8")
