"""The list of plug-ins: how each does, and its switch."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from frame_client import Heard
from plugin_packages import install_module, plugins_from
from pytestqt.qtbot import QtBot

from sae_desktop.gui.frame.main_window import MainWindow
from sae_desktop.gui.frame.plugins_dialog import PluginsDialog
from sae_desktop.plugins import kept

READER = """
class Reader:
    plugin_api = 1
    title = "chat"

    def read(self, file, name):
        return iter(())
"""


@pytest.fixture
def target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "packages"
    folder.mkdir()
    with plugins_from(folder, monkeypatch, tmp_path / "config"):
        yield folder


def _install(target: Path, name: str, text: str) -> str:
    entries = {"sae_desktop.corpus_readers": {name: f"{name}:Reader"}}
    install_module(target, name, text, entries)
    return f"{name}/corpus_readers/{name}"


@pytest.fixture
def dialog(window: MainWindow) -> Iterator[PluginsDialog]:
    dialog = PluginsDialog(window, window.session)
    yield dialog
    dialog.close()


def _settled(dialog: PluginsDialog, qtbot: QtBot) -> None:
    qtbot.waitUntil(dialog.check_button.isEnabled, timeout=120_000)


def test_list__is_there_at_once_and_says_how_each_does(
    target: Path, dialog: PluginsDialog, qtbot: QtBot
) -> None:
    broken, fine = (
        _install(target, "broken", "import nothing_such"),
        _install(target, "fine", READER),
    )
    dialog.present()
    assert list(dialog.rows) == [broken, fine]
    assert [row.state.text() for row in dialog.rows.values()] == ["being tried…"] * 2
    assert not dialog.nothing.isVisible()
    _settled(dialog, qtbot)
    assert [row.state.text() for row in dialog.rows.values()] == ["cannot be used", "works"]
    row = dialog.rows[broken]
    assert "No module named 'nothing_such'" in row.why.text()
    assert "--off broken" in row.why.text()
    assert row.details.isVisible()
    assert "Traceback" in row.report.details
    assert not dialog.rows[fine].why.isVisible()


def test_switch__is_kept_and_asks_for_a_restart_of_the_engine(
    target: Path, dialog: PluginsDialog, qtbot: QtBot
) -> None:
    fine = _install(target, "fine", READER)
    dialog.present()
    _settled(dialog, qtbot)
    assert not dialog.restart_button.isVisible()
    dialog.rows[fine].switch.click()
    _settled(dialog, qtbot)
    assert kept.is_off(fine)
    assert dialog.rows[fine].state.text() == "switched off"
    assert dialog.restart_button.isVisible()
    dialog.rows[fine].switch.click()
    _settled(dialog, qtbot)
    assert not kept.is_off(fine)
    assert dialog.rows[fine].state.text() == "works"
    dialog.restart_button.click()
    assert not dialog.restart_button.isVisible()


def test_without_any__says_what_they_are(target: Path, dialog: PluginsDialog) -> None:
    dialog.present()
    assert dialog.nothing.isVisible()
    assert "entry points" in dialog.nothing.text()
    assert not dialog.check_button.isVisible()


def test_action__opens_the_list(target: Path, window: MainWindow, heard: Heard) -> None:
    window.registry.trigger("edit.plugins")
    dialog = window.findChild(PluginsDialog)
    assert dialog is not None
    assert dialog.isVisible()
    dialog.close()
    assert heard.errors == []
