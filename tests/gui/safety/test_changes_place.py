"""The place Changes: what a comparison and a watch say, their forms, deletion with undo."""

from __future__ import annotations

import datetime
from pathlib import Path

import msgspec
import pytest
from frame_client import FakeClient, Heard
from made_change import MOVED, save_made, save_watch
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from pytestqt.qtbot import QtBot

from sae_desktop.engine.protocol import Event, JobOutput
from sae_desktop.gui.project.project_cards import cards
from sae_desktop.gui.safety.changes.change_forms import CompareForm
from sae_desktop.gui.safety.changes.watch_forms import CalibrateForm, WatchForm
from sae_desktop.gui.safety.changes_place import ChangesPlace
from sae_desktop.gui.state.session import Session
from sae_desktop.project import Project
from sae_desktop.safety.change.config import (
    CompareCheckpointsConfig,
    CompareCheckpointsResult,
    WatchConfig,
)
from sae_desktop.words.inventory import take_inventory


@pytest.fixture
def place(session: Session, project: Project, qtbot: QtBot) -> ChangesPlace:
    session.open_project(project.path)
    panel = ChangesPlace(session)
    qtbot.addWidget(panel)
    panel.resize(1180, 640)
    panel.show()
    return panel


def _model(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text('{"model_type": "gpt2"}')
    (folder / "model.safetensors").write_bytes(b"\x02\0\0\0\0\0\0\0{}")
    return folder


def _cells(table: object) -> list[list[str]]:
    return [list(row) for row in table.figures.rows]  # type: ignore[attr-defined]


def test_place__says_what_one_does_here_before_there_is_anything(place: ChangesPlace) -> None:
    assert place.stack.currentIndex() == 0
    assert place.first[0].text() == "Compare two models, or follow one in training"
    assert not place.things.isVisible()
    assert not place.compare_button.isVisible()
    # Right under the words that explain them.
    assert [button.text() for button in place.first_buttons] == [
        "Compare models…", "Watch a folder…",
    ]  # fmt: skip
    gap = place.first_buttons[0].mapTo(place, QPoint()) - place.first[2].mapTo(place, QPoint())
    assert 0 < gap.y() < 120
    assert place.focusProxy() is place.first_buttons[0]


def test_comparison__is_told_in_a_sentence_with_its_rivals_and_onset(
    place: ChangesPlace, project: Project
) -> None:
    save_made(project)
    place.refresh()
    place.things.choose("comparison", "made")
    page = place.page
    assert page.sentence.text() == (
        "“step-3” differs from “Built-in model” by more than chance in 3 of 4 ways of looking that "
        "have a yardstick."
    )
    told = page.details.text()
    assert "between “step-1” and “step-2”" in told
    assert "only a watch with a calibration says" in told
    rows = {row[0]: row for row in _cells(page.ways)}
    assert rows["Predictions"][4:] == ["step-2", "12.0 ×"]
    assert rows["Predictions"][3] == "no yardstick"
    assert rows["Dictionary"][1:4] == [
        "1 of 12 features changed", "0 of as many random directions", "beyond chance",
    ]  # fmt: skip
    assert rows["Text along “tone”"][3] == "as by chance"
    page.checkpoint.setCurrentIndex(1)
    rows = {row[0]: row for row in _cells(page.ways)}
    assert rows["Direction of “tone”"][1] == "turned by 2°"
    assert rows["Direction of “tone”"][3] == "as by chance"


def test_lists__show_what_changed_and_the_models_side_by_side(
    place: ChangesPlace, project: Project
) -> None:
    save_made(project)
    place.refresh()
    place.things.choose("comparison", "made")
    page = place.page
    assert [row[0] for row in _cells(page.features.table)][:2] == [f"#{MOVED}", "#1"]
    assert "1 of 12 features" in page.features.note.text()
    assert [row[2] for row in _cells(page.outputs.table)] == [
        "sea builtin", "sea step-1", "sea step-2", "sea step-3",
    ]  # fmt: skip
    assert [text.text() for _, text in page.outputs.steered] == ["morning", "matin", "mmm"]
    assert page.outputs.first_title.text() == "“Built-in model” writes"
    assert page.outputs.chosen.text() == "sea step-3"
    page.outputs.table.selectRow(1)
    assert page.outputs.chosen.text() == "sea step-1"
    assert _cells(page.tokens.shift)[0] == ["·le", "+1.500"]
    assert page.crosscoder.kind.itemText(0).startswith("Rotated")
    page.crosscoder.kind.setCurrentIndex(1)
    assert _cells(page.crosscoder.table)[0][3:5] == ["step-2", "step-3"]


def test_feature__without_an_index_says_so_and_how_to_get_its_page(
    place: ChangesPlace, project: Project, heard: Heard, qtbot: QtBot
) -> None:
    save_made(project)
    place.refresh()
    place.things.choose("comparison", "made")
    place.page.tabs.setCurrentWidget(place.page.features)
    place.page.features.table.selectRow(0)
    qtbot.keyClick(place.page.features.table, Qt.Key.Key_Return)
    assert "has no index" in heard.errors[0].what
    assert heard.errors[0].next_step


def test_comparison__is_saved_deleted_and_brought_back(
    place: ChangesPlace, project: Project, session: Session, tmp_path: Path, qtbot: QtBot
) -> None:
    save_made(project)
    place.refresh()
    place.things.choose("comparison", "made")
    page = tmp_path / "page.html"
    place.write_page(page)
    qtbot.waitUntil(page.exists)
    html = page.read_text(encoding="utf-8")
    for words in ("With a random direction", "Models side by side", "by more than chance in 3 of"):
        assert words in html
    place.delete("comparison", "made")
    session.look_again()
    assert project.changes() == []
    assert place.stack.currentIndex() == 0
    session.undo_stack.undo()
    session.look_again()
    assert project.changes() == ["made"]


def test_form__takes_a_dropped_folder_of_checkpoints_in_their_order(
    session: Session, project: Project, tmp_path: Path, client: FakeClient, qtbot: QtBot
) -> None:
    session.open_project(project.path)
    for name in ("step-10", "step-2"):
        _model(tmp_path / "run" / name)
    (tmp_path / "run" / "logs").mkdir()
    form = CompareForm(session)
    qtbot.addWidget(form)
    assert "Add at least one checkpoint" in form._problem.text()
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(tmp_path / "run"))])
    drop = QDropEvent(
        QPointF(5, 5), Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )  # fmt: skip
    form.checkpoints.list.dropEvent(drop)
    assert [Path(p).name for p in form.checkpoints.paths] == ["step-2", "step-10"]
    assert "8,192 tokens with each of 3 models" in form.estimate.text()
    form.checkpoints.list.setCurrentRow(1)
    form.checkpoints.up.click()
    form.base.box.setCurrentText("builtin")
    form.crosscoder.setChecked(True)
    form.more.setChecked(True)
    form.show()
    assert form.sizeHint().height() <= 680  # a small screen, less what surrounds a window
    form.accept()
    asked = client.last(CompareCheckpointsConfig).config
    assert [Path(p).name for p in asked.checkpoints] == ["builtin", "step-10", "step-2"]
    assert asked.crosscoder_features == 1024


