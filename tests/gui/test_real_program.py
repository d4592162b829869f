"""The program as a person starts it, on a display, with mouse and keyboard."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sae_desktop.project import Project
from sae_desktop.project_notes import Notes

pytestmark = [
    pytest.mark.xvfb,
    pytest.mark.skipif(
        not shutil.which("Xvfb") or not shutil.which("xdotool"), reason="needs Xvfb and xdotool"
    ),
]
SIZE = (1280, 800)
_SECONDS = 120.0


@pytest.fixture
def display(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of a display of its own, and of settings of its own."""
    read, write = os.pipe()
    screen = f"{SIZE[0]}x{SIZE[1]}x24"
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write), "-screen", "0", screen, "-nolisten", "tcp"],
        pass_fds=[write],
        stderr=subprocess.DEVNULL,
    )
    os.close(write)
    with os.fdopen(read) as number:
        name = f":{number.readline().strip()}"
    homes = {
        f"XDG_{kind}_HOME": str(tmp_path / kind) for kind in ("CONFIG", "CACHE", "DATA", "STATE")
    }
    yield {**os.environ, **homes, "DISPLAY": name, "QT_QPA_PLATFORM": "xcb"}
    server.terminate()
    server.wait()


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + _SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.2)


def test_program__is_clicked_through_and_ends_well(
    display: dict[str, str], project: Project, tmp_path: Path
) -> None:
    def xdotool(*arguments: str) -> str:
        done = subprocess.run(
            ["xdotool", *arguments], env=display, capture_output=True, text=True, check=False
        )
        return done.stdout.strip()

    log = tmp_path / "log"
    with log.open("w") as output:
        program = subprocess.Popen(
            [sys.executable, "-m", "sae_desktop", str(project.path)],
            env=display,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        settings = tmp_path / "CONFIG" / "sae-desktop" / "settings.json"
        until(lambda: xdotool("search", "--onlyvisible", "--name", "– SAE Desktop"))
        window = xdotool("search", "--onlyvisible", "--name", "– SAE Desktop").split()[0]
        xdotool("windowsize", window, *map(str, SIZE), "windowfocus", "--sync", window)
        for keys in ("ctrl+2", "ctrl+3", "ctrl+4", "ctrl+5", "ctrl+2"):  # each workspace once
            xdotool("key", "--window", window, "--clearmodifiers", keys)
            time.sleep(0.3)
        xdotool("mousemove", str(SIZE[0] // 2), str(SIZE[1] // 2), "click", "1", "click", "5")
        xdotool("key", "--window", window, "--clearmodifiers", "ctrl+q")
        assert program.wait(timeout=_SECONDS) == 0, log.read_text()
    said = log.read_text()
    assert "Traceback" not in said, said
    assert '"workspace":"harvest"' in settings.read_text().replace(" ", "")


def test_newcomer__reads_a_feature_about_french_with_one_key(
    display: dict[str, str], tmp_path: Path
) -> None:
    def xdotool(*arguments: str) -> str:
        done = subprocess.run(
            ["xdotool", *arguments], env=display, capture_output=True, text=True, check=False
        )
        return done.stdout.strip()

    def place() -> dict[str, Any]:
        found = list((tmp_path / "STATE").rglob("places/*.json"))
        return json.loads(found[0].read_text()) if found else {}

    log = tmp_path / "log"
    with log.open("w") as output:
        program = subprocess.Popen(
            [sys.executable, "-m", "sae_desktop"],
            env=display,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        until(lambda: xdotool("search", "--onlyvisible", "--name", "SAE Desktop"))
        window = xdotool("search", "--onlyvisible", "--name", "SAE Desktop").split()[0]
        xdotool("windowfocus", "--sync", window)
        time.sleep(1.0)  # the engine, too, is starting
        xdotool("key", "--window", window, "space")  # “Open the demonstration” has the keyboard
        until(lambda: place().get("feature") is not None)
        until(lambda: place().get("workspace") == "explore.feature")
        xdotool("key", "--window", window, "--clearmodifiers", "ctrl+q")
        assert program.wait(timeout=_SECONDS) == 0, log.read_text()
    assert "Traceback" not in log.read_text(), log.read_text()
    notes = Notes(next((tmp_path / "DATA").rglob("notes.sqlite")))
    left = place()
    note = notes.note(left["index"], left["feature"])  # an index is called as its dictionary is
    notes.close()
    assert "French" in note.label
