"""The Steer workspace: rack, streams, next-token bars."""

from __future__ import annotations

import subprocess
import sys

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from sae_desktop.engine.protocol import StopJob
from sae_desktop.gui import theme
from sae_desktop.gui.actions import ActionRegistry
from sae_desktop.gui.feature_menu import steer_with
from sae_desktop.gui.feature_notes import FeatureNotes
from sae_desktop.gui.panels.explore import ExplorePanel
from sae_desktop.gui.panels.steering import EXAMPLES, SteeringPanel
from sae_desktop.gui.session import Session
from sae_desktop.gui.widgets.probability_bars import ROWS
from sae_desktop.gui.workspace import Workspace
from sae_desktop.steering.config import (
    Clamp,
    SteerConfig,
    SteeredToken,
    SteerResult,
    TokenProbability,
)

NEXT = [
    TokenProbability(token=" God", plain=0.4, steered=0.2),
    TokenProbability(token=" Lord", plain=0.05, steered=0.6),
]


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
    return SteerResult(prompt=prompt, plain=plain, steered=steered, next_tokens=NEXT)


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
    assert panel.rack.rack[0].clamp == 2.5
    assert slider.check.isChecked()
    assert slider.number.value() == 2.5
    QTest.keyClick(slider.slider, Qt.Key.Key_Right)
    assert panel.rack.rack[0].clamp == 3.0
    slider.number.setValue(-7.2)
    assert panel.rack.rack[0].clamp == -7.2
    assert slider.slider.value() == pytest.approx(-7.2)


def test_slider__is_off_after_a_double_click(panel: SteeringPanel, session: Session) -> None:
    session.steerRequested.emit(3)
    slider = panel.rack.slider(3).slider
    slider.setValue(4.0)
    QTest.mouseDClick(slider, Qt.MouseButton.LeftButton, pos=QPoint(4, slider.height() // 2))
    assert not panel.rack.rack[0].on
    assert slider.value() == 0.0


def test_undo__takes_back_one_move_of_a_slider(panel: SteeringPanel, session: Session) -> None:
    session.steerRequested.emit(3)
    slider = panel.rack.slider(3)
    for value in (0.5, 1.0, 1.5, 2.0):
        slider.slider.setValue(value)
    session.undo_stack.undo()
    assert panel.rack.rack[0].clamp == 0.0
    session.undo_stack.redo()
    assert panel.rack.rack[0].clamp == 2.0
    slider.remove.click()
    assert panel.rack.rack == ()
    session.undo_stack.undo()
    assert panel.rack.rack[0].clamp == 2.0
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
    panel.prompt.setPlainText("In the beginning")
    panel.generate()
    job = client.jobs[-1]
    assert isinstance(job.config, SteerConfig)
    assert job.config.clamps == [Clamp(feature=3, clamp=5.0)]
    assert job.config.max_new_tokens == panel.tokens.value()
    assert panel.stop_button.isEnabled()
    assert not panel.generate_button.isEnabled()
    for position, (plain, steered) in enumerate(((" God", " the"), (" made", " Lord"))):
        client.stream(job, SteeredToken(position=position, plain=plain, steered=steered))
    assert panel.plain.view.toPlainText() == "In the beginning God made"
    assert panel.steered.view.toPlainText() == "In the beginning the Lord"
    client.answer(job, _result("In the beginning", " God made it", " the Lord made"))
    assert panel.plain.continuation == " God made it"
    assert panel.generate_button.isEnabled()
    panel.steered.copy_button.click()
    assert QGuiApplication.clipboard().text() == "In the beginning the Lord made"


def test_stop__keeps_the_text_so_far(panel: SteeringPanel, client) -> None:
    panel.prompt.setPlainText("def ")
    panel.generate()
    job = client.jobs[-1]
    client.stream(job, SteeredToken(position=0, plain="f", steered="g"))
    panel.stop_button.click()
    assert StopJob(job_id=job.id) in client.sent
    client.answer(job, _result("def ", "f", "g"))
    assert panel.plain.continuation == "f"
    assert panel.generate_button.isEnabled()


def test_failure__is_a_toast_and_ends_the_run(panel: SteeringPanel, client, heard) -> None:
    panel.prompt.setPlainText("def ")
    panel.generate()
    client.fail(client.jobs[-1], "The model is gone.")
    assert [error.what for error in heard.errors] == ["The model is gone."]
    assert not panel.running


def test_next_tokens__follow_the_slider(
    qtbot: QtBot, panel: SteeringPanel, session: Session, client
) -> None:
    panel.prompt.setPlainText("In the beginning")
    qtbot.waitUntil(lambda: len(client.jobs) == 1, timeout=5000)
    client.answer(client.jobs[0], _result("In the beginning"))
    assert [row.token for row in panel.bars.rows()] == [" Lord", " God"]
    session.steerRequested.emit(3)
    for value in (1.0, 2.0, 3.0):
        panel.rack.slider(3).slider.setValue(value)
    qtbot.waitUntil(lambda: len(client.jobs) == 2, timeout=5000)
    config = client.jobs[1].config
    assert config.max_new_tokens == 1
    assert config.clamps == [Clamp(feature=3, clamp=3.0)]


def test_bars__are_as_long_as_the_probabilities_and_coloured(
    panel: SteeringPanel, qtbot: QtBot
) -> None:
    bars = panel.bars
    bars.set_tokens(NEXT)
    plain, steered = bars.bar_rects(0)
    assert steered.width() / plain.width() == pytest.approx(0.6 / 0.05, rel=0.1)
    image = bars.grab().toImage()
    colour = image.pixelColor(steered.center().toPoint())
    assert colour.rgb() == theme.palette().accent.rgb()
    bars.set_tokens([TokenProbability(token=str(i), plain=0.1, steered=0.1) for i in range(30)])
    assert len(bars.rows()) == ROWS


def test_examples__are_offered_until_something_is_typed(panel: SteeringPanel) -> None:
    assert panel.examples.isVisible()
    panel._on_example(EXAMPLES[1])
    assert panel.prompt.toPlainText() == "def"
    assert not panel.examples.isVisible()


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
        "import sys; import sae_desktop.gui.panels.explore, sae_desktop.gui.panels.steering; "
        "sys.exit(any(name in sys.modules for name in ('torch', 'transformers', 'tokenizers')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
