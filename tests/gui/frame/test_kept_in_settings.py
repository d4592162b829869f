"""What is kept outside of projects, in the settings: sizes are counted, and one can be cleared."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from frame_client import FakeClient
from PySide6.QtWidgets import QMessageBox
from pytestqt.qtbot import QtBot

from sae_desktop.engine.protocol import EngineStatus
from sae_desktop.gui.frame import kept_control
from sae_desktop.gui.frame.kept_control import KeptControl
from sae_desktop.gui.frame.main_window import MainWindow
from sae_desktop.gui.frame.settings_dialog import SettingsDialog
from sae_desktop.gui.state.session import Session
from sae_desktop.project import Project
from sae_desktop.storage.own_folders import cache_folder
from sae_desktop.training.config import TrainConfig


@pytest.fixture(autouse=True)
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own, in which a model was fetched."""
    for name in ("CACHE", "DATA", "STATE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    folder = cache_folder() / "models" / "smollm2"
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"x" * 3000)
    return folder


@pytest.fixture
def dialog(window: MainWindow, qtbot: QtBot) -> Iterator[SettingsDialog]:
    window.open_settings()
    dialog = window.findChild(SettingsDialog)
    assert dialog is not None
    wait_for_sizes(dialog, qtbot)
    yield dialog
    dialog.close()


def wait_for_sizes(dialog: SettingsDialog, qtbot: QtBot) -> None:
    controls = [row.control for row in dialog.rows.values() if isinstance(row.control, KeptControl)]
    qtbot.waitUntil(lambda: all(one.figure.text() != "counting…" for one in controls))


def control(dialog: SettingsDialog, name: str) -> KeptControl:
    found = dialog.rows[name].control
    assert isinstance(found, KeptControl)
    return found


def answer(dialog: SettingsDialog, text: str) -> str:
    """Press a button of the question, and return what was asked."""
    box = dialog.findChild(QMessageBox)
    assert box is not None
    asked = box.text()
    next(button for button in box.buttons() if button.text() == text).click()
    return asked


def test_sizes__are_counted_and_stand_beside_their_folder(dialog: SettingsDialog) -> None:
    models = control(dialog, "models")
    assert models.figure.text() == "3 kB"
    assert models.path.text() == str(cache_folder() / "models")
    assert models.clear_button.isEnabled()
    assert control(dialog, "encoder").figure.text() == "nothing"
    assert not control(dialog, "encoder").clear_button.isEnabled()
    assert control(dialog, "hub").clear_button.isHidden()
    assert control(dialog, "demonstration").clear_button.isHidden()


def test_show_in_folder__opens_it(dialog: SettingsDialog, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Path] = []
    monkeypatch.setattr(kept_control, "reveal", shown.append)
    control(dialog, "models").show_button.click()
    assert shown == [cache_folder() / "models"]
    assert not control(dialog, "crashes").show_button.isEnabled(), "it does not exist yet"


def test_clear__says_what_it_costs_and_does_it(
    dialog: SettingsDialog, model: Path, qtbot: QtBot
) -> None:
    control(dialog, "models").clear_button.click()
    asked = answer(dialog, "Clear")
    assert "3 kB. 1 file." in asked
    assert "fetch one again in Harvest" in asked
    qtbot.waitUntil(lambda: not dialog.told.isHidden())
    assert dialog.told.text() == "“Fetched models” was cleared: 3 kB were freed."
    assert not model.exists()
    wait_for_sizes(dialog, qtbot)
    assert control(dialog, "models").figure.text() == "nothing"


def test_clear__leaves_everything_at_cancel(dialog: SettingsDialog, model: Path) -> None:
    control(dialog, "models").clear_button.click()
    answer(dialog, "Cancel")
    assert model.is_dir()
    assert dialog.told.isHidden()


def test_clear__is_refused_while_a_model_is_loaded(
    dialog: SettingsDialog, client: FakeClient, model: Path
) -> None:
    client.status = EngineStatus(device="cpu", memory_used=1, memory_total=2, model="smollm2")
    control(dialog, "models").clear_button.click()
    assert dialog.findChild(QMessageBox) is None
    assert "has the model “smollm2” loaded" in dialog.told.text()
    assert "Restart the engine" in dialog.told.text()
    assert model.is_dir()


def test_clear__is_refused_where_a_job_started_while_it_was_asked(
    dialog: SettingsDialog, session: Session, project: Project, model: Path, qtbot: QtBot
) -> None:
    session.open_project(project.path)
    control(dialog, "models").clear_button.click()
    session.run(TrainConfig(project=str(project.path), name="a"))
    answer(dialog, "Clear")
    qtbot.waitUntil(lambda: not dialog.told.isHidden())
    assert "may be in use by a job that is running" in dialog.told.text()
    assert model.is_dir()
