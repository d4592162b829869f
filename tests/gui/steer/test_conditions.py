"""Conditions in the rack: on sliders, as the end of a text, in presets, undo and the texts."""

from __future__ import annotations

import shutil

import msgspec
import pytest
from PySide6.QtGui import QTextCursor
from pytestqt.qtbot import QtBot
from steer_results import NEXT, steer, steered

from sae_desktop.gui.state.session import Session
from sae_desktop.gui.steer import rack as racks
from sae_desktop.gui.steer.condition_dialog import NEVER
from sae_desktop.gui.steer.rack import RackEntry
from sae_desktop.gui.steer.steering import SteeringPanel
from sae_desktop.gui.steer.stop_card import StopCard
from sae_desktop.steering.config import (
    PLAIN,
    Intervention,
    NextToken,
    OutputToken,
    Sampling,
    SteerResult,
    Variant,
    VariantResult,
)
from sae_desktop.steering.gate_config import Gate
from sae_desktop.steering.presets import preset_of

GATE = Gate(feature=5, above=3.0, since=True)
STOP = Gate(feature=6, above=0.5, where="output")


def test_interventions__are_the_same_after_the_rack_with_their_conditions() -> None:
    acts = [Intervention(feature=3, strength=2.0, when=GATE), Intervention(feature=4)]
    rack, how = racks.from_interventions(acts, [STOP])
    assert racks.interventions(rack, how) == acts
    assert racks.stops(rack) == [STOP]
    assert racks.acts_title(acts, [STOP]) == (
        "clamp #3 2× from the first time #5 > 3, #4 1×, stop when #6 > 0.5 on the output"
    )
    alone = racks.soloed(rack, 4)
    assert [entry.on for entry in alone] == [False, True, True]  # what ends the text stays
    assert racks.stops(racks.switched(rack, rack[-1].key, False)) == []


def test_condition_of_a_stop__is_changed_but_not_doubled() -> None:
    rack = (RackEntry(stop=GATE, on=True), RackEntry(stop=STOP, on=True))
    other = Gate(feature=9)
    assert racks.stops(racks.conditioned(rack, rack[0].key, other)) == [other, STOP]
    assert racks.conditioned(rack, rack[0].key, STOP) == rack
    assert racks.conditioned(rack, rack[0].key, None) == rack


def test_condition__is_asked_for_said_on_the_card_and_undone(
    panel: SteeringPanel, session: Session
) -> None:
    panel.form.prompt.setPlainText("In")
    steer(panel, session, 3, 2.0)
    card = panel.rack.slider(3)
    assert card.condition.isHidden()
    card.when.click()
    dialog = panel.rack.dialog
    assert dialog is not None
    assert dialog.chosen() is None
    dialog.by_feature.setChecked(True)
    assert dialog.feature.value() == 3  # its own, until another is typed
    dialog.feature.setValue(10**6)
    assert not dialog.use_button.isEnabled()
    dialog.feature.setValue(3)
    assert "maximum on the indexed text" in dialog.named.text()
    dialog.feature.setValue(5)
    assert dialog.named.text().startswith("never fired")
    dialog.above.setValue(3.0)
    dialog.since.setChecked(True)
    dialog.use_button.click()
    assert panel.rack.interventions() == [Intervention(feature=3, strength=2.0, when=GATE)]
    assert panel.next_token._job is not None
    assert card.condition.told.text().startswith("From the first time #5 > 3 (never fired")
    assert not card.condition.isHidden()
    assert "from the first time" in card.accessibleDescription()
    card.condition.button.click()
    assert panel.rack.dialog is not None
    assert panel.rack.dialog.chosen() == GATE
    panel.rack.dialog.never.setChecked(True)
    assert panel.rack.dialog.chosen() == NEVER
    panel.rack.dialog.use_button.click()
    assert panel.rack.interventions() == []
    session.undo_stack.undo()
    session.undo_stack.undo()
    assert panel.rack.interventions() == [Intervention(feature=3, strength=2.0)]
    assert card.condition.isHidden()


def test_next_token__says_where_the_condition_is_not_met_on_the_prompt(
    qtbot: QtBot, panel: SteeringPanel, session: Session, client
) -> None:
    panel.form.prompt.setPlainText("In")
    steer(panel, session, 3, 2.0)
    panel.rack.set_condition(3, GATE)
    qtbot.waitUntil(lambda: bool(steered(client)), timeout=5000)
    same = [NextToken(token=" God", probabilities=[0.4, 0.4])]
    variants = [VariantResult(name=name, prompt="In", text="") for name in ("plain", "steered")]
    for tokens, said in ((same, "No condition is met"), (NEXT, "")):
        panel.next_token._on_answer(SteerResult(variants=variants, next_tokens=tokens))
        assert panel.next_token._state.text().startswith(said)
        assert bool(panel.next_token._state.text()) == bool(said)


def test_condition__without_a_monitor_leads_to_where_one_is_made(
    panel: SteeringPanel, session: Session, heard
) -> None:
    steer(panel, session, 3, 2.0)
    panel.rack.slider(3).when.click()
    dialog = panel.rack.dialog
    assert dialog is not None
    assert not dialog.by_monitor.isEnabled()
    dialog.make.click()
    assert heard.workspaces[-1] == "safety.monitors"
    assert panel.rack.rack[0].when is None


