"""Make the pictures of the manual from the real window on a copy of the demonstration.

    QT_QPA_PLATFORM=offscreen python packaging/manual_pictures.py [--only train] [--work FOLDER]

Each is grabbed light, made smaller and written as WebP: all of `resources/manual` stays small.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

from PIL import Image
from screenshots import CIRCUIT_STATES

from sae_desktop.demonstrations import demonstration_copy
from sae_desktop.gui.frame.main_window import MainWindow
from sae_desktop.gui.frame.menus import WORKSPACES
from sae_desktop.gui.frame.snapshots import grab, open_for_pictures, show_settled, wait

OUT = Path(__file__).parents[1] / "resources" / "manual" / "pictures"
_SIZE = (1280, 800)
_WIDTH = 900
_QUALITY = 42
_MODEL_READ_S = 180
_DRAWN_S = 12.0


def _until_text_is_read(window: MainWindow) -> None:
    start = window.workspace("harvest").main.start_button
    for _ in range(_MODEL_READ_S):
        wait(1.0)
        if start.isEnabled() and all(job.ended for job in window.session.client.jobs):
            break
    wait(_DRAWN_S)


def _until_graph_is_drawn(window: MainWindow) -> None:
    CIRCUIT_STATES["graph"](window)
    wait(_DRAWN_S)


_STATES: dict[str, tuple[Callable[[MainWindow], None], ...]] = {
    "harvest": (_until_text_is_read,),
    "circuits": (_until_graph_is_drawn,),
}
"""Workspace → how one gets from its first sight to what is shown, where that is not the same."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="one workspace")
    parser.add_argument("--feature", type=int, help="the feature to show and to steer with")
    parser.add_argument("--work", type=Path, default=None, help="keeps what is grabbed")
    options = parser.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        work = options.work or Path(scratch)
        project = demonstration_copy(work)
        with open_for_pictures(project) as window:
            window.first_steps.dismiss()  # it stands above whatever is shown
            window.resize(*_SIZE)  # before a graph is drawn: a change of size draws it anew
            for name, _, _ in WORKSPACES:
                if options.only in ("", name):
                    feature = options.feature or window.session.feature
                    show_settled(window, name, feature)
                    for show in _STATES.get(name, ()):
                        show(window)
                        wait(2.0)
                    _save(window, work / f"{name}.png", OUT / f"{name}.webp")


def _save(window: MainWindow, grabbed: Path, out: Path) -> None:
    grab(window, grabbed, _SIZE, "light")
    picture = Image.open(grabbed).convert("RGB")
    height = round(picture.height * _WIDTH / picture.width)
    picture = picture.resize((_WIDTH, height), Image.Resampling.LANCZOS)
    picture.save(out, "WEBP", quality=_QUALITY, method=6)
    print(f"{out} {out.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
