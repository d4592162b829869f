"""The console runs Python in a process of its own, and whatever runs there the window answers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from sae_desktop.gui.frame.console_panel import ConsolePanel, is_complete
from sae_desktop.gui.frame.main_window import MainWindow
from sae_desktop.gui.parts import theme
from sae_desktop.gui.state.session import Session
from sae_desktop.project import Project


@pytest.fixture
def panel(session: Session, project: Project, qtbot: QtBot) -> Iterator[ConsolePanel]:
    session.open_project(project.path)
    panel = ConsolePanel(session)
    qtbot.addWidget(panel)
    panel.resize(900, 300)
    panel.show()
    yield panel
    panel.process.end()


def _run(panel: ConsolePanel, qtbot: QtBot, source: str) -> str:
    """What is printed by statements."""
    before = len(panel.output.toPlainText())
    panel.run(source)
    qtbot.waitUntil(lambda: not panel.process.busy, timeout=180_000)
    return panel.output.toPlainText()[before:]


def test_console__keeps_names_prints_values_and_survives_what_goes_wrong(
    panel: ConsolePanel, project: Project, qtbot: QtBot
) -> None:
    assert f"<Project test: {project.path}>" in _run(panel, qtbot, "project")
    assert _run(panel, qtbot, "x = 20\ndef f(n):\n    return n + x\nf(1)").endswith("21\n")
    assert "ZeroDivisionError" in _run(panel, qtbot, "1 / 0")
    assert "SyntaxError" in _run(panel, qtbot, "x =")
    # An error that is made for reading comes without a traceback.
    told = _run(panel, qtbot, "project.index('none')")
    assert "none" in told
    assert "Traceback" not in told
    assert "stays open" in _run(panel, qtbot, "exit()")
    assert "EOFError" in _run(panel, qtbot, "input()")
    flood = _run(panel, qtbot, "print('a' * 300_000)")
    assert flood.count("a") < 101_000
    assert "is left out" in flood
    panel.run("while True: pass")
    qtbot.wait(300)
    assert panel.process.busy
    panel.stop_button.click()
    qtbot.waitUntil(lambda: not panel.process.busy)
    assert panel.output.toPlainText().endswith("Stopped.\n")
    assert _run(panel, qtbot, "x").endswith("20\n")
    # A crash ends its process alone, and the next statements find another one.
    assert "its variables are gone" in _run(panel, qtbot, "import os; os.kill(os.getpid(), 9)")
    assert "NameError" in _run(panel, qtbot, "x")


def test_deaf_process__is_ended_by_stop(
    panel: ConsolePanel, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    panel.process._stopping.setInterval(200)
    deaf = (
        "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\nprint('deaf')\nwhile 1: pass"
    )
    panel.run(deaf)
    qtbot.waitUntil(lambda: "\ndeaf\n" in panel.output.toPlainText(), timeout=180_000)
    panel.stop_button.click()
    qtbot.waitUntil(lambda: not panel.process.busy)
    assert "It did not stop, so its process was ended." in panel.output.toPlainText()


def test_history__comes_back_by_up_and_down(panel: ConsolePanel, qtbot: QtBot) -> None:
    panel.input.remember("first")
    panel.input.remember("second")
    panel.input.remember("second")
    panel.input.setPlainText("typing")
    shown = []
    for key in (Qt.Key.Key_Up, Qt.Key.Key_Up, Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_Down):
        qtbot.keyClick(panel.input, key)
        shown.append(panel.input.toPlainText())
    assert shown == ["second", "first", "first", "second", "typing"]


@pytest.mark.parametrize(
    ("text", "complete"),
    [("1 + 1", True), ("f(1,", False), ("for n in x:", False), ("for n in x:\n    n", False),
     ("for n in x:\n    n\n", True), ("x =", True), ("a = 1\nb = 2", True), ('"""', False)],
)  # fmt: skip
def test_return__runs_what_is_complete(text: str, complete: bool) -> None:
    assert is_complete(text) is complete


def test_return_in_a_block__begins_an_indented_line(panel: ConsolePanel, qtbot: QtBot) -> None:
    qtbot.keyClicks(panel.input, "for n in (1, 2):")
    qtbot.keyClick(panel.input, Qt.Key.Key_Return)
    assert panel.input.toPlainText() == "for n in (1, 2):\n    "
    assert not panel.process.busy


def test_empty__shows_lines_to_try(panel: ConsolePanel) -> None:
    lines = list(panel._first.findChildren(QPushButton))
    assert next(button.text() for button in lines) == "project.indexes"
    assert len(lines) == 3
    lines[0].click()
    assert panel.input.toPlainText() == "project.indexes"
    assert not panel.process.busy


def test_theme__colours_again_what_was_written(panel: ConsolePanel) -> None:
    panel._write("wrong\n", "error")
    theme.manager().apply("dark")
    cursor = panel.output.textCursor()
    cursor.setPosition(2)
    assert cursor.charFormat().foreground().color() == theme.DARK.error


def test_action__shows_and_hides_it(window: MainWindow) -> None:
    window.registry.trigger("view.console")
    assert window._console is not None
    assert window._console.isVisible()
    panel = window._console.widget()
    assert isinstance(panel, ConsolePanel)
    assert not panel.input.isEnabled()
    assert panel.state.text() == "Open a project to run Python on it."
    window.registry.trigger("view.console")
    assert not window._console.isVisible()
