"""Monitors in the window: what is said of them, what is asked for, and what the buttons do."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from frame_client import FakeClient, Heard
from made_monitor import make_monitor, make_run
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot
from shown_panel import shown

from sae_desktop.client.served_process import ServedState
from sae_desktop.corpus.config import CorpusDescription, DescribeCorpusConfig
from sae_desktop.gui.safety.monitors_place import MonitorsPlace
from sae_desktop.gui.safety.safety import SafetyPanel
from sae_desktop.gui.state.monitor_draft import MonitorDraft
from sae_desktop.gui.state.session import Session
from sae_desktop.project import Project
from sae_desktop.safety.mitigation.config import (
    Figure,
    MitigateConfig,
    MitigateResult,
    Outcome,
    Searched,
    WonBack,
)
from sae_desktop.safety.monitors.config import CalibrateMonitorConfig, RunMonitorsConfig
from sae_desktop.safety.serving.config import Served, ServedRequest


@pytest.fixture
def place(session: Session, project: Project, qtbot: QtBot) -> Iterator[MonitorsPlace]:
    """The place on a project with the monitor “alarm”, which has a run."""
    make_monitor(project)
    make_run(project, drift="This text drifts.")
    session.open_project(project.path)
    panel = SafetyPanel(session)
    workspace = shown(qtbot, "safety", panel)
    panel.places.show_place("monitors")
    qtbot.waitUntil(lambda: panel.monitors.list.count() == 1)
    yield panel.monitors
    workspace.hide()


def test_page__says_the_promise_and_that_the_cheaper_way_wins(
    place: MonitorsPlace, qtbot: QtBot
) -> None:
    view = place.page.promise
    assert "on at most 1% of ordinary messages" in view.promise.text()
    assert view.winner.text().startswith("The cheaper way wins: difference of means catches 18")
    assert view.table.item(1, 2).text() == "18 of 20"  # type: ignore[union-attr]
    assert view.table.item(1, 2).font().bold()  # type: ignore[union-attr]
    assert not view.table.item(0, 2).font().bold()  # type: ignore[union-attr]
    qtbot.waitUntil(lambda: "Of the concept (20): " in view.plot.text())
    assert "Ordinary text (400): 0.2% fire" in view.plot.text()


def test_run__shows_hits_in_context_and_offers_to_calibrate_on_a_text_that_drifts(
    place: MonitorsPlace, qtbot: QtBot
) -> None:
    place.page.tabs.setCurrentIndex(1)
    run = place.page.run
    qtbot.waitUntil(lambda: run.runs.count() == 1)
    assert "2 fired: a rate of 4.00%" in run.figures.text()
    qtbot.waitUntil(lambda: run.hits.text.plain_text() == "a bad word\na bad word")
    assert run.drift.isVisible()
    run.again_button.click()
    assert place.stack.currentWidget() is place.form
    assert place.form.text.corpus == "/somewhere/chats.jsonl"
    assert place.form.config().like == "alarm"
    assert place.form.config().replace


def test_run__reads_the_text_that_was_chosen(
    place: MonitorsPlace, client: FakeClient, qtbot: QtBot
) -> None:
    run = place.page.run
    run.documents.setValue(30)
    run.run_button.click()
    config = client.last(RunMonitorsConfig).config
    assert (config.monitors, config.corpus, config.documents) == (["alarm"], "builtin", 30)
    assert not run.run_button.isEnabled()
    assert run.stop_button.isVisibleTo(run)


def test_form__says_how_much_text_the_promise_takes_before_it_starts(
    place: MonitorsPlace, client: FakeClient, session: Session, qtbot: QtBot
) -> None:
    place.take_draft(MonitorDraft(index="i", features=(4, 9), concept_set="unsafe_code"))
    form = place.form
    assert form.features.line.text() == "4, 9"
    assert form.name.text() == "unsafe code"
    form.index.addItem("i", "builtin")
    form._show_kind()
    qtbot.waitUntil(lambda: form.concept.name == "unsafe_code")
    qtbot.waitUntil(lambda: bool(client.started(DescribeCorpusConfig)))
    described = CorpusDescription(
        name="b", format="", documents=200, duplicates=0, bytes=-1, columns=[], column="",
        sources=[], languages=[], notes=[], preview=[],
    )  # fmt: skip
    client.finish(client.last(DescribeCorpusConfig), described)
    assert "takes at least 299 documents" in form.needed.text()
    assert "has 200, which can back 1.49% at least" in form.needed.text()
    assert not form.start_button.isEnabled()
    form.rate.setValue(2.0)
    assert form.start_button.isEnabled()
    form.start_button.click()
    config = client.last(CalibrateMonitorConfig).config
    assert (config.features, config.set, config.rate) == ([4, 9], "unsafe_code", 0.02)


def test_delete__goes_to_the_trash_and_comes_back(
    place: MonitorsPlace, session: Session, project: Project, qtbot: QtBot
) -> None:
    place.page.delete_button.click()
    assert project.monitors() == []
    assert not list(project.path.glob("monitors/*"))
    session.look_again()
    qtbot.waitUntil(lambda: place.list.count() == 0)
    session.undo_stack.undo()
    assert project.monitors() == ["alarm"]
    assert len(list(project.path.glob("monitors/alarm.*.safetensors"))) == 1


def test_rename__takes_along_what_names_it_here_and_is_undone(
    place: MonitorsPlace, session: Session, project: Project, qtbot: QtBot
) -> None:
    place.server.choose("alarm")
    form = place.ask_name()
    assert form is not None
    form.name.setText("siren")
    form.accept()
    assert project.monitors() == ["siren"]
    qtbot.waitUntil(lambda: place.page.name.text() == "siren")
    assert place.name == "siren"
    assert place.server.chosen() == ["siren"]
    place.page.tabs.setCurrentIndex(1)
    qtbot.waitUntil(lambda: "a bad word" in place.page.run.hits.text.plain_text())
    session.undo_stack.undo()
    qtbot.waitUntil(lambda: place.name == "alarm")
    assert project.monitors() == ["alarm"]
    session.undo_stack.redo()
    assert project.monitors() == ["siren"]


def _outcome(name: str, shown: int, gone: float, loss: float) -> Outcome:
    ends = Figure(value=loss, low=loss / 2, high=loss * 2)
    return Outcome(
        name=name, shown=shown, of=10, share=(0.0, 1.0), loss=ends, loss_share=ends, kl=ends,
        removed=Figure(value=gone, low=gone - 0.1, high=min(gone + 0.1, 1.0)), refused=1,
        harmless=5, open_share=0.1,
    )  # fmt: skip


def test_mitigation__asks_under_the_condition_and_says_where_a_random_one_does_as_much(
    place: MonitorsPlace, client: FakeClient, qtbot: QtBot
) -> None:
    view = place.page.mitigation
    view.form.index.addItem("i")
    assert not view.run_button.isEnabled()
    view.form.prompts.setPlainText("one\ntwo")
    view.form.targets.setText("eval( | exec(")
    view.run_button.click()
    config = client.last(MitigateConfig).config
    assert config.targets == ["eval(", "exec("]
    assert [act.feature for act in config.variant.interventions] == [3, 5]
    assert {act.when.monitor for act in config.variant.interventions} == {"alarm"}
    won = WonBack(prompt="one", won=True, by="another wording", found="x", tries=3, gain=1.0)
    result = MitigateResult(
        outcomes=[
            _outcome("plain", 10, 0.0, 0.0), _outcome("under the condition", 2, 0.8, 0.01),
            _outcome("at every token", 1, 0.9, 0.2),
            _outcome("on a random condition", 2, 0.8, 0.01),
        ],
        plain_loss=3.0, examples=[("one", "a", "b")],
        searched=[Searched(way="at every token", attacks=[won], won=1, share=(0.2, 1.0))],
    )  # fmt: skip
    client.finish(client.last(MitigateConfig), result)
    assert "80% (70%–90%) of the behaviour is gone" in view.verdict.text()
    assert "a random condition does as much" in view.verdict.text()
    assert "Always, at every token" in view.searched.text()
    assert "1 of 1 prompts (20%–100%)" in view.searched.text()
    assert view.table.item(1, 2).text() == "80% (70–90)"  # type: ignore[union-attr]
    assert view.found.topLevelItemCount() == 1
    view.form.prompts.clear()
    view.form.targets.clear()
    assert view.missing.text().startswith("Give prompts")
    kept = view._kept()
    view._give(kept)  # as at the next start
    assert view.form.config() == config


def test_server__hides_its_token_and_tells_of_each_request(
    place: MonitorsPlace, heard: Heard, qtbot: QtBot
) -> None:
    place.page.serve_button.click()
    panel = place.server
    assert panel.config().monitors == ["alarm"]
    assert (panel.model.text(), panel.config().model) == ("Built-in model", "")
    panel.choose("")
    assert panel.config().model == "builtin"  # nothing else says which
    panel.choose("alarm")
    token = "a-long-secret-token"
    panel.process.served = Served(url="http://127.0.0.1:8642/v1", token=token, model="m")
    panel.process._enter(ServedState.RUNNING)
    assert panel.reach.isVisible()
    assert token not in panel.token.text() + panel.lines.text()
    panel.show_token.click()
    assert token in panel.token.text()
    panel.process.requested.emit(
        ServedRequest(
            at="2026-11-29T10:00:00+00:00", kind="chat", read=3, written=4, finish="cancelled",
            fired=["alarm"],
        )
    )  # fmt: skip
    row = panel.requests.topLevelItem(0)
    assert row is not None
    assert [row.text(n) for n in (1, 2, 3, 4, 5)] == [
        "chat", "3", "4", "the client hung up", "alarm"
    ]  # fmt: skip
    panel.process._enter(ServedState.STOPPED)
    assert not panel.reach.isVisible()


def test_list__is_walked_by_keyboard(place: MonitorsPlace, qtbot: QtBot) -> None:
    place.list.setFocus()
    qtbot.keyClick(place.list, Qt.Key.Key_Down)
    assert place.stack.currentWidget() is place.page
    assert place.name == "alarm"
