"""Grab every workspace of the window on a project, in light and dark, at several sizes.

    QT_QPA_PLATFORM=offscreen python packaging/screenshots.py PROJECT FOLDER [--only explore]
    QT_SCALE_FACTOR=2 QT_QPA_PLATFORM=offscreen python packaging/screenshots.py …   (200%)

With `--states` the states of the workspaces are grabbed, too: what a store holds; folded settings,
targets, the sweep, the plots of a sweep, all curves, the evaluation; features side by side, the
tabs of Labels; conditions and monitors; a graph, a node of it, the lens, patching, attribution; a
scan, a monitor, the form of a new one, the server, what changed.
The pictures of the README are `--size 1440x900` of the demonstration.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from sae_desktop.circuits.reading.graph_file import FEATURE
from sae_desktop.features.reading.columns import BOTH, MODALITIES, PICTURES
from sae_desktop.gui.frame.main_window import MainWindow
from sae_desktop.gui.frame.menus import WORKSPACES
from sae_desktop.gui.frame.snapshots import grab, open_for_pictures, show_settled, wait
from sae_desktop.gui.state.compared import Compared
from sae_desktop.steering.gate_config import Gate
from sae_desktop.words.training_catalogue import STREAM

SIZES = ("1280x720", "2560x1440")
_SETTLE_S = 1.5
_TRACE_S = 20.0
_TEXTS_S = 10.0


def _training(window: MainWindow):
    return window.workspace("train").main


def _choose(window: MainWindow, field: str, value: str) -> None:
    box = _training(window).form.fields[field]
    box.setCurrentIndex(box.findData(value))
    box.activated.emit(box.currentIndex())


def _raise(window: MainWindow, dock: str) -> None:
    next(d for d in window.workspace("train").docks() if d.objectName() == dock).raise_()


def _rare(window: MainWindow) -> None:
    form = _training(window).form
    form.more_button.setChecked(True)
    wait(0.2)
    form.verticalScrollBar().setValue(form.verticalScrollBar().maximum())


def _standard(window: MainWindow) -> None:
    form = _training(window).form
    form.verticalScrollBar().setValue(0)
    form.more_button.setChecked(False)
    _choose(window, "architecture", "standard")


def _further(window: MainWindow) -> None:
    form = _training(window).form
    form.more_button.setChecked(False)
    window.session.changeRequested.emit("further", form.starts.names[0])
    wait(0.2)
    form.ensureWidgetVisible(form.fields["start_from"], 0, 200)


def _too_large(window: MainWindow) -> None:
    _choose(window, "architecture", "matryoshka")
    _training(window).form.fields["features"].setValue(80_000_000)


def _transcoder(window: MainWindow) -> None:
    _training(window).form.fields["features"].setValue(2048)
    _choose(window, "target", "transcoder")


def _stream(window: MainWindow) -> None:
    _choose(window, "target", "input")
    _choose(window, "activations", STREAM)


def _sweep_form(window: MainWindow) -> None:
    stores = window.session.inventory.stores
    if stores:
        _choose(window, "activations", stores[0].name)
    _raise(window, "train.sweep")
    form = _training(window).sweep
    for axis, text in (("features", "512..4096"), ("k", "16, 32, 64"), ("seed", "0..2")):
        form.fields[axis].setText(text)
    form.refresh()


def _sweep(window: MainWindow, tab: int) -> None:
    panel = _training(window)
    sweeps = window.session.inventory.sweeps
    if sweeps:
        panel.runs.choose_sweep(sweeps[min(tab, len(sweeps)) - 1].config.name)
    panel.tabs.setCurrentIndex(tab)


def _overlaid(window: MainWindow) -> None:
    panel = _training(window)
    panel.tabs.setCurrentIndex(0)
    panel.curves.bar.smoothing.setValue(60)
    panel.curves._on_hovered(60_000.0)


def _all_curves(window: MainWindow) -> None:
    panel = _training(window)
    for action in panel.curves.bar.actions_of.values():
        action.setChecked(True)
    panel.curves.bar.axis.setCurrentIndex(panel.curves.bar.axis.findData("seconds"))


def _evaluation(window: MainWindow) -> None:
    _raise(window, "train.evaluation")
    panel = _training(window)
    items = window.session.inventory.dictionaries
    done = [item.name for item in items if item.summary and item.summary.evaluation]
    panel.runs.sweeps.setCurrentIndex(0)
    if done:
        panel.board.draw(done[0])


def _benchmarks(window: MainWindow, view: int, *, seeds: bool, name: str = "") -> None:
    panel = _training(window)
    panel.tabs.setCurrentWidget(panel.benchmarks)
    panel.benchmarks.open(name or panel.benchmarks.chooser.currentText())
    panel.benchmarks.view.setCurrentIndex(view)
    panel.benchmarks.seeds.setChecked(seeds)


def _harvest(window: MainWindow, tab: int) -> None:
    window.workspace("harvest").main.tabs.setCurrentIndex(tab)
    wait(_SETTLE_S)


def _harvest_pictures(window: MainWindow) -> None:
    """Pictures of a folder before a harvest, beside a model that reads none."""
    folder = Path(tempfile.mkdtemp())
    for number in range(6):
        colour = tuple(40 * ((number + shift) % 6) for shift in (1, 3, 5))
        drawn = Image.new("RGB", (160 + 40 * number, 240), colour)
        ImageDraw.Draw(drawn).ellipse((40, 60, 120, 140), fill="white")
        drawn.save(folder / f"drawing {number}.png")
        (folder / f"drawing {number}.txt").write_text("A white disc")
    (folder / "cut.png").write_bytes(b"\x89PNG")
    panel = window.workspace("harvest").main
    panel.fill({"pictures": str(folder)})
    wait(4 * _SETTLE_S)


def _compare(window: MainWindow) -> None:
    session = window.session
    if session.index is not None and session.feature is not None:
        nearest = [other for other, _ in session.index.neighbours(session.feature)]
        Compared.of(session).show([session.feature, *nearest[:2]])


def _pictures(window: MainWindow) -> None:
    """Show a feature that fires on pictures and on text, of an index over both."""
    index = window.session.index
    kinds = None if index is None else index.columns.get("modality")
    if kinds is not None:
        both = np.flatnonzero(kinds == MODALITIES.index(BOTH))
        shown = both if len(both) else np.flatnonzero(kinds == MODALITIES.index(PICTURES))
        if len(shown):
            window.session.select_feature(int(shown[0]))


def _labels(window: MainWindow, place: str) -> None:
    """Show a tab of Labels; the reading desk at its first feature."""
    panel = window.workspace("explore").main
    panel.places.show_place("labels")
    panel.labels.show_place(place)
    if place == "desk":
        panel.labels.read()


def _graph(window: MainWindow) -> None:
    """Show the first graph of the project; without one, trace the prompt that is offered."""
    panel, project = window.workspace("circuits").main, window.session.project
    names = [] if project is None else project.graphs()
    if names:
        panel.opened.open(names[0])
    elif panel.graph.prompt.asked() is not None:
        panel.graph.prompt.trace()
        wait(_TRACE_S)


def _node(window: MainWindow) -> None:
    """Select the most influential feature that is shown."""
    opened = window.workspace("circuits").main.opened
    if opened.graph is not None:
        shown = opened.shown.nodes & (opened.graph.kind == FEATURE)
        if shown.any():
            opened.select(int(np.where(shown, opened.graph.influence, -1).argmax()))


def _lens(window: MainWindow) -> None:
    panel = window.workspace("circuits").main
    panel.places.show_place("lens")
    panel.lens.read()
    wait(_SETTLE_S)


def _safety(window: MainWindow, place: str) -> None:
    window.workspace("safety").main.places.show_place(place)


def _changes(window: MainWindow, kind: str = "", tab: int = 0) -> None:
    """Show the first comparison, watch or calibration of the project, at a tab."""
    panel = window.workspace("safety").main
    panel.places.show_place("changes")
    place = panel.changes
    names = place.things.names(kind)
    if names:
        place.things.choose(kind, names[0])
    shown = [n for n in range(place.page.tabs.count()) if place.page.tabs.isTabVisible(n)]
    if kind == "comparison" and tab < len(shown):
        place.page.tabs.setCurrentIndex(shown[tab])


def _patching(window: MainWindow) -> None:
    panel = window.workspace("circuits").main
    panel.places.show_place("patching")
    panel.patching.patch()
    wait(_TEXTS_S)


def _attribution(window: MainWindow) -> None:
    panel = window.workspace("circuits").main
    panel.places.show_place("attribution")
    panel.attribution.attribute()
    wait(_TEXTS_S)


def _conditions(window: MainWindow) -> None:
    """Steer under a condition, stop under another, with the monitors reading along."""
    panel, session = window.workspace("steer").main, window.session
    if session.index is None or session.project is None:
        return
    rack = panel.rack
    if not rack.rack and session.feature is not None:
        rack.add_feature(session.feature)
    for entry in rack.rack[:1]:
        top = float(session.index.columns["max_activation"][entry.feature or 0])
        rack.set_condition(entry.key, Gate(feature=entry.feature, above=0.1 * top, since=True))
        rack.add_stop(Gate(feature=entry.feature, above=100 * top, where="output"))
    panel.monitors.choose(session.project.monitors())
    panel.form.take_example("In the beginning, les hommes naissent libres et")
    panel.generate()
    wait(_TEXTS_S)


def _monitors(window: MainWindow, tab: int | None) -> None:
    """Show the first monitor at a tab, or where there is none that; None: the form."""
    panel = window.workspace("safety").main
    panel.places.show_place("monitors")
    wait(_SETTLE_S)
    if tab is None:
        panel.monitors.begin()
    elif panel.monitors.shelf.items:
        panel.monitors.show_monitor(panel.monitors.shelf.items[0].name)
        panel.monitors.page.tabs.setCurrentIndex(tab)


def _server(window: MainWindow) -> None:
    window.workspace("safety").main.monitors.show_server()


HARVEST_STATES: dict[str, Callable[[MainWindow], None]] = {
    "store": lambda window: _harvest(window, 1),
    "pictures": _harvest_pictures,
}
TRAINING_STATES: dict[str, Callable[[MainWindow], None]] = {
    "rare": _rare,
    "further": _further,
    "standard": _standard,
    "too-large": _too_large,
    "transcoder": _transcoder,
    "stream": _stream,
    "sweep-form": _sweep_form,
    "pareto": lambda window: _sweep(window, 1),
    "scaling": lambda window: _sweep(window, 2),
    "overlaid": _overlaid,
    "all-curves": _all_curves,
    "evaluation": _evaluation,
    "benchmarks": lambda window: _benchmarks(window, 0, seeds=False),
    "benchmark-seeds": lambda window: _benchmarks(window, 0, seeds=True),
    "datasets": lambda window: _benchmarks(window, 1, seeds=False),
    "made-data": lambda window: _benchmarks(window, 0, seeds=False, name="made"),
    "benchmark-form": lambda window: _training(window).benchmarks.start(),
    "made-data-form": lambda window: _training(window).benchmarks.start_synthetic(),
}
EXPLORE_STATES: dict[str, Callable[[MainWindow], None]] = {
    "pictures": _pictures,
    "compare": _compare,
    "labels": lambda window: _labels(window, "overview"),
    "desk": lambda window: _labels(window, "desk"),
    "scores": lambda window: _labels(window, "scores"),
    "model": lambda window: _labels(window, "model"),
}
CIRCUIT_STATES: dict[str, Callable[[MainWindow], None]] = {
    "graph": _graph,
    "node": _node,
    "lens": _lens,
    "patching": _patching,
    "attribution": _attribution,
}
SAFETY_STATES: dict[str, Callable[[MainWindow], None]] = {
    "scan": lambda window: _safety(window, "scan"),
    "monitor": lambda window: _monitors(window, 0),
    "monitor-run": lambda window: _monitors(window, 1),
    "mitigation": lambda window: _monitors(window, 2),
    "new-monitor": lambda window: _monitors(window, None),
    "serve": _server,
    "changes": _changes,
    "comparison": lambda window: _changes(window, "comparison"),
    "side-by-side": lambda window: _changes(window, "comparison", 1),
    "changed-features": lambda window: _changes(window, "comparison", 2),
    "changed-tokens": lambda window: _changes(window, "comparison", 3),
    "changed-traits": lambda window: _changes(window, "comparison", 4),
    "changed-crosscoder": lambda window: _changes(window, "comparison", 5),
    "watch": lambda window: _changes(window, "watch"),
    "calibration": lambda window: _changes(window, "calibration"),
}
STEER_STATES: dict[str, Callable[[MainWindow], None]] = {
    "conditions": _conditions,
}
STATES = {
    "harvest": HARVEST_STATES,
    "train": TRAINING_STATES,
    "explore": EXPLORE_STATES,
    "steer": STEER_STATES,
    "circuits": CIRCUIT_STATES,
    "safety": SAFETY_STATES,
}
"""Workspace → state → how one gets there from the one before."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("project", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", default="", help="one workspace")
    parser.add_argument("--feature", type=int, help="the feature to show and to steer with")
    parser.add_argument("--empty", action="store_true", help="no project: the welcome")
    parser.add_argument("--size", action="append", help="such as 1280x720; may be repeated")
    parser.add_argument("--states", action="store_true", help="every state of a workspace, too")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    sizes = options.size or SIZES
    with open_for_pictures(None if options.empty else options.project) as window:
        for name, _, _ in WORKSPACES:
            if options.only not in ("", name):
                continue
            show_settled(window, name, options.feature)
            _grab_all(window, options.folder, name, sizes)
            if options.states:
                for state, show in STATES.get(name, {}).items():
                    show(window)
                    wait(_SETTLE_S)
                    _grab_all(window, options.folder, f"{name}-{state}", sizes)


def _grab_all(window: MainWindow, folder: Path, name: str, sizes: tuple[str, ...]) -> None:
    scale = os.environ.get("QT_SCALE_FACTOR", "1")
    for mode in ("light", "dark"):
        for size in sizes:
            width, height = (round(int(n) / float(scale)) for n in size.split("x"))
            path = folder / f"{name}-{mode}-{size}@{scale}.png"
            grab(window, path, (width, height), mode)
            print(path)


if __name__ == "__main__":
    main()
