"""Forms of a comparison and a watch: what they take, what they fill in, how many are ticked."""

from __future__ import annotations

from pathlib import Path

import msgspec
from frame_client import FakeClient, Heard
from made_change import made_calibration, save_made
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMessageBox, QWidget
from pytestqt.qtbot import QtBot

from sae_desktop.gui.safety.changes.change_forms import CompareForm
from sae_desktop.gui.safety.changes.model_fields import NamesField
from sae_desktop.gui.safety.changes.running_strip import RunningStrip
from sae_desktop.gui.safety.changes.watch_forms import WatchForm
from sae_desktop.gui.state.session import Session
from sae_desktop.gui.state.trash import Trash
from sae_desktop.project import Project
from sae_desktop.safety.change.config import CompareCheckpointsConfig, WatchConfig
from sae_desktop.safety.change.watcher import settings_of


def test_names__are_ticked_one_after_another_without_opening_the_menu_again(qtbot: QtBot) -> None:
    field = NamesField("None", {"language_switch": "Switching language", "own": "own"})
    qtbot.addWidget(field)
    field.show()
    menu = field.button.menu()
    menu.popup(field.mapToGlobal(field.rect().bottomLeft()))
    actions = {action.text(): action for action in menu.actions()}
    for name in ("Switching language", "own"):
        qtbot.mouseClick(
            menu, Qt.MouseButton.LeftButton, pos=menu.actionGeometry(actions[name]).center()
        )
        assert menu.isVisible()
    assert field.names == ("language_switch", "own")
    assert field.button.text() == "Switching language, own"
    menu.setActiveAction(actions["own"])
    qtbot.keyClick(menu, Qt.Key.Key_Space)
    assert menu.isVisible()
    assert field.names == ("language_switch",)
    actions["All"].trigger()
    assert field.names == ("language_switch", "own")
    menu.close()


def test_form__tells_checkpoints_of_one_name_apart(
    session: Session, project: Project, qtbot: QtBot
) -> None:
    session.open_project(project.path)
    form = CompareForm(session)
    qtbot.addWidget(form)
    form.checkpoints.show_paths(["/a/step-1", "/b/step-1", "/b/step-2"])
    rows = [form.checkpoints.list.item(row).text() for row in range(3)]
    assert rows == ["a/step-1", "b/step-1", "step-2"]


def test_form__says_what_a_comparison_takes_and_keeps_to_the_pace_of_earlier_ones(
    session: Session, project: Project, qtbot: QtBot
) -> None:
    session.open_project(project.path)
    form = CompareForm(session)
    qtbot.addWidget(form)
    form.checkpoints.show_paths(["/a/step-1"])
    form.base.box.setCurrentText("builtin")
    assert "on two cores without other load" in form.estimate.text()
    form.base.box.setCurrentText("/nowhere")
    assert "shown as it runs" in form.estimate.text()
    # 400 s where 9 texts with four models take about 4.
    save_made(project, seconds=400.0)
    slow = CompareForm(session)
    qtbot.addWidget(slow)
    slow.checkpoints.show_paths(["/a/step-1"])
    slow.base.box.setCurrentText("builtin")
    assert "at the pace of the latest comparisons" in slow.estimate.text()
    assert " min at the pace" in slow.estimate.text()


def test_watch_form__reads_as_the_harmless_runs_of_its_calibration(
    session: Session, project: Project, tmp_path: Path, qtbot: QtBot
) -> None:
    read = CompareCheckpointsConfig(project="", name="", checkpoints=())
    settings = {
        "site": "blocks.1.hook_resid_post", "dictionary": "", "corpus": "", "texts": 9,
        "context_size": 33, "traits": ["bias"], "seed": 4,
    }  # fmt: skip
    kept = msgspec.structs.replace(
        made_calibration(), settings=msgspec.json.encode(settings).decode()
    )
    (project.path / "changes").mkdir(exist_ok=True)
    project.calibration_path("k").write_bytes(msgspec.json.encode(kept))
    session.open_project(project.path)
    form = WatchForm(session)
    qtbot.addWidget(form)
    form.folder.field.setText(str(tmp_path))
    form.calibration.setCurrentIndex(form.calibration.findData("k"))
    assert settings_of(form.config()) == kept.settings
    assert not form.texts.isEnabled()
    form.calibration.setCurrentIndex(0)
    assert form.texts.isEnabled()
    assert form.config().seed == read.seed


def test_strip__shows_what_runs_and_cancels_it(
    session: Session, project: Project, client: FakeClient, qtbot: QtBot
) -> None:
    session.open_project(project.path)
    strip = RunningStrip()
    qtbot.addWidget(strip)
    session.run(CompareCheckpointsConfig(project=str(project.path), name="c", checkpoints=("a",)))
    job = client.last(CompareCheckpointsConfig)
    strip.follow(job)
    client.run(job)
    assert not strip.isHidden()
    assert strip.told.text().startswith("Make the comparison “c”: ")
    strip.cancel_button.click()
    assert job.asked == "cancel"
    assert not strip.cancel_button.isEnabled()
    client.finish(job, None)
    assert strip.isHidden()


def test_deletion__is_held_up_by_a_watch_of_its_own_alone(
    session: Session, project: Project, client: FakeClient, heard: Heard, qtbot: QtBot
) -> None:
    save_made(project)
    session.open_project(project.path)
    session.run(WatchConfig(project=str(project.path), name="w", folder="/runs"))
    client.run(client.last(WatchConfig))
    window = QWidget()
    qtbot.addWidget(window)
    trash = Trash(session)
    trash.ask_to_delete("watch", "w", window)
    assert heard.notices[-1] == ("You can delete it once this job is stopped: Run the watch “w”.")
    assert window.findChild(QMessageBox) is None
    trash.ask_to_delete("comparison", "made", window)
    box = window.findChild(QMessageBox)
    assert box is not None
    box.reject()
