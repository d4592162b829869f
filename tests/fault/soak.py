"""Hours of use in minutes: what grows, round after round, in the window and its engine.

    QT_QPA_PLATFORM=offscreen python tests/fault/soak.py FOLDER [--minutes 30]

A round opens a project, reads features, tries a text, steers, looks into every workspace, harvests,
trains and indexes a little, then closes the project; every other round opens the other of two
projects. After each it prints, of window and engine, memory (resident), open files and threads, and
of the window how many widgets, windows and objects there are. At the end a line is fitted through
the rounds after the first `WARM`: what still grows is named, and ends in exit status 1.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from monkey import own_folders

WARM = 20
"""Rounds in which caches fill, the list of jobs among them, and modules are imported."""
ALLOWED = {"window MB": 1.0, "engine MB": 3.0}
"""What may be added a round, beside a twentieth of one of the others: memory comes back late."""
_OTHERWISE = 0.05
_WAIT_S = 120.0


class Round:
    """One round of use."""

    def __init__(self, window: Any, folder: Path) -> None:
        self.window, self.folder = window, folder

    def use(self, project: Path, number: int) -> None:
        """Do what a person does with a project, and close it."""
        from sae_desktop.activations.config import HarvestConfig
        from sae_desktop.features.config import IndexConfig, ProbeConfig
        from sae_desktop.gui.frame.menus import WORKSPACES
        from sae_desktop.gui.frame.snapshots import show_settled, wait
        from sae_desktop.training.config import TrainConfig

        session, path, name = self.window.session, str(project), f"round {number}"
        session.open_project(project, create=False)
        self._until(lambda: session.index is not None)
        for workspace, _, _ in WORKSPACES:
            self.window.show_workspace(workspace)
            wait(0.1)
        for feature in range(10 * number, 10 * number + 10):
            session.select_feature(feature % session.index.features)
            wait(0.05)
        show_settled(self.window, "steer", 1117)
        index = session.index_name
        for config in (
            ProbeConfig(project=path, index=index, text="The horse ran over the bridge."),
            HarvestConfig(project=path, name=name, tokens=2_000),
            TrainConfig(project=path, name=name, activations=name, features=128, tokens=4_000),
            IndexConfig(project=path, name=name, dictionary=name, activations=name),
        ):
            self._job(config)
        session.open_index(name)
        wait(0.2)
        session.close_project()
        wait(0.2)
        for made in ("activations", "dictionaries", "features", "runs"):
            self._remove(project / made, name)

    def _job(self, config: Any) -> None:
        session = self.window.session
        job = session.run(config)
        if job is None:
            raise RuntimeError(f"{type(config).__name__} was refused")
        self._until(lambda: job.ended)
        if job.error is not None:
            raise RuntimeError(job.error.what)

    def _until(self, ready: Any) -> None:
        from sae_desktop.gui.frame.snapshots import wait

        deadline = time.monotonic() + _WAIT_S
        while not ready():
            if time.monotonic() > deadline:
                raise TimeoutError
            wait(0.05)

    def _remove(self, folder: Path, name: str) -> None:
        import shutil

        for path in folder.glob(f"{name}*"):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()


def figures(window: Any) -> dict[str, float]:
    """Return what a round leaves behind."""
    from PySide6.QtCore import QObject
    from PySide6.QtWidgets import QApplication

    gc.collect()
    own = psutil.Process()
    engine = own.children()[0]
    return {
        "window MB": own.memory_info().rss / 1e6,
        "engine MB": engine.memory_info().rss / 1e6,
        "window files": own.num_fds(),
        "engine files": engine.num_fds(),
        "window threads": own.num_threads(),
        "engine threads": engine.num_threads(),
        "widgets": len(QApplication.allWidgets()),
        "windows": len(QApplication.topLevelWidgets()),
        "objects": len(window.findChildren(QObject)),
    }


def growing(rounds: list[dict[str, float]]) -> dict[str, float]:
    """Return what grows by more a round than is allowed, by a line of least squares."""
    kept = rounds[WARM:]
    slopes = {
        name: float(np.polyfit(range(len(kept)), [one[name] for one in kept], 1)[0])
        for name in kept[0]
    }
    return {name: by for name, by in slopes.items() if by > ALLOWED.get(name, _OTHERWISE)}


def run(folder: Path, minutes: float, least: int = WARM + 10) -> list[dict[str, float]]:
    """Use the window for a while, at least `least` rounds; return the figures of each."""
    from sae_desktop.demonstrations import demonstration_copy
    from sae_desktop.gui.frame.snapshots import open_for_pictures, wait

    projects = []
    for name in ("one", "two"):
        (folder / name).mkdir(exist_ok=True)
        projects.append(demonstration_copy(folder / name))
    rounds: list[dict[str, float]] = []
    with open_for_pictures(None) as window:
        ends, use = time.monotonic() + 60 * minutes, Round(window, folder)
        while time.monotonic() < ends or len(rounds) < least:
            use.use(projects[len(rounds) % 2], len(rounds))
            wait(1.0)
            rounds.append(figures(window))
            print(len(rounds), {name: round(value) for name, value in rounds[-1].items()},
                  flush=True)  # fmt: skip
    return rounds


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--minutes", type=float, default=30.0)
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    os.environ |= own_folders(args.folder.resolve())
    found = growing(run(args.folder.resolve(), args.minutes))
    for name, by in found.items():
        print(f"{name} grows by {by:.2f} a round")
    print("Nothing else grows." if found else "Nothing grows.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
