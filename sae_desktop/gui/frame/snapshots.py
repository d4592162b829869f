"""Pictures of the panels, without a person at the window.

    QT_QPA_PLATFORM=offscreen python -m sae_desktop.gui.frame.snapshots PROJECT FOLDER [--feature N]

The engine runs for real, so that the panels that ask it show its answers.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PySide6.QtCore import QEventLoop, QTimer

from sae_desktop.client.engine_client import EngineClient
from sae_desktop.demonstrations import SENTENCES, demonstration_of, own_picture
from sae_desktop.gui.frame.app import make_application
from sae_desktop.gui.frame.main_window import MainWindow
from sae_desktop.gui.frame.menus import WORKSPACES
from sae_desktop.gui.parts import theme
from sae_desktop.gui.state.session import Session
from sae_desktop.gui.state.settings import Settings

_SETTLE_S = 0.6
_ENGINE_S = 60.0
_SIZE = (1440, 900)


@contextmanager
def open_for_pictures(project: Path | None) -> Iterator[MainWindow]:
    """Open the window on a project (none: the welcome) with an engine of its own."""
    application = make_application()
    client = EngineClient()
    session = Session(client)
    window = MainWindow(session, Settings(), lambda _settings: None)
    window.show()
    client.start()
    if project is not None:
        session.open_project(project, create=False)
        wait(_SETTLE_S)  # the demonstration leads to its first feature by itself
    try:
        yield window
    finally:
        window.leave()
        client.shutdown()
        application.quit()


def wait(seconds: float) -> None:
    """Let the window work for a while."""
    loop = QEventLoop()
    QTimer.singleShot(round(seconds * 1000), loop.quit)
    loop.exec()


def show_settled(window: MainWindow, workspace: str, feature: int | None) -> None:
    """Show a workspace and wait until the engine has answered all that it asked.

    With a feature, its page is shown and the model is steered with it.
    """
    session = window.session
    window.show_workspace(workspace)
    wait(_SETTLE_S)
    if session.index is not None and feature is not None:
        if workspace == "explore":
            session.select_feature(feature)
        elif workspace == "steer":
            _steer(window, feature)
    _wait_for_engine(session)


def _steer(window: MainWindow, feature: int) -> None:
    panel, project = window.workspace("steer").main, window.session.project
    shown = demonstration_of(project) or SENTENCES
    if feature not in [entry.feature for entry in panel.rack.rack]:
        panel.rack.add_feature(feature)
        panel.rack.slider(feature).number.setValue(shown.clamp)
        if picture := own_picture(project, shown.steered_picture):
            panel.form.strip.set_files([picture])
        panel.form.prompt.setPlainText(shown.prompt)
        panel.generate()


def _wait_for_engine(session: Session) -> None:
    wait(_SETTLE_S)
    deadline = time.monotonic() + _ENGINE_S
    while time.monotonic() < deadline:
        wait(0.1)
        if session.client.state != "starting" and all(job.ended for job in session.client.jobs):
            break
    wait(_SETTLE_S)


def grab(window: MainWindow, path: Path, size: tuple[int, int], mode: str) -> None:
    """Save a picture of the window in a theme, light or dark, at a size in pixels."""
    theme.manager().apply(mode)
    window.resize(*size)
    wait(0.3)
    window.grab().save(str(path))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("project", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--feature", type=int, help="the feature to show")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    with open_for_pictures(options.project) as window:
        for name, _, _ in WORKSPACES:
            show_settled(window, name, options.feature)
            grab(window, options.folder / f"{name}.png", _SIZE, "light")


if __name__ == "__main__":
    main()
