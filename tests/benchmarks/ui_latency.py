"""How smooth the window is: time to the first window, and gaps between frames while jobs run.

    python tests/benchmarks/ui_latency.py [PROJECT] [--seconds 20] [--requests 1000]

PROJECT needs an activation store; without it a small one is harvested from the built-in model
into a temporary folder. With `--requests` no training runs: a model of a server in a process of
its own is asked to name that many features of the demonstration, with the queue in sight. A timer
of 60 Hz stands for the frames: the gap between two of its ticks is what a person would wait for an
answer to a click. Runs on the real display, or with QT_QPA_PLATFORM=offscreen.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

FRAME_MS = 16
_STARTS = 5
_TRAIN_ROWS = 5_000_000
"""More than a run of the benchmark consumes."""

_CHILD = """
import sys, time, psutil
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication
real = QApplication.exec
def look():
    shown = [w for w in QApplication.topLevelWidgets() if w.isVisible() and w.windowHandle()]
    if any(w.windowHandle().isExposed() for w in shown):
        print("visible", time.time() - psutil.Process().create_time(), flush=True)
        QApplication.quit()
def patched(*_):
    timer = QTimer(); timer.timeout.connect(look); timer.start(1)
    return real()
QApplication.exec = staticmethod(patched)
from sae_desktop.__main__ import main
sys.argv = ["sae-desktop", sys.argv[1]]
main()
"""


_SERVER = f"""
import random, sys
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
from chat_server import ChatServer, says, slowly
def reply(request):
    slowly(random.uniform(0.02, 0.2), says("words about ", "the sea"))(request)
print(ChatServer(reply).url, flush=True)
sys.stdin.read()  # until whoever started it ends
"""


def start_seconds(project: Path) -> list[float]:
    """Return the time from the command to the visible window, several times over."""
    found = []
    for _ in range(_STARTS):
        result = subprocess.run(
            [sys.executable, "-c", _CHILD, str(project)],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        lines = [line for line in result.stdout.splitlines() if line.startswith("visible")]
        if not lines:
            raise SystemExit(f"The window did not appear:\n{result.stderr}")
        found.append(float(lines[0].split()[1]))
    return found


def harvested_project(folder: Path) -> Path:
    """Make a small project with one store."""
    project = folder / "latency.saeproj"
    command = [sys.executable, "-m", "sae_desktop", "harvest", str(project)]
    command += ["--tokens", "100000", "--name", "acts"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return project


class FrameClock:
    """Collects the gaps between ticks of a 60 Hz timer."""

    def __init__(self) -> None:
        from PySide6.QtCore import Qt, QTimer

        self.gaps: list[float] = []
        self._last = time.perf_counter()
        self._timer = QTimer()
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._tick)
        self._timer.start(FRAME_MS)

    def _tick(self) -> None:
        now = time.perf_counter()
        self.gaps.append((now - self._last) * 1000)
        self._last = now

    def measure(self, seconds: float) -> list[float]:
        """Return the gaps of the next so many seconds, in milliseconds."""
        wait(seconds)
        gaps, self.gaps = self.gaps, []
        return gaps


def wait(seconds: float) -> None:
    from PySide6.QtCore import QEventLoop, QTimer

    loop = QEventLoop()
    QTimer.singleShot(round(seconds * 1000), loop.quit)
    loop.exec()


def report(what: str, gaps: list[float]) -> None:
    p50, p95, p99 = np.percentile(gaps, [50, 95, 99])
    print(
        f"{what:28} p50 {p50:6.1f}  p95 {p95:6.1f}  p99 {p99:6.1f}  max {max(gaps):6.1f} ms"
        f"  ({len(gaps)} frames)"
    )


def opened_window(project: Path, place: str) -> tuple[Any, Any]:
    """Return (window, session) that show a place of a project, with an engine that is ready."""
    from sae_desktop.client.engine_client import EngineClient
    from sae_desktop.gui.frame.app import make_application
    from sae_desktop.gui.frame.main_window import MainWindow
    from sae_desktop.gui.parts import theme
    from sae_desktop.gui.state.session import Session
    from sae_desktop.gui.state.settings import Settings

    make_application()
    theme.manager().apply("light")
    client = EngineClient()
    session = Session(client)
    window = MainWindow(session, Settings(), lambda _settings: None)
    window.resize(1600, 1000)
    window.show()
    client.start()
    session.open_project(project)
    window.show_workspace(place)
    while client.state == "starting":
        wait(0.1)
    wait(2.0)
    return window, session


def request_gaps(folder: Path, requests: int) -> None:
    """Print the frame gaps while a model is asked to name features, at the queue's side."""
    from sae_desktop.demonstrations import demonstration_copy
    from sae_desktop.gui.forms.queue_view import QueueView
    from sae_desktop.labels.explaining.config import ExplainFeaturesConfig
    from sae_desktop.labels.models.choice import ModelChoice
    from sae_desktop.labels.queue.limits import QueueLimits
    from sae_desktop.labels.selection import Selection
    from sae_desktop.words.queue_text import summary_text

    project = demonstration_copy(folder)
    server = subprocess.Popen(
        [sys.executable, "-c", _SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    url = server.stdout.readline().strip()
    window, session = opened_window(project, "explore")
    view = QueueView(session)
    view.setWindowTitle("Requests")
    view.resize(640, 480)
    view.show()
    clock = FrameClock()
    report("quiet", clock.measure(10.0))
    job = session.run(
        ExplainFeaturesConfig(
            project=str(project),
            index=session.inventory.indexes[0].name,
            model=ModelChoice(server=url, model="toy"),
            selection=Selection(limit=requests, labelled="any"),
            limits=QueueLimits(at_once=8, price_in=0.1, price_out=0.4, most_cost=10.0),
        )
    )
    assert job is not None
    began = time.perf_counter()
    gaps: list[float] = []
    while not job.ended:
        gaps += clock.measure(0.5)
    seconds = time.perf_counter() - began
    report(f"{requests:,} requests", gaps)
    print(f"job {job.state} in {seconds:.1f} s; load {os.getloadavg()[0]:.1f}")
    print(job.error.what if job.error else summary_text(view.progress))
    view.close()
    window.leave()
    server.terminate()
    assert "torch" not in sys.modules


def frame_gaps(project: Path, seconds: float) -> None:
    """Print the frame gaps of a quiet window, and of one that shows a running training."""
    from sae_desktop.training.config import TrainConfig

    window, session = opened_window(project, "train")
    clock = FrameClock()
    report("quiet", clock.measure(seconds / 2))
    job = session.run(
        TrainConfig(
            project=str(project),
            name=f"latency-{os.getpid()}",
            activations=session.inventory.stores[0].name,
            features=2048,
            tokens=_TRAIN_ROWS,
            batch=1024,
        )
    )
    assert job is not None
    while job.state == "queued":
        wait(0.1)
    report("training begins (10 s)", clock.measure(10.0))
    report("training", clock.measure(seconds))
    points = window.workspace("train").main.curves.runs[job.config.name].buffer.points
    print(f"{points} points drawn, job {job.state}")
    job.cancel()
    wait(1.0)
    window.leave()
    assert "torch" not in sys.modules


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("project", type=Path, nargs="?")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--requests", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if options.requests:
            request_gaps(Path(folder), options.requests)
            return
        project = options.project or harvested_project(Path(folder))
        starts = start_seconds(project)
        print("command to visible window: " + ", ".join(f"{s:.2f}" for s in starts) + " s")
        frame_gaps(project, options.seconds)


if __name__ == "__main__":
    main()