def test_form__says_why_a_folder_is_not_taken(
    session: Session, project: Project, tmp_path: Path, qtbot: QtBot
) -> None:
    session.open_project(project.path)
    (tmp_path / "empty").mkdir()
    form = CompareForm(session)
    qtbot.addWidget(form)
    form.checkpoints.add([tmp_path / "empty"])
    assert "no complete checkpoint lies in it" in form._problem.text()
    assert not form._start.isEnabled()


def test_comparison__comes_to_the_front_when_it_is_done(
    place: ChangesPlace, project: Project, session: Session, client: FakeClient
) -> None:
    config = CompareCheckpointsConfig(
        project=str(project.path), name="made", checkpoints=("builtin", "x")
    )
    session.run(config)
    save_made(project)
    result = CompareCheckpointsResult(name="made", site="s", checkpoints=[])
    client.finish(client.last(CompareCheckpointsConfig), result)
    assert place.shown == ("comparison", "made")
    place.compare_again()
    form = place.window().findChild(CompareForm)
    assert form is not None
    assert form.texts.value() == 9
    form.close()


def test_comparison__stays_as_it_is_looked_at_while_other_things_come(
    place: ChangesPlace, project: Project, session: Session
) -> None:
    save_made(project)
    place.refresh()
    place.things.choose("comparison", "made")
    place.page.checkpoint.setCurrentIndex(1)
    save_made(project, "other")
    session.look_again()
    assert place.things.names("comparison") == ["made", "other"]
    assert place.things.thing == place.shown == ("comparison", "made")
    assert place.page.checkpoint.currentIndex() == 1


def test_watch__tells_its_alerts_promise_and_monitors_and_resumes(
    place: ChangesPlace, project: Project, client: FakeClient, heard: Heard
) -> None:
    save_watch(project, calibration="k")
    place.refresh()
    place.things.choose("watch", "w")
    page = place.watched
    assert page.state.text() == "Not watching. 3 checkpoints watched, 1 alert."
    assert page.alerts.text().startswith("Alert: between “step-1” and “step-2”, the predictions")
    told = page.told.text()
    assert "at most 10.0% raise an alert" in told
    assert "holds up to 2 checkpoints" in told
    assert "calibrate it again there" in told
    assert "“step-0” was left out. It is another model." in told
    assert page.timeline.figure is not None
    assert page.timeline.figure.threshold == 1.5
    assert page.timeline.figure.lines[0].values == pytest.approx([1.0, 15.0, 1.5])
    assert _cells(page.table)[1] == ["step-2", "alert", "0.300", "–"]
    page.table.selectRow(1)
    page.table.rowChosen.emit(1)
    assert "“w step-2”" in heard.notices[-1]
    page.start_button.click()
    asked = client.last(WatchConfig).config
    assert (asked.project, asked.folder, asked.base) == (str(project.path), "/runs", "builtin")
    job = client.last(WatchConfig)
    client.run(job)
    assert not page.start_button.isVisible()
    page.stop_button.click()
    assert job.asked == "stop"


