"""The settings: each takes effect, is saved, found and reset."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from frame_client import FakeClient
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QComboBox
from pytestqt.qtbot import QtBot

from sae_desktop.client.engine_client import EngineClient
from sae_desktop.client.engine_process import EngineProcess
from sae_desktop.features.config import ProbeConfig
from sae_desktop.gui.frame import app
from sae_desktop.gui.frame.main_window import MainWindow
from sae_desktop.gui.frame.settings_dialog import SettingsDialog
from sae_desktop.gui.frame.settings_table import found_settings, settings
from sae_desktop.gui.parts import text_size, theme
from sae_desktop.gui.state.session import Session
from sae_desktop.gui.state.settings import Settings
from sae_desktop.project import Project
from sae_desktop.storage import memory
from sae_desktop.training.config import TrainConfig


@pytest.fixture
def dialog(window: MainWindow) -> Iterator[SettingsDialog]:
    window.open_settings()
    dialog = window.findChild(SettingsDialog)
    assert dialog is not None
    yield dialog
    dialog.close()
    text_size.apply(100)
    theme.manager().apply("light")


def choose(dialog: SettingsDialog, name: str, value: object) -> None:
    box = dialog.rows[name].control
    assert isinstance(box, QComboBox)
    box.setCurrentIndex(box.findData(value))
    box.activated.emit(box.currentIndex())


def test_settings__open_by_keyboard_at_the_search(window: MainWindow, qtbot: QtBot) -> None:
    qtbot.keyClick(window, Qt.Key.Key_Comma, Qt.KeyboardModifier.ControlModifier)
    dialog = window.findChild(SettingsDialog)
    assert dialog is not None
    assert dialog.isVisible()
    assert dialog.focusWidget() is dialog.field
    dialog.close()


def test_settings__change_the_theme_at_once(dialog: SettingsDialog, saved: list[Settings]) -> None:
    choose(dialog, "theme", "dark")
    assert theme.manager().dark
    assert saved[-1].theme == "dark"


def test_settings__change_the_size_of_all_text_at_once(
    dialog: SettingsDialog, window: MainWindow, saved: list[Settings]
) -> None:
    before = window.menuBar().fontMetrics().height()
    button = dialog.reset_button.sizeHint().height()
    choose(dialog, "text_size", 200)
    QApplication.processEvents()
    assert window.menuBar().fontMetrics().height() > 1.8 * before
    assert dialog.reset_button.sizeHint().height() > 1.3 * button
    assert saved[-1].text_size == 200
    choose(dialog, "text_size", 100)
    QApplication.processEvents()
    assert window.menuBar().fontMetrics().height() == before


def test_settings__give_the_next_engine_its_threads(
    dialog: SettingsDialog, client: FakeClient, saved: list[Settings]
) -> None:
    assert dialog.restart_button.isHidden()
    dialog.rows["threads"].control.setValue(1)
    assert client.threads == 1
    assert saved[-1].threads == 1
    assert not dialog.restart_button.isHidden()
    dialog.restart_button.click()
    assert client.restarts == 1
    assert dialog.restart_button.isHidden()


def test_settings__tell_every_process_how_much_memory_a_job_may_take(
    dialog: SettingsDialog, saved: list[Settings]
) -> None:
    control = dialog.rows["memory_gb"].control
    assert control.text() == "all that is free"
    control.setValue(6)
    assert control.text() == "6 GB"
    assert saved[-1].memory_gb == 6
    assert memory.SETTING in Settings.__struct_fields__
    assert dialog.restart_button.isHidden(), "it needs no other engine"


def test_engine__computes_with_the_threads_it_is_given(qtbot: QtBot, tmp_path: Path) -> None:
    told = tmp_path / "threads"
    program = f"import os; open({str(told)!r}, 'w').write(os.environ['OMP_NUM_THREADS'])"
    client = EngineClient(command=[sys.executable, "-c", program])
    client.threads = 3
    client.start()
    qtbot.waitUntil(lambda: told.exists() and told.read_text() == "3", timeout=10_000)
    client.shutdown()
    variables = EngineProcess(client).processEnvironment()
    assert variables.value("OMP_NUM_THREADS") == "1", "as it is in the tests’ own environment"


def test_settings__say_where_jobs_compute_that_leave_it_open(
    dialog: SettingsDialog, session: Session, project: Project
) -> None:
    session.open_project(project.path)
    path = str(project.path)
    choose(dialog, "device", "cpu")
    job = session.run(TrainConfig(project=path, name="a"))
    own = session.run(TrainConfig(project=path, name="b", device="cuda:1"))
    probe = session.run(ProbeConfig(project=path, index="i", text="a"))
    assert job is not None
    assert own is not None
    assert probe is not None
    assert job.config.device == "cpu"
    assert own.config.device == "cuda:1"


def test_settings__switch_the_network_off(
    dialog: SettingsDialog, saved: list[Settings], window: MainWindow
) -> None:
    choose(dialog, "network_off", True)
    assert saved[-1].network_off
    assert not window.registry.action("network.off").isEnabled()


def test_settings__offer_a_folder_for_new_projects(
    dialog: SettingsDialog, window: MainWindow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def ask(_parent: object, _title: str, start: str, *_: object) -> tuple[str, str]:
        asked.append(start)
        return "", ""

    monkeypatch.setattr("sae_desktop.gui.parts.dialogs.QFileDialog.getSaveFileName", ask)
    window.preferences.choose("projects_folder", str(tmp_path))
    window.dialogs.new_project()
    tmp_path.joinpath("gone").mkdir()
    window.preferences.choose("projects_folder", str(tmp_path / "never"))
    window.dialogs.new_project()
    assert [Path(start).parent for start in asked] == [tmp_path, Path.home()]


def test_start__leaves_the_last_project_closed_where_that_is_set(
    window: MainWindow, session: Session, project: Project
) -> None:
    window.settings.last_project = str(project.path)
    window.settings.reopen = False
    app._open_first(window, session, None)
    assert session.project is None
    window.settings.reopen = True
    app._open_first(window, session, None)
    assert session.project is not None


def test_settings__are_all_reset(dialog: SettingsDialog, window: MainWindow) -> None:
    assert not dialog.reset_button.isEnabled()
    choose(dialog, "theme", "dark")
    choose(dialog, "text_size", 125)
    dialog.rows["reopen"].control.setChecked(False)
    dialog.reset_button.click()
    assert window.preferences.is_reset()
    assert window.settings.reopen
    assert dialog.rows["theme"].control.currentData() == "system"
    assert not dialog.reset_button.isEnabled()


@pytest.mark.parametrize(
    ("query", "name"),
    [("font", "text_size"), ("night", "theme"), ("gpu", "device"), ("cores", "threads"),
     ("offline", "network_off"), ("HF_HOME", "hub"), ("startup", "reopen")],
)  # fmt: skip
def test_settings__are_found_by_other_words(dialog: SettingsDialog, query: str, name: str) -> None:
    dialog.field.setText(query)
    shown = [key for key, row in dialog.rows.items() if not row.isHidden()]
    assert name in shown
    assert len(shown) < len(settings())


def test_settings__say_that_nothing_was_found(dialog: SettingsDialog) -> None:
    dialog.field.setText("zebra crossing")
    assert all(row.isHidden() for row in dialog.rows.values())
    assert "zebra crossing" in dialog.nothing.text()
    assert not dialog.nothing.isHidden()
    assert found_settings("zebra crossing") == []


def test_settings__have_a_sentence_each() -> None:
    for info in settings():
        assert info.sentence.endswith(".")
        assert info.title[0].isupper()
