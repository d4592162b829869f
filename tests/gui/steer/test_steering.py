"""The Steer workspace: rack, streams, next-token bars."""

from __future__ import annotations

import subprocess
import sys

import pytest
from made_names import write_made_names
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot
from shown_panel import in_workspace
from steer_results import NEXT, result, steered

from sae_desktop.engine.protocol import StopJob
from sae_desktop.gui.explore.explore import ExplorePanel
from sae_desktop.gui.parts import theme
from sae_desktop.gui.parts.actions import ActionRegistry
from sae_desktop.gui.parts.feature_menu import steer_with
from sae_desktop.gui.state.feature_notes import FeatureNotes
from sae_desktop.gui.state.session import Session
from sae_desktop.gui.steer.known_strengths import UNKNOWN
from sae_desktop.gui.steer.probability_bars import ROWS, TokenProbability
from sae_desktop.gui.steer.steering import SteeringPanel
from sae_desktop.gui.steer.steering_prompt import EXAMPLES
from sae_desktop.steering.config import (
    PLAIN,
    Intervention,
    SteerConfig,
    SteeredToken,
)

BARS = [TokenProbability(t.token, *t.probabilities) for t in NEXT]


# ---------------------------------------------------------------- rack
def test_empty_rack__leads_to_the_features(panel: SteeringPanel, session: Session, heard) -> None:
    assert panel.rack.cards.choose.isVisible()
    panel.rack.cards.choose.click()
    assert heard.workspaces == ["explore"]
    session.steerRequested.emit(3)
    assert not panel.rack.cards.choose.isVisible()


def test_steer_action__puts_a_slider_in_the_rack(panel: SteeringPanel, session: Session) -> None:
    session.steerRequested.emit(3)
    session.steerRequested.emit(3)
    assert [entry.feature for entry in panel.rack.rack] == [3]
    assert panel.rack.slider(3).check.isChecked()


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


def test_number_typed_as_its_slider_goes__wants_nothing(
    panel: SteeringPanel, session: Session
) -> None:
    session.steerRequested.emit(3)
    card = panel.rack.slider(3)
    wanted: list[tuple[object, float]] = []
    panel.rack._on_strength_chosen = lambda *asked: wanted.append(asked)  # type: ignore[method-assign]
    card.strengthChosen.connect(panel.rack._on_strength_chosen)
    card.number.setFocus()
    card.number.lineEdit().selectAll()
    QTest.keyClicks(card.number, "4.5")
    session.undo_stack.undo()
    assert panel.rack.rack == ()
    card.number.interpretText()
    assert wanted == []
    assert session.undo_stack.canRedo()


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
    assert panel.rack.rack[0].strength == UNKNOWN
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


def test_rack__adds_by_automatic_name(panel: SteeringPanel, session: Session) -> None:
    assert session.index is not None
    write_made_names(session.index.path, ["French text", *[""] * 63])
    session.index.read_names()
    FeatureNotes.of(session).reload()
    completer = panel.rack.add_field.completer()
    completer.setCompletionPrefix("french")
    assert completer.currentCompletion() == "#0 French text · automatic"
    QTest.keyClicks(panel.rack.add_field, "french")
    QTest.keyClick(panel.rack.add_field, Qt.Key.Key_Return)
    assert [entry.feature for entry in panel.rack.rack] == [0]
    assert panel.rack.add_field.text() == ""


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
    client.answer(job, result("In the beginning", " God made it", " the Lord made"))
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
    client.answer(job, result("def ", "f", "g"))
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
    qtbot.waitUntil(lambda: len(steered(client)) == 1, timeout=5000)
    client.answer(steered(client)[0], result("In the beginning"))
    assert [row.token for row in panel.next_token.bars.rows()] == [" Lord", " God"]
    session.steerRequested.emit(3)
    for value in (1.0, 2.0, 3.0):
        panel.rack.slider(3).slider.setValue(value)
    qtbot.waitUntil(lambda: len(steered(client)) == 2, timeout=5000)
    config = steered(client)[1].config
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
    in_workspace(qtbot, "explore", explore)
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