def test_watch__that_is_deleted_leaves_its_page_without_a_complaint(
    place: ChangesPlace, project: Project, session: Session, heard: Heard
) -> None:
    save_watch(project)
    place.refresh()
    place.things.choose("watch", "w")
    place.delete("watch", "w")
    session.look_again()
    assert (project.watches(), place.stack.currentIndex(), heard.errors) == ([], 0, [])
    session.undo_stack.undo()
    session.look_again()
    assert place.things.names("watch") == ["w"]


def test_watch__says_an_alert_as_it_comes_over_the_pipe(
    place: ChangesPlace, project: Project, session: Session, client: FakeClient, heard: Heard
) -> None:
    session.run(WatchConfig(project=str(project.path), name="w", folder="/runs"))
    job = client.last(WatchConfig)
    client.run(job)
    assert place.shown == ("watch", "w")
    assert place.watched.state.text() == "Starting. 0 checkpoints watched."
    for watched in save_watch(project).watched[:2]:
        sent = msgspec.json.encode(JobOutput(job_id=job.id, data=watched))
        job.receive(msgspec.json.decode(sent, type=Event))
    assert len(heard.notices) == 1
    assert heard.notices[0].startswith("Alert: between “step-1” and “step-2”")
    assert "3 checkpoints watched, 1 alert" in place.watched.state.text()


def test_watch__without_a_calibration_says_that_it_raises_no_alert(
    place: ChangesPlace, project: Project
) -> None:
    save_watch(project)
    place.refresh()
    place.things.choose("watch", "w")
    assert place.watched.told.text().startswith("No alert is raised: without a calibration")
    assert place.watched.timeline.figure is not None
    assert place.watched.timeline.figure.threshold is None


def test_watch_form__asks_for_a_folder_that_is_there(
    session: Session, project: Project, tmp_path: Path, client: FakeClient, qtbot: QtBot
) -> None:
    session.open_project(project.path)
    form = WatchForm(session)
    qtbot.addWidget(form)
    form.folder.field.setText(str(tmp_path / "nowhere"))
    assert "There is no folder" in form._problem.text()
    form.folder.field.setText(str(tmp_path))
    form.accept()
    asked = client.last(WatchConfig).config
    assert (asked.folder, asked.base, asked.expected) == (str(tmp_path), "", 0)


def test_calibrate_form__says_how_many_harmless_runs_a_rate_needs(
    session: Session, project: Project, qtbot: QtBot
) -> None:
    for number in range(5):
        save_watch(project, f"h{number}")
    session.open_project(project.path)
    form = CalibrateForm(session)
    qtbot.addWidget(form)
    assert form.need.text() == "A rate of 10% needs 11 harmless runs; 0 are chosen."
    assert not form._start.isEnabled()
    form.watches.tick([f"h{number}" for number in range(5)])
    assert form._problem.text() == "6 more harmless runs are needed."
    form.rate.setValue(20)
    assert form._problem.text() == ""
    assert form.config().rate == 0.2


def test_place__is_walked_by_keyboard(place: ChangesPlace, project: Project, qtbot: QtBot) -> None:
    save_made(project)
    save_watch(project)
    place.refresh()
    place.compare_button.setFocus()
    order = []
    for _ in range(4):
        order.append(place.window().focusWidget())
        qtbot.keyClick(order[-1], Qt.Key.Key_Tab)
    assert order[:3] == [place.compare_button, place.watch_button, place.things]
    assert place.shown == ("comparison", "made")  # the first that the list has
    qtbot.keyClick(place.things, Qt.Key.Key_Down)  # over the heading
    assert place.shown == ("watch", "w")
    qtbot.keyClick(place.things, Qt.Key.Key_Up)
    walked = []
    place.page.checkpoint.setFocus()
    for _ in range(6):
        walked.append(place.window().focusWidget())
        qtbot.keyClick(walked[-1], Qt.Key.Key_Tab)
    page = place.page
    assert walked[:3] == [page.checkpoint, page.save_button, page.more_button]
    assert {page.ways, page.timeline.what} <= {*walked, place.window().focusWidget()}


def test_cards__tell_of_comparisons_and_watches_and_lead_here(
    place: ChangesPlace, project: Project, session: Session
) -> None:
    save_made(project)
    save_watch(project)
    save_made(project, "w step-1")  # of the watch, which shows it
    project.change_path("broken").write_bytes(b"")
    found = cards(take_inventory(project), datetime.datetime(2026, 1, 1))
    shown = {card.name: card for card in found["Comparisons and watches"]}
    assert sorted(shown) == ["broken", "made", "w"]
    assert shown["made"].figures[0] == ("Models", "4")
    assert shown["w"].figures == (("Checkpoints", "3"), ("Alerts", "1"))
    assert shown["broken"].actions == ("reveal", "delete")
    session.changeRequested.emit("watch", "w")
    assert place.shown == ("watch", "w")
    assert place.things.names("comparison") == ["broken", "made"]
