"""The pictures of every panel are drawn by the program itself, with the engine's answers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from engine_driver import engine_environment
from PySide6.QtGui import QImage

from sae_desktop.gui.frame.menus import WORKSPACES

FEATURE = 3
_SHADES = 8


def test_snapshots__show_every_workspace_of_a_project(small_project: Path, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    done = subprocess.run(
        [
            sys.executable, "-m", "sae_desktop.gui.frame.snapshots", small_project, folder,
            "--feature", str(FEATURE),
        ],
        env=engine_environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    for name, _, _ in WORKSPACES:
        picture = QImage(str(folder / f"{name}.png"))
        assert (picture.width(), picture.height()) == (1440, 900), name
        seen = {picture.pixel(x, y) for x in range(0, 1440, 16) for y in range(0, 900, 9)}
        assert len(seen) > _SHADES, name
