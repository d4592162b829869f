"""Monitors of the project beside steered texts: chosen, drawn, marked, and where there are none."""

from __future__ import annotations

import msgspec
import pytest
from PySide6.QtGui import QFont, QTextCursor
from pytestqt.qtbot import QtBot
from steer_results import NEXT, steer, steered

from sae_desktop.gui.state.session import Session
from sae_desktop.gui.steer.steering import SteeringPanel
from sae_desktop.safety.monitors.config import Promise
from sae_desktop.safety.monitors.file import Monitor
from sae_desktop.steering.config import OutputToken, SteerResult, VariantResult, WatchedText
from sae_desktop.steering.gate_config import Gate, Readout

PROMISE = Promise(
    unit="message", rate=0.05, confidence=0.95, method="bound", blocks=200, units=200, firing=4.0,
    bound=0.045, blocks_firing=4,
)  # fmt: skip


def _make(session: Session, *names: str, model: str = "") -> None:
    assert session.project is not None
    for name in names:
        monitor = Monitor(
            name=name, readout=Readout(index="main", features=[3], pool="max"), threshold=2.0,
            made="feature 3", places=["blocks.0.hook_resid_post"], promise=PROMISE, corpus="c",
            model=model, corpus_digest="", context_size=64, bos=True, settings="{}", created="",
        )  # fmt: skip
        path = session.project.monitor_path(name)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(msgspec.json.encode(monitor))
    session.contentsChanged.emit()


def _watched(*scores: float) -> WatchedText:
    hits = [number for number, score in enumerate(scores) if score > 2.0]
    return WatchedText(monitor="m", threshold=2.0, scores=list(scores), prompt=2, hits=hits)


def test_no_monitors__lead_to_where_they_are_made(panel: SteeringPanel, heard) -> None:
    choice = panel.monitors
    assert choice.button.isHidden()
    assert choice.none.isVisible()
    choice.make.click()
    assert heard.workspaces == ["safety.monitors"]


def test_chosen_monitors__read_along_and_are_forgotten_with_their_files(
    qtbot: QtBot, panel: SteeringPanel, session: Session, client
) -> None:
    _make(session, "m", "other", "third", "fourth")
    panel.form.prompt.setPlainText("In")
    panel.monitors._fill()
    menu = {action.text(): action for action in panel.monitors.button.menu().actions()}
    menu["m"].trigger()
    assert panel.monitors.button.text() == "m"
    qtbot.waitUntil(
        lambda: bool(steered(client)) and steered(client)[-1].config.monitors == ["m"], timeout=5000
    )
    panel.monitors.choose(["m", "other", "third", "fourth"])
    assert panel.monitors.chosen == ["m", "other", "third"]  # no more than there is room for
    panel.generate()
    assert client.jobs[-1].config.monitors == ["m", "other", "third"]
    assert session.project is not None
    session.project.monitor_path("other").unlink()
    session.contentsChanged.emit()
    assert panel.monitors.chosen == ["m", "third"]


def test_monitor_of_another_model__is_not_offered(panel: SteeringPanel, session: Session) -> None:
    _make(session, "m", model="another/model")
    panel.monitors.choose(["m"])
    assert panel.monitors.chosen == []
    panel.monitors._fill()
    (action,) = panel.monitors.button.menu().actions()
    assert (action.text(), action.isEnabled()) == ("m (of another model)", False)


def test_scores__are_drawn_with_hits_and_the_promise(
    panel: SteeringPanel, session: Session, client
) -> None:
    _make(session, "m")
    panel.form.prompt.setPlainText("The")
    steer(panel, session, 3, 2.0)
    panel.monitors.choose(["m"])
    panel.generate()
    tokens = [
        OutputToken(text=text, log_probability=-1, plain_log_probability=-1, kl=0)
        for text in (" the", " sea")
    ]
    plain = VariantResult(
        name="plain", prompt="The", text=" the sea", tokens=tokens, watched=[_watched(0, 1, 1, 0)]
    )
    found = msgspec.structs.replace(plain, name="steered", watched=[_watched(0, 3, 1, 4)])
    answer = SteerResult(variants=[plain, found], next_tokens=NEXT, prompt_tokens=["T", "he"])
    client.answer(client.jobs[-1], answer)
    text = panel.outputs.steered
    (strip,) = text.watched.strips
    strip.resize(56, 26)
    tops = [strip.bar(number).top() for number in range(4)]
    assert tops[3] < tops[1] < strip.height_of(2.0) < tops[2] < tops[0]
    tip = strip.tip_at(3 * 14 + 2)
    assert "sea" in tip
    assert "4, fires" in tip
    assert "at most 5.00% fire" in tip
    cursor = QTextCursor(text.view.document())
    cursor.setPosition(2)  # within “he”, of the prompt
    assert cursor.charFormat().fontWeight() == QFont.Weight.Bold
    assert "“m”: 3, fires (threshold 2)" in cursor.charFormat().toolTip()
    assert "fires on none of 4" in panel.outputs.plain.watched.strips[0].accessibleDescription()
    panel.keep()
    assert len(panel.outputs.kept[0][1].watched.strips) == 1
    panel.generate()
    assert text.watched.strips == []


@pytest.mark.parametrize("above", [None, 7.0])
def test_condition_by_a_monitor__tells_its_promise(
    panel: SteeringPanel, session: Session, above: float | None
) -> None:
    _make(session, "m")
    gate = Gate(monitor="m", above=above)
    panel.rack.add_stop(gate)
    key = panel.rack.rack[0].key
    panel.rack._on_condition_asked(key)
    dialog = panel.rack.dialog
    assert dialog is not None
    assert "It fires above 2." in dialog.promise.text()
    assert "at most 5.00% fire" in dialog.promise.text()
    assert dialog.chosen() == gate
    dialog.reject()
