"""Grab every workspace of the window on a project, in light and dark, at several sizes.

    QT_QPA_PLATFORM=offscreen python packaging/screenshots.py PROJECT FOLDER [--only explore]
    QT_SCALE_FACTOR=2 QT_QPA_PLATFORM=offscreen python packaging/screenshots.py …   (200%)

The engine runs for real, so that the panels that ask it show its answers.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

from PySide6.QtCore import QEventLoop, QTimer

from sae_desktop.client.engine_client import EngineClient
from sae_desktop.gui import theme
from sae_desktop.gui.app import make_application
from sae_desktop.gui.frame_actions import WORKSPACES
from sae_desktop.gui.main_window import MainWindow
from sae_desktop.gui.session import Session
from sae_desktop.gui.settings import Settings

SIZES = ((1280, 720), (2560, 1440))
_SETTLE_S = 1.0
_ENGINE_S = 60.0


def wait(seconds: float) -> None:
    """Let the window work for a while."""
    loop = QEventLoop()
    QTimer.singleShot(round(seconds * 1000), loop.quit)
    loop.exec()


def wait_for_jobs(client: EngineClient) -> None:
    """Let the window work until the engine has answered everything."""
    deadline = time.monotonic() + _ENGINE_S
    while time.monotonic() < deadline:
        wait(0.2)
        if client.state != "starting" and all(job.ended for job in client.jobs):
            return


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("project", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", default="", help="one workspace")
    parser.add_argument("--feature", type=int, default=-1, help="the feature to show")
    parser.add_argument("--empty", action="store_true", help="no project: the welcome")
    options = parser.parse_args()
    application = make_application()
    client = EngineClient()
    session = Session(client)
    window = MainWindow(session, Settings(), lambda _settings: None)
    window.show()
    client.start()
    if not options.empty:
        session.open_project(options.project, create=True)
    scale = os.environ.get("QT_SCALE_FACTOR", "1")
    options.folder.mkdir(parents=True, exist_ok=True)
    names = [name for name, _, _ in WORKSPACES if options.only in ("", name)]
    for name in names:
        window.show_workspace(name)
        if name == "explore" and session.index is not None and options.feature >= 0:
            session.select_feature(options.feature)
        wait(_SETTLE_S)
        wait_for_jobs(client)
        wait(_SETTLE_S)
        for mode in ("light", "dark"):
            theme.manager().apply(mode)
            for width, height in SIZES:
                window.resize(round(width / float(scale)), round(height / float(scale)))
                wait(0.4)
                path = options.folder / f"{name}-{mode}-{width}x{height}@{scale}.png"
                window.grab().save(str(path))
                print(path)
    window.close()
    application.quit()


if __name__ == "__main__":
    main()
