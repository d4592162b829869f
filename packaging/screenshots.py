"""Grab every workspace of the window on a project, in light and dark, at several sizes.

    QT_QPA_PLATFORM=offscreen python packaging/screenshots.py PROJECT FOLDER [--only explore]
    QT_SCALE_FACTOR=2 QT_QPA_PLATFORM=offscreen python packaging/screenshots.py …   (200%)

The pictures of the README are `--size 1440x900` of the demonstration.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from sae_desktop.gui.frame_actions import WORKSPACES
from sae_desktop.gui.snapshots import grab, open_for_pictures, show_settled

SIZES = ("1280x720", "2560x1440")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("project", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", default="", help="one workspace")
    parser.add_argument("--feature", type=int, help="the feature to show and to steer with")
    parser.add_argument("--empty", action="store_true", help="no project: the welcome")
    parser.add_argument("--size", action="append", help="such as 1280x720; may be repeated")
    options = parser.parse_args()
    scale = os.environ.get("QT_SCALE_FACTOR", "1")
    options.folder.mkdir(parents=True, exist_ok=True)
    with open_for_pictures(None if options.empty else options.project) as window:
        for name, _, _ in WORKSPACES:
            if options.only not in ("", name):
                continue
            show_settled(window, name, options.feature)
            for mode in ("light", "dark"):
                for size in options.size or SIZES:
                    width, height = (round(int(n) / float(scale)) for n in size.split("x"))
                    path = options.folder / f"{name}-{mode}-{size}@{scale}.png"
                    grab(window, path, (width, height), mode)
                    print(path)


if __name__ == "__main__":
    main()
