"""The window asks no one about what a project names, however long it is looked at."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import h5py
from watched_network import watched_network

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
timer, left = QTimer(), [name for name, _, _ in WORKSPACES]

def look():
    window = next(w for w in QApplication.topLevelWidgets() if isinstance(w, MainWindow))
    session = window.session
    if not session.inventory.stores or session.client.state != "ready":
        return
    if any(not job.ended for job in session.client.jobs):
        return
    if left:
        window.show_workspace(left.pop())
        return
    if not hasattr(window, "asked"):
        window.asked = True
        window.show_workspace("harvest")
        session.harvestRequested.emit({"model": "owner/model", "corpus": "owner/data"})
        return
    timer.stop()
    print("looked at all")
    window.close()

timer.timeout.connect(look)
timer.start(300)
sys.exit(app.run_app(Path(sys.argv[1])))
"""


def test_window__asks_no_one_about_the_models_a_project_names(
    small_project: Path, tmp_path: Path
) -> None:
    project = Project.open(small_project)
    for path in (project.index_path("idx"), project.store_path("acts") / "000.h5"):
        with h5py.File(path, "r+") as file:
            info = json.loads(file.attrs["info"])
            file.attrs["info"] = json.dumps(info | {"model": "owner/model"})
    with watched_network() as network:
        done = subprocess.run(
            [sys.executable, "-c", _PROGRAM, str(small_project)],
            env={**os.environ, **network.environment, "XDG_CONFIG_HOME": str(tmp_path)},
            capture_output=True, text=True, check=False, timeout=180,
        )  # fmt: skip
        assert "looked at all" in done.stdout, done.stderr
        assert done.returncode == 0, done.stderr
        assert network.asked == []
