"""What is kept beside a steering, and directions that stand beside features."""

from __future__ import annotations

import shutil

import msgspec
from PySide6.QtCore import QCoreApplication, QEvent, QPoint
from pytestqt.qtbot import QtBot
from steer_results import NEXT, result, steer, steered

from sae_desktop.gui.state.session import Session
from sae_desktop.gui.steer.direction_menu import DecoderRowDialog, IndexFeatureDialog, TextsDialog
from sae_desktop.gui.steer.steering import SteeringPanel
from sae_desktop.steering.config import (
    DecoderRow,
    Intervention,
    MeanDifference,
    RandomDirection,
    SteeredToken,
)


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
    client.answer(client.jobs[-1], result("In", " plain", " steered"))
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
    client.answer(client.jobs[-1], result("In", " plain", " steered"))
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
    client.answer(client.jobs[-1], result("In", " plain", " steered"))
    assert not plain.earlier.isVisible()
    panel.form.prompt.setPlainText("In the")
    assert plain.earlier.isVisible()


def test_next_tokens__are_asked_for_while_the_slider_moves(
    qtbot: QtBot, panel: SteeringPanel, session: Session, client
) -> None:
    panel.form.prompt.setPlainText("In")
    steer(panel, session, 3, 0.5)
    qtbot.waitUntil(lambda: len(steered(client)) == 1, timeout=5000)
    client.answer(steered(client)[0], result("In"))
    moves = iter(range(1, 10_000))

    def moving() -> bool:
        """The hand never rests as long as the pause that a debounce would wait for."""
        panel.rack.slider(3).number.setValue(next(moves) % 16 / 2)
        return len(steered(client)) == 2

    qtbot.waitUntil(moving, timeout=5000)
    first = steered(client)[1]
    for value in (1.5, 2.5):
        panel.rack.slider(3).number.setValue(value)
    qtbot.wait(150)
    assert steered(client)[-1] is first  # it is not taken back for a newer one, or none would end
    client.answer(first, msgspec.structs.replace(result("In"), next_tokens=NEXT[:1]))
    assert [row.token for row in panel.next_token.bars.rows()] == [" God"]
    assert steered(client)[2].config.variants[1].interventions[0].strength == 2.5


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


def test_kept_text__that_is_dropped_while_it_is_written_takes_nothing_more(
    qtbot: QtBot, panel: SteeringPanel, session: Session, client
) -> None:
    panel.form.prompt.setPlainText("In")
    steer(panel, session, 3, 1.0)
    panel.keep()
    panel.generate()
    job = steered(client)[-1]
    kept = panel.outputs.kept[0][1]
    assert len(job.config.variants) == 3
    client.stream(job, SteeredToken(position=0, texts=["a", "b", "c"]))
    panel.outputs.drop(kept)
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    client.stream(job, SteeredToken(position=1, texts=["d", "e", "f"]))
    assert panel.outputs.plain.continuation == "ad"
    written = result("In", "ad", "be")
    third = msgspec.structs.replace(written.variants[1], name="kept", text="cf")
    client.answer(job, msgspec.structs.replace(written, variants=[*written.variants, third]))
    assert panel.outputs.steered.continuation == "be"
    assert not panel.running


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