def test_stop__is_a_card_and_asked_for_alone(
    qtbot: QtBot, panel: SteeringPanel, session: Session, client
) -> None:
    panel.form.prompt.setPlainText("In")
    panel.rack.ask_stop()
    dialog = panel.rack.dialog
    assert dialog is not None
    dialog.feature.setValue(6)
    dialog.above.setValue(0.5)
    dialog.reads.setCurrentIndex(dialog.reads.findData("output"))
    dialog.use_button.click()
    card = panel.rack.cards.card(panel.rack.rack[0].key)
    assert isinstance(card, StopCard)
    assert card.condition.told.text().startswith("When #6 > 0.5 on the output (")
    asked = panel.asked()
    assert asked is not None
    assert asked.variants == [PLAIN, Variant(name="steered", stop=[STOP])]
    qtbot.waitUntil(lambda: bool(steered(client)), timeout=5000)
    assert steered(client)[-1].config.variants[1].stop == [STOP]  # the bars obey it, too
    card.check.click()
    assert panel.asked() is None
    card.remove.click()
    assert panel.rack.rack == ()


def test_preset_with_conditions__is_shown_whole(panel: SteeringPanel, session: Session) -> None:
    told: list[str] = []
    session.noticeRaised.connect(told.append)
    gated = [Intervention(feature=3, strength=2.0, when=GATE)]
    variants = [PLAIN, Variant(name="steered", interventions=gated, stop=[STOP])]
    kept = preset_of("x", session.index.info, "In", variants, Sampling(), chat=False)
    panel.take_preset(kept)
    assert told == []
    assert panel.variants() == variants
    panel.presets.save_as("gated")
    panel.rack.switch_all_off()
    panel.presets.open_preset("gated")
    assert panel.variants() == variants
    panel.keep()
    assert panel.outputs.kept[0][0].stop == [STOP]


def _underlined(panel: SteeringPanel) -> list[str]:
    """Return the characters of the steered text under which there is a line."""
    cursor = QTextCursor(panel.outputs.steered.view.document())
    found = []
    for place in range(cursor.document().characterCount() - 1):
        cursor.setPosition(place)
        cursor.movePosition(QTextCursor.MoveOperation.Right, QTextCursor.MoveMode.KeepAnchor)
        if cursor.charFormat().fontUnderline():
            found.append(cursor.selectedText())
    return found


@pytest.mark.parametrize(
    ("prompt_open", "opened", "stopped", "lined", "said"),
    [
        (
            [1],
            [False, True],
            False,
            list("he sea"),
            "Underlined: the condition was open (1 of the prompt, 1 of 2 written).",
        ),
        ([], [False, False], False, [], "the text is the plain model’s"),
        ([], [False, True], True, list(" sea"), "A condition ended the text here."),
    ],
)
def test_text__is_underlined_where_its_condition_was_open(
    panel: SteeringPanel, session: Session, client, prompt_open: list[int],
    opened: list[bool], stopped: bool, lined: list[str], said: str,
) -> None:  # fmt: skip
    panel.form.prompt.setPlainText("The")
    steer(panel, session, 3, 2.0)
    panel.rack.set_condition(3, GATE)
    panel.generate()
    tokens = [
        OutputToken(text=text, log_probability=-1, plain_log_probability=-1, kl=0, open=is_open)
        for text, is_open in zip([" the", " sea"], opened, strict=True)
    ]
    plain = VariantResult(name="plain", prompt="The", text=" x")
    found = VariantResult(
        name="steered", prompt="The", text=" the sea", tokens=tokens, stopped=stopped,
        prompt_open=prompt_open,
    )  # fmt: skip
    answer = SteerResult(variants=[plain, found], next_tokens=NEXT, prompt_tokens=["T", "he"])
    client.answer(client.jobs[-1], answer)
    assert _underlined(panel) == lined
    assert said in panel.outputs.steered.opened.text()
    assert panel.outputs.plain.opened.isHidden()
    panel.rack.set_condition(3, None)  # the text is of a condition that is gone
    assert panel.outputs.steered.earlier.isVisible()
    run = msgspec.to_builtins(panel.last.run[1])
    assert msgspec.convert(run, SteerResult) == answer


def test_condition_by_another_index__knows_its_dictionary(
    panel: SteeringPanel, session: Session
) -> None:
    assert session.project is not None
    assert session.index is not None
    shutil.copy(session.project.index_path("main"), session.project.index_path("later"))
    panel.rack.ask_stop()
    dialog = panel.rack.dialog
    assert dialog is not None
    dialog.index.setCurrentIndex(dialog.index.findData("later"))
    dialog.feature.setValue(10**6)
    assert not dialog.use_button.isEnabled()
    dialog.feature.setValue(3)
    assert "maximum on the indexed text" in dialog.named.text()
    known = session.index.info.dictionary_hash
    assert dialog.chosen() == Gate(feature=3, index="later", index_hash=known, above=0.0)
    dialog.reject()
