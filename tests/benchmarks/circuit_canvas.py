"""How smooth a graph of 2,000 nodes is under the hand, and how soon it is there.

    QT_QPA_PLATFORM=offscreen python tests/benchmarks/circuit_canvas.py [--nodes 2000] [--dark]

A graph is opened from its file: read, pruned, placed, drawn whole. Then it is dragged for some
seconds at three zooms, with a move of the pointer each 16 ms, as a screen of 60 Hz asks for; a
frame's gap is the time from one paint to the next. Where other programs take the processor, gaps
say little: the processor's time from one paint to the next, with all that is done between them, is
what this program is to blame for. Hovering is measured from a move to its paint. Every figure is
printed with the seed; nothing is asserted.
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PySide6.QtCore import QEventLoop, QPointF, Qt, QTimer
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QApplication

from sae_desktop.circuits.reading.graph_file import read_graph
from sae_desktop.circuits.reading.pruning import influence
from sae_desktop.gui.circuits.canvas.graph_view import GraphView
from sae_desktop.gui.circuits.canvas.scene import Drawn, Edges, make_scene
from sae_desktop.gui.circuits.open_graph import edge_importance
from sae_desktop.gui.frame.app import make_application
from sae_desktop.gui.parts import theme
from sae_desktop.words.graph_words import plain_name

sys.path.append(str(Path(__file__).parents[1]))

from made_graphs import save_made_graph

_FRAME_MS = 16
_SECONDS = 4.0
_NAMES = ("capital cities of Europe", "the word “state” before a name", "Texas", "says a place")


class Timed(GraphView):
    """Notes when each paint ended, and how long it took."""

    def __init__(self) -> None:
        super().__init__()
        self.ends: list[float] = []
        self.took: list[float] = []
        self.busy: list[float] = []
        """The processor's time of this thread when each paint ended."""

    def paintEvent(self, event: object) -> None:
        start = time.perf_counter()
        super().paintEvent(event)  # type: ignore[arg-type]
        self.ends.append(time.perf_counter())
        self.busy.append(time.thread_time())
        self.took.append(self.ends[-1] - start)


def _wait(seconds: float) -> None:
    loop = QEventLoop()
    QTimer.singleShot(round(seconds * 1000), loop.quit)
    loop.exec()


def _move(canvas: Timed, at: QPointF, buttons: Qt.MouseButton, kind: QMouseEvent.Type) -> None:
    event = QMouseEvent(
        kind, at, canvas.mapToGlobal(at), Qt.MouseButton.LeftButton, buttons,
        Qt.KeyboardModifier.NoModifier,
    )  # fmt: skip
    QApplication.sendEvent(canvas, event)


def _open(path: Path, canvas: Timed) -> float:
    start = time.perf_counter()
    graph = read_graph(path)
    targets = graph.targets()
    shown, edges = np.ones(graph.nodes, bool), np.ones(graph.edges, bool)
    names = [_NAMES[n % len(_NAMES)] if n % 3 else plain_name(graph, n) for n in range(graph.nodes)]
    drawn = Drawn(
        kind=np.asarray(graph.kind), layer=np.asarray(graph.layer),
        position=np.asarray(graph.position), influence=influence(graph),
        probability=np.asarray(graph.probability), group=np.full(graph.nodes, -1), shown=shown,
        edges=Edges(graph.sources, targets, graph.weights, edge_importance(graph, targets)),
        edges_shown=edges, tokens=graph.info.token_text, layers=graph.info.layers, names=names,
        named=np.ones(graph.nodes, bool),
    )  # fmt: skip
    scene = make_scene(drawn, box=canvas.box(), aspect=canvas.aspect())
    canvas.show_scene(scene, whole=True)
    while canvas._tiles.prepare(canvas.camera, canvas.area().width(), canvas.area().height()):
        pass
    canvas.repaint()
    return time.perf_counter() - start


def _drag(canvas: Timed) -> list[float]:
    """Drag in wide circles; return the gaps between frames in ms."""
    middle = QPointF(canvas.width() / 2, canvas.height() / 2)
    _move(canvas, middle, Qt.MouseButton.LeftButton, QMouseEvent.Type.MouseButtonPress)
    canvas.ends.clear()
    canvas.took.clear()
    canvas.busy.clear()
    start = time.perf_counter()
    timer = QTimer(interval=_FRAME_MS, timerType=Qt.TimerType.PreciseTimer)

    def step() -> None:
        turn = (time.perf_counter() - start) * 1.6
        away = QPointF(math.cos(turn) - 1, math.sin(turn)) * 700
        _move(canvas, middle + away, Qt.MouseButton.LeftButton, QMouseEvent.Type.MouseMove)

    timer.timeout.connect(step)
    timer.start()
    _wait(_SECONDS)
    timer.stop()
    _move(canvas, middle, Qt.MouseButton.NoButton, QMouseEvent.Type.MouseButtonRelease)
    return [1000 * gap for gap in np.diff(canvas.ends)]


def _hover(canvas: Timed, count: int = 100) -> list[float]:
    scene = canvas.scene
    assert scene is not None
    took = []
    nodes = np.random.default_rng(0).choice(scene.nodes, count)
    for node in nodes.tolist():
        start = time.perf_counter()
        canvas.point_at(node)
        canvas.repaint()
        took.append(1000 * (time.perf_counter() - start))
    canvas.point_at(None)
    return took


def _told(what: str, values: list[float]) -> None:
    p50, p99 = np.percentile(values, 50), np.percentile(values, 99)
    print(f"{what}: p50 {p50:.1f} ms, p99 {p99:.1f} ms, most {max(values):.1f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--dark", action="store_true")
    options = parser.parse_args()
    make_application()
    theme.manager().apply("dark" if options.dark else "light")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "graph.h5"
        features = options.nodes - 66 - 12 * 60  # tokens, logits and errors are nodes, too
        graph = save_made_graph(
            path, features=max(features, 10), layers=12, positions=60, inputs=40, logits=6,
            seed=options.seed,
        )  # fmt: skip
        canvas = Timed()
        canvas.resize(1100, 640)
        canvas.show()
        _wait(0.3)
        print(f"{graph.nodes:,} nodes, {graph.edges:,} edges, seed {options.seed}")
        print("opened and drawn: " + ", ".join(f"{_open(path, canvas):.3f} s" for _ in range(3)))
        for zoom in (1.0, 3.0, 7.0):
            canvas.show_all()
            area = canvas.area()
            canvas.set_camera(canvas.camera.zoomed(zoom, area.width() / 2, area.height() / 2))
            _wait(1.0)
            gaps = _drag(canvas)
            _told(f"dragged at zoom {canvas.camera.zoom:.2f}, gaps of {len(gaps)} frames", gaps)
            _told("  paints", [1000 * took for took in canvas.took])
            _told("  processor's time a frame", [1000 * busy for busy in np.diff(canvas.busy)])
        _told("a node pointed at, until it is lit", _hover(canvas))
        canvas.hide()


if __name__ == "__main__":
    main()
