"""The Steer workspace: rack, streams, next-token bars."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import msgspec
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from sae_desktop.engine.protocol import StopJob
from sae_desktop.gui.explore.explore import ExplorePanel
from sae_desktop.gui.parts import theme
from sae_desktop.gui.parts.actions import ActionRegistry
from sae_desktop.gui.parts.feature_menu import steer_with
from sae_desktop.gui.parts.workspace import Workspace
from sae_desktop.gui.state.feature_notes import FeatureNotes
from sae_desktop.gui.state.session import Session
from sae_desktop.gui.steer.direction_menu import DecoderRowDialog, IndexFeatureDialog, TextsDialog
from sae_desktop.gui.steer.probability_bars import ROWS, TokenProbability
from sae_desktop.gui.steer.steering import SteeringPanel
from sae_desktop.gui.steer.steering_prompt import EXAMPLES
from sae_desktop.steering.config import (
    PLAIN,
    DecoderRow,
    Intervention,
    MeanDifference,
    NextToken,
    OutputToken,
    RandomDirection,
    SteerConfig,
    SteeredToken,
    SteerResult,
    VariantResult,
)

NEXT = [
    NextToken(token=" God", probabilities=[0.4, 0.2]),
    NextToken(token=" Lord", probabilities=[0.05, 0.6]),
]
BARS = [TokenProbability(t.token, *t.probabilities) for t in NEXT]


@pytest.fixture
def panel(qtbot: QtBot, session: Session) -> SteeringPanel:
    panel = SteeringPanel(session)
    workspace = Workspace("steer", panel, panel.docks())
    qtbot.addWidget(workspace)
    workspace.resize(1280, 720)
    workspace.show()
    qtbot.waitExposed(workspace)
    panel.workspace = workspace  # kept alive with the panel
    return panel


def _result(prompt: str, plain: str = "", steered: str = "") -> SteerResult:
    variants = [
        VariantResult(name=name, prompt=prompt, text=text)
        for name, text in (("plain", plain), ("steered", steered))
    ]
    return SteerResult(variants=variants, next_tokens=NEXT)


# ---------------------------------------------------------------- rack
def test_empty_rack__leads_to_the_features(panel: SteeringPanel, session: Session, heard) -> None:
    assert panel.rack.choose.isVisible()
    panel.rack.choose.click()
    assert heard.workspaces == ["explore"]
    session.steerRequested.emit(3)
    assert not panel.rack.choose.isVisible()


def test_steer_action__puts_a_slider_in_the_rack(panel: SteeringPanel, session: Session) -> None:
    session.steerRequested.emit(3)
    session.steerRequested.emit(3)
    assert [entry.feature for entry in panel.rack.rack] == [3]
    assert not panel.rack.slider(3).check.isChecked()


def test_steer_action__reaches_a_rack_that_is_only_built_on_arrival(
    qtbot: QtBot, session: Session
) -> None:
    built: list[SteeringPanel] = []

    def build(_workspace: str) -> None:
        built.append(SteeringPanel(session))
        qtbot.addWidget(built[0])
        qtbot.addWidget(built[0].rack)

    session.workspaceRequested.connect(build)
    steer_with(session, 6)
    assert [entry.feature for entry in built[0].rack.rack] == [6]


def test_slider__moves_in_halves_and_switches_itself_on(
    panel: SteeringPanel, session: Session
) -> None:
    session.steerRequested.emit(3)
    slider = panel.rack.slider(3)
    slider.slider.setValue(2.3)
    assert panel.rack.rack[0].strength == 2.5
    assert slider.check.isChecked()
    assert slider.number.value() == 2.5
    QTest.keyClick(slider.slider, Qt.Key.Key_Right)
    assert panel.rack.rack[0].strength == 3.0
    slider.number.setValue(-7.2)
    assert panel.rack.rack[0].strength == -7.2
    assert slider.slider.value() == pytest.approx(-7.2)


def test_slider__takes_a_typed_number_after_a_double_click(
    panel: SteeringPanel, session: Session
) -> None:
    session.steerRequested.emit(3)
    card = panel.rack.slider(3)
    QTest.mouseDClick(
        card.slider, Qt.MouseButton.LeftButton, pos=QPoint(4, card.slider.height() // 2)
    )
    assert card.number.hasFocus()
    QTest.keyClicks(card.number, "4.5")
    QTest.keyClick(card.number, Qt.Key.Key_Return)
    assert panel.rack.interventions() == [Intervention(feature=3, strength=4.5)]


@pytest.mark.parametrize("by", ["key", "button"])
def test_slider__is_set_back(panel: SteeringPanel, session: Session, by: str) -> None:
    session.steerRequested.emit(3)
    card = panel.rack.slider(3)
    card.slider.setValue(4.0)
    if by == "key":
        QTest.keyClick(card.slider, Qt.Key.Key_Delete)
    else:
        card.reset.click()
    assert not panel.rack.rack[0].on
    assert card.slider.value() == 0.0


def test_undo__takes_back_one_move_of_a_slider(panel: SteeringPanel, session: Session) -> None:
    session.steerRequested.emit(3)
    slider = panel.rack.slider(3)
    for value in (0.5, 1.0, 1.5, 2.0):
        slider.slider.setValue(value)
    session.undo_stack.undo()
    assert panel.rack.rack[0].strength == 0.0
    session.undo_stack.redo()
    assert panel.rack.rack[0].strength == 2.0
    slider.remove.click()
    assert panel.rack.rack == ()
    session.undo_stack.undo()
    assert panel.rack.rack[0].strength == 2.0
    assert panel.rack.slider(3).slider.value() == 2.0


def test_rack__adds_by_label_and_refuses_what_is_not_there(
    panel: SteeringPanel, session: Session, heard
) -> None:
    FeatureNotes.of(session).set_label(7, "Golden Gate")
    field = panel.rack.add_field
    QTest.keyClicks(field, "golden")
    QTest.keyClick(field, Qt.Key.Key_Return)
    assert [entry.feature for entry in panel.rack.rack] == [7]
    assert panel.rack.slider(7).label.text() == "Golden Gate"
    field.setText("400")
    field.returnPressed.emit()
    assert "No feature" in heard.errors[0].what


def test_rack__adds_what_is_chosen_from_the_suggestions(
    qtbot: QtBot, panel: SteeringPanel, session: Session
) -> None:
    FeatureNotes.of(session).set_label(7, "Golden Gate")
    completer = panel.rack.add_field.completer()
    completer.setCompletionPrefix("gate")
    assert completer.currentCompletion() == "#7 Golden Gate"
    panel.rack.add_field.setText(completer.currentCompletion())
    completer.activated.emit(completer.currentCompletion())
    qtbot.waitUntil(lambda: len(panel.rack.rack) == 1, timeout=5000)
    assert panel.rack.rack[0].feature == 7
    assert panel.rack.add_field.text() == ""


# ---------------------------------------------------------------- generating
def test_generate__streams_both_sides(panel: SteeringPanel, session: Session, client) -> None:
    session.steerRequested.emit(3)
    panel.rack.slider(3).slider.setValue(5.0)
    panel.form.prompt.setPlainText("In the beginning")
    panel.generate()
    job = client.jobs[-1]
    assert isinstance(job.config, SteerConfig)
    plain, steered = job.config.variants
    assert plain == PLAIN
    assert steered.interventions == [Intervention(feature=3, strength=5.0)]
    assert job.config.sampling.max_new_tokens == panel.form.tokens.value()
    assert panel.stop_button.isEnabled()
    assert not panel.generate_button.isEnabled()
    for position, texts in enumerate(([" God", " the"], [" made", " Lord"])):
        client.stream(job, SteeredToken(position=position, texts=texts))
    assert panel.outputs.plain.view.toPlainText() == "In the beginning God made"
    assert panel.outputs.steered.view.toPlainText() == "In the beginning the Lord"
    client.answer(job, _result("In the beginning", " God made it", " the Lord made"))
    assert panel.outputs.plain.continuation == " God made it"
    assert panel.generate_button.isEnabled()
    panel.outputs.steered.copy_button.click()
    assert QGuiApplication.clipboard().text() == "In the beginning the Lord made"


def test_stop__keeps_the_text_so_far(panel: SteeringPanel, client) -> None:
    panel.form.prompt.setPlainText("def ")
    panel.generate()
    job = client.jobs[-1]
    client.stream(job, SteeredToken(position=0, texts=["f", "g"]))
    panel.stop_button.click()
    assert StopJob(job_id=job.id) in client.sent
    client.answer(job, _result("def ", "f", "g"))
    assert panel.outputs.plain.continuation == "f"
    assert panel.generate_button.isEnabled()


def test_failure__is_a_toast_and_ends_the_run(panel: SteeringPanel, client, heard) -> None:
    panel.form.prompt.setPlainText("def ")
    panel.generate()
    client.fail(client.jobs[-1], "The model is gone.")
    assert [error.what for error in heard.errors] == ["The model is gone."]
    assert not panel.running


def test_next_tokens__follow_the_slider(
    qtbot: QtBot, panel: SteeringPanel, session: Session, client
) -> None:
    panel.form.prompt.setPlainText("In the beginning")
    qtbot.waitUntil(lambda: len(client.jobs) == 1, timeout=5000)
    client.answer(client.jobs[0], _result("In the beginning"))
    assert [row.token for row in panel.next_token.bars.rows()] == [" Lord", " God"]
    session.steerRequested.emit(3)
    for value in (1.0, 2.0, 3.0):
        panel.rack.slider(3).slider.setValue(value)
    qtbot.waitUntil(lambda: len(client.jobs) == 2, timeout=5000)
    config = client.jobs[1].config
    assert config.sampling.max_new_tokens == 1
    assert not config.compare
    assert config.variants[1].interventions == [Intervention(feature=3, strength=3.0)]


def test_bars__are_as_long_as_the_probabilities_and_coloured(
    panel: SteeringPanel, qtbot: QtBot
) -> None:
    bars = panel.next_token.bars
    bars.set_tokens(BARS)
    plain, steered = bars.bar_rects(0)
    assert steered.width() / plain.width() == pytest.approx(0.6 / 0.05, rel=0.1)
    image = bars.grab().toImage()
    colour = image.pixelColor(steered.center().toPoint())
    assert colour.rgb() == theme.palette().accent.rgb()
    bars.set_tokens([TokenProbability(token=str(i), plain=0.1, steered=0.1) for i in range(30)])
    assert len(bars.rows()) == ROWS


def test_examples__are_offered_until_something_is_typed(panel: SteeringPanel) -> None:
    assert panel.form.examples.isVisible()
    panel.form.take_example(EXAMPLES[1])
    assert panel.form.prompt.toPlainText() == "def"
    assert not panel.form.examples.isVisible()


def test_shortcuts__of_both_workspaces_live_together(
    qtbot: QtBot, panel: SteeringPanel, session: Session
) -> None:
    explore = ExplorePanel(session)
    qtbot.addWidget(explore)
    registry = ActionRegistry()
    registry.add(panel.action_infos(), panel)
    registry.add(explore.action_infos(), explore)
    assert registry.info("steer.generate").shortcut == "Ctrl+Return"


def test_panels__never_reach_torch() -> None:
    code = (
        "import sys; import sae_desktop.gui.explore.explore, sae_desktop.gui.steer.steering; "
        "sys.exit(any(name in sys.modules for name in ('torch', 'transformers', 'tokenizers')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


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


# ---------------------------------------------------------------- kept beside, directions, places
def steer(panel: SteeringPanel, session: Session, feature: int, strength: float) -> None:
    session.steerRequested.emit(feature)
    panel.rack.slider(feature).slider.setValue(strength)


def test_keep__holds_a_steering_beside_what_is_tried_next(
    panel: SteeringPanel, session: Session, client
) -> None:
    panel.form.prompt.setPlainText("In the beginning")
    assert not panel.outputs.keep_button.isEnabled()  # nothing is steered yet
    steer(panel, session, 3, 2.0)
    panel.outputs.keep_button.click()
    panel.rack.form.mode.setCurrentIndex(panel.rack.form.mode.findData("add"))
    panel.rack.slider(3).slider.setValue(5.0)
    panel.generate()
    job = client.jobs[-1]
    _, steered, kept = job.config.variants
    assert steered.interventions == [Intervention(feature=3, strength=5.0, mode="add")]
    assert kept.interventions == [Intervention(feature=3, strength=2.0)]
    assert kept.name == "kept 1: clamp #3 2×"
    client.stream(job, SteeredToken(position=0, texts=["a", "b", "c"]))
    ((_, text),) = panel.outputs.kept
    assert (text.heading.text(), text.continuation) == ("clamp #3 2×", "c")
    assert text.isVisible()


def test_keep__takes_along_what_was_written(panel: SteeringPanel, session: Session, client) -> None:
    panel.form.prompt.setPlainText("In")
    steer(panel, session, 3, 2.0)
    panel.generate()
    client.answer(client.jobs[-1], _result("In", " plain", " steered"))
    panel.keep()
    ((_, kept),) = panel.outputs.kept
    assert kept.continuation == " steered"
    assert kept.view.toPlainText() == "In steered"
    panel.rack.slider(3).slider.setValue(5.0)
    panel.keep()  # what the sliders say now was not generated: the text is of what they said
    assert panel.outputs.kept[1][1].continuation == ""
    assert panel.outputs.kept[1][1].view.placeholderText() == "Nothing generated yet."


def test_texts__say_that_the_settings_have_changed_since(
    panel: SteeringPanel, session: Session, client
) -> None:
    plain, steered = panel.outputs.plain, panel.outputs.steered
    panel.form.prompt.setPlainText("In")
    steer(panel, session, 3, 2.0)
    assert not plain.earlier.isVisible()
    panel.generate()
    client.answer(client.jobs[-1], _result("In", " plain", " steered"))
    assert not steered.earlier.isVisible()
    panel.rack.slider(3).slider.setValue(5.0)
    assert steered.earlier.isVisible()
    assert not plain.earlier.isVisible()  # the plain model would write the same
    panel.rack.slider(3).slider.setValue(2.0)
    assert not steered.earlier.isVisible()
    panel.form.temperature.setValue(0.5)
    assert steered.earlier.isVisible()
    assert plain.earlier.isVisible()
    panel.generate()
    client.answer(client.jobs[-1], _result("In", " plain", " steered"))
    assert not plain.earlier.isVisible()
    panel.form.prompt.setPlainText("In the")
    assert plain.earlier.isVisible()


def test_next_tokens__are_asked_for_while_the_slider_moves(
    qtbot: QtBot, panel: SteeringPanel, session: Session, client
) -> None:
    panel.form.prompt.setPlainText("In")
    steer(panel, session, 3, 0.5)
    qtbot.waitUntil(lambda: len(client.jobs) == 1, timeout=5000)
    client.answer(client.jobs[0], _result("In"))
    moves = iter(range(1, 10_000))

    def moving() -> bool:
        """The hand never rests as long as the pause that a debounce would wait for."""
        panel.rack.slider(3).number.setValue(next(moves) % 16 / 2)
        return len(client.jobs) == 2

    qtbot.waitUntil(moving, timeout=5000)
    first = client.jobs[1]
    for value in (1.5, 2.5):
        panel.rack.slider(3).number.setValue(value)
    qtbot.wait(150)
    assert client.jobs[-1] is first  # it is not taken back for a newer one, or none would end
    client.answer(first, msgspec.structs.replace(_result("In"), next_tokens=NEXT[:1]))
    assert [row.token for row in panel.next_token.bars.rows()] == [" God"]
    assert client.jobs[2].config.variants[1].interventions[0].strength == 2.5


def test_keep__goes_to_six_texts_and_back(panel: SteeringPanel, session: Session, client) -> None:
    panel.form.prompt.setPlainText("In")
    steer(panel, session, 3, 1.0)
    panel.form.random.setChecked(True)
    for strength in (1.0, 2.0, 3.0, 4.0):
        panel.rack.slider(3).slider.setValue(strength)
        panel.keep()
    assert len(panel.variants()) == 6
    assert not panel.outputs.keep_button.isEnabled()
    shown = [text for _, text in panel.outputs.kept]
    assert len(shown) == 3  # with plain, steered and the control
    places = [text.mapTo(panel.outputs, QPoint()) for text in (panel.outputs.plain, *shown)]
    assert len({place.x() for place in places}) == 3
    assert len({place.y() for place in places}) == 2
    panel.outputs.drop(shown[1])
    assert [v.interventions[0].strength for v, _ in panel.outputs.kept] == [1.0, 3.0]
    assert panel.outputs.keep_button.isEnabled()
    assert len(panel.variants()) == 5


def test_preset__brings_back_what_was_kept(panel: SteeringPanel, session: Session) -> None:
    panel.form.prompt.setPlainText("In")
    steer(panel, session, 3, 2.0)
    panel.keep()
    panel.rack.slider(3).slider.setValue(5.0)
    panel.form.temperature.setValue(0.7)
    panel.form.top_k.setValue(20)
    panel.form.top_p.setValue(0.9)
    panel.presets.save_as("two strengths")
    asked = panel.asked()
    panel.outputs.drop_all()
    panel.rack.switch_all_off()
    panel.form.top_k.setValue(0)
    panel.presets.open_preset("two strengths")
    assert panel.asked() == asked
    assert (asked.sampling.top_k, asked.sampling.top_p) == (20, 0.9)


def test_directions__stand_in_the_rack_beside_features(
    panel: SteeringPanel, session: Session
) -> None:
    steer(panel, session, 3, 2.0)
    texts = MeanDifference(on=["glad"], off=["sad"])
    for direction in (texts, DecoderRow(dictionary="big", feature=9)):
        panel.rack.add_direction_entry(direction)
    card = panel.rack.slider(repr(texts))
    card.number.setValue(0.5)
    assert card.label.text() == "“glad” minus “sad”"
    assert card.number.text().endswith("‖x‖")
    assert panel.rack.interventions()[1] == Intervention(direction=texts, strength=0.5, unit="norm")
    assert len({panel.rack.slider(entry.key).colour for entry in panel.rack.rack}) == 3
    # The contexts of a feature are what a difference of means is made of.
    panel.form.means.setChecked(True)
    assert panel.outputs.controls["Difference of means"].isHidden()
    session.undo_stack.undo()
    assert not panel.rack.rack[1].on


def test_directions__are_asked_for_in_dialogs(qtbot: QtBot) -> None:
    texts = TextsDialog()
    qtbot.addWidget(texts)
    assert not texts.add_button.isEnabled()
    texts.on.setPlainText("I am glad.\n\n What a joy! ")
    texts.off.setPlainText("I am sad.")
    assert texts.add_button.isEnabled()
    assert texts.direction() == MeanDifference(on=["I am glad.", "What a joy!"], off=["I am sad."])
    nothing = DecoderRowDialog([])
    row = DecoderRowDialog(["small", "big"])
    for dialog in (nothing, row):
        qtbot.addWidget(dialog)
    assert not nothing.add_button.isEnabled()
    row.where.setCurrentText("big")
    row.feature.setValue(12)
    assert row.direction() == DecoderRow(dictionary="big", feature=12)
    elsewhere = IndexFeatureDialog(["later", "last"])
    qtbot.addWidget(elsewhere)
    elsewhere.where.setCurrentText("last")
    elsewhere.feature.setValue(7)
    assert elsewhere.chosen() == ("last", 7)


def test_feature_of_another_index__is_steered_beside_those_of_the_open_one(
    panel: SteeringPanel, session: Session, heard
) -> None:
    project = session.project
    assert project is not None
    shutil.copy(project.index_path("main"), project.index_path("later"))
    steer(panel, session, 3, 2.0)
    panel.rack.add_feature_elsewhere("later", 3)
    panel.rack.add_feature_elsewhere("later", 10**6)
    assert [error.what for error in heard.errors if "1000000" in error.what.replace(",", "")]
    mine, other = panel.rack.rack
    assert mine.key != other.key
    card = panel.rack.slider(other.key)
    assert card.label.text() == "#3 of the index later"
    assert card.number.text().endswith("×")
    card.number.setValue(1.5)
    acts = panel.rack.interventions()
    assert [(act.index, act.feature, act.strength, act.unit) for act in acts] == [
        ("", 3, 2.0, "maximum"),
        ("later", 3, 1.5, "maximum"),
    ]
    assert acts[1].index_hash == session.index.info.dictionary_hash
    # What was kept comes back, and no mean is taken of another index's contexts.
    panel.rack.take(acts)
    assert panel.rack.interventions() == acts
    panel.form.means.setChecked(True)
    assert panel.outputs.controls["Difference of means"].isHidden()


def test_random_direction__is_another_one_each_time(panel: SteeringPanel) -> None:
    for _ in range(3):
        panel.rack.add_direction.add_random()
    assert len(panel.rack.rack) == 3
    assert all(isinstance(entry.direction, RandomDirection) for entry in panel.rack.rack)


def test_chosen_tokens__are_clicked_on_the_prompt_or_typed(
    panel: SteeringPanel, session: Session, client, qtbot: QtBot
) -> None:
    panel.form.prompt.setPlainText("In the beginning")
    qtbot.waitUntil(lambda: len(client.jobs) == 1, timeout=5000)
    told = msgspec.structs.replace(_result("In"), prompt_tokens=["In", " the", " begin", "ning"])
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


def test_strength__is_told_in_typical_norms_too(
    panel: SteeringPanel, session: Session, client, qtbot: QtBot
) -> None:
    panel.form.prompt.setPlainText("In the beginning")
    qtbot.waitUntil(lambda: len(client.jobs) == 1, timeout=5000)
    client.answer(client.jobs[0], msgspec.structs.replace(_result("In"), typical_norm=8.0))
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
    client.answer(client.jobs[-1], _result("In", " it", " the sea"))
    assert actions["steer.page"].enabled_when()
    panel.last.save_page(tmp_path / "run.html")
    assert " the sea" in (tmp_path / "run.html").read_text(encoding="utf-8")
