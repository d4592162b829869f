"""The window's end of a served model: what it hears, and that nothing is left running."""

from __future__ import annotations

import sys

import pytest
from PySide6.QtCore import QObject
from pytestqt.qtbot import QtBot

from sae_desktop.client.served_process import ServedProcess, ServedState, arguments
from sae_desktop.engine.protocol import ErrorInfo
from sae_desktop.safety.serving.config import ServeConfig, ServedRequest

_SERVER = """
import json, sys
print(json.dumps({"url": "http://127.0.0.1:1/v1", "token": "t", "model": "m"}), flush=True)
request = {"at": "2026-01-01T00:00:00+00:00", "kind": "chat", "read": 2}
request |= {"written": 3, "finish": "stop"}
sys.stderr.write("a warning of a library\\n" + json.dumps({"output": request}) + "\\n")
sys.stderr.flush()
sys.stdin.read()
"""
_REFUSED = """
import json, sys
error = {"what": "Nothing can listen at 127.0.0.1, port 8642: another program already uses it."}
sys.stderr.write(json.dumps({"error": error}) + "\\n")
sys.exit(1)
"""


@pytest.fixture
def parent(qapp: object) -> QObject:
    return QObject()


def test_server__is_heard_and_ends_when_its_input_does(parent: QObject, qtbot: QtBot) -> None:
    process = ServedProcess(parent, [sys.executable, "-c", _SERVER])
    heard: list[ServedRequest] = []
    failures: list[ErrorInfo] = []
    process.requested.connect(heard.append)
    process.failed.connect(failures.append)
    process.start(ServeConfig())
    assert process.state is ServedState.STARTING
    qtbot.waitUntil(lambda: len(heard) == 1)
    assert process.served is not None
    assert (process.served.token, heard[0].written) == ("t", 3)
    process.stop()
    qtbot.waitUntil(lambda: process.state is ServedState.STOPPED)
    assert (process.served, failures) == (None, [])


def test_refusal__is_told_in_its_own_words(parent: QObject, qtbot: QtBot) -> None:
    process = ServedProcess(parent, [sys.executable, "-c", _REFUSED])
    failures: list[ErrorInfo] = []
    process.failed.connect(failures.append)
    process.start(ServeConfig())
    qtbot.waitUntil(lambda: len(failures) == 1)
    assert "another program already uses it" in failures[0].what
    assert process.state is ServedState.STOPPED


def test_window_that_closes__leaves_no_server(parent: QObject, qtbot: QtBot) -> None:
    process = ServedProcess(parent, [sys.executable, "-c", _SERVER])
    process.start(ServeConfig())
    qtbot.waitUntil(lambda: process.state is ServedState.RUNNING)
    process.end()
    assert process.state is ServedState.STOPPED


def test_arguments__say_what_is_served_and_never_a_token() -> None:
    config = ServeConfig(project="p", preset="sea", index="i", monitors=["a", "b"], port=0)
    assert arguments(config) == [
        "serve", "--json", "--until-input-ends", "--port", "0", "--project", "p", "--steering",
        "sea", "--index", "i", "--device", "auto", "--monitor", "a", "--monitor", "b",
    ]  # fmt: skip
