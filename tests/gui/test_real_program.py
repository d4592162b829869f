"""The program as a person starts it, on a display, with mouse and keyboard."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sae_desktop.project import Project

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
    homes = {f"XDG_{kind}_HOME": str(tmp_path / kind) for kind in ("CONFIG", "CACHE", "STATE")}
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
