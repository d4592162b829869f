"""The program as it is started: window, engine, project, and a clean end."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import psutil
from frame_project import add_store

from sae_desktop.project import Project

_PROGRAM = """
import sys
from pathlib import Path
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication
from sae_desktop.gui.frame import app
from sae_desktop.gui.frame.main_window import MainWindow
from sae_desktop.gui.frame.menus import WORKSPACES

application = app.make_application()
timer = QTimer()

def look():
    window = next(w for w in QApplication.topLevelWidgets() if isinstance(w, MainWindow))
    session = window.session
    built = set(window._workspaces) == {name for name, _, _ in WORKSPACES}
    if built and session.inventory.stores and session.client.state == "ready":
        print("pid", int(session.client._process.processId()))
        print("title", window.windowTitle())
        timer.stop()
        window.show_workspace("harvest")
        window.close()

timer.timeout.connect(look)
timer.start(50)
status = app.run_app(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
assert "torch" not in sys.modules
sys.exit(status)
"""


def start(config: Path, *arguments: str) -> dict[str, str]:
    """Run the program until it has opened its project; return what it printed."""
    result = subprocess.run(
        [sys.executable, "-c", _PROGRAM, *arguments],
        env={**os.environ, "XDG_CONFIG_HOME": str(config)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr
    return dict(line.split(" ", 1) for line in result.stdout.splitlines())


def test_app__opens_a_project_ends_its_engine_and_finds_both_again(
    project: Project, tmp_path: Path
) -> None:
    add_store(project, "acts", rows=20, wanted=20)
    said = start(tmp_path, str(project.path))
    assert said["title"].startswith("test")
    assert not psutil.pid_exists(int(said["pid"]))
    settings = msgspec.json.decode((tmp_path / "sae-desktop" / "settings.json").read_bytes())
    assert settings["last_project"] == str(project.path)
    assert settings["workspace"] == "harvest"
    assert start(tmp_path)["title"] == said["title"]
