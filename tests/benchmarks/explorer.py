"""The explorer on a million features: how long each thing takes that a person waits for.

    QT_QPA_PLATFORM=offscreen python tests/benchmarks/explorer.py [--features N] [--folder F]

Makes an index in today's layout (kept in FOLDER and used again), with a label for every
feature, and opens it in the real Explore workspace. Each figure stands beside its target; the
first time of a kind and the median of the following ones, which are warm, are told apart. A cold
page is one before which the index was pushed out of the system's cache (Linux). Where other work
shares the machine, the processor's time beside the pages says what they take alone.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from sae_desktop.features.reading.layout import (
    BINS,
    DOCUMENT_DTYPE,
    PASSAGE_DTYPE,
    IndexInfo,
    write_index,
)
from sae_desktop.project import Project
from sae_desktop.project_notes import Notes

TOP, BUCKETS, PER_BUCKET = 20, 5, 4
SLOTS = TOP + BUCKETS * PER_BUCKET
ROWS, PASSAGE, VOCABULARY = 1_000_000, 500, 16_384
LANGUAGES = ["en", "fr", "de", "es", "zh", "ar", "python"]
SOURCES = [f"source-{number}" for number in range(12)]
WORDS = 20_000
NAME = "million"


def random_words(rng: np.random.Generator, count: int) -> list[str]:
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    return ["".join(rng.choice(letters, rng.integers(3, 10))) for _ in range(count)]


def make_index(path: Path, features: int) -> None:
    """Write an index of made-up figures, laid out as a real one is."""
    rng = np.random.default_rng(0)
    words = [f" {word}".encode() for word in random_words(rng, VOCABULARY)]
    documents = np.zeros(ROWS // PASSAGE, dtype=DOCUMENT_DTYPE)
    documents["language"] = np.array([n.encode() for n in LANGUAGES])[
        rng.integers(0, len(LANGUAGES), len(documents))
    ]
    documents["source"] = b"source-1"
    passages = np.zeros(len(documents), dtype=PASSAGE_DTYPE)
    passages["first_row"] = np.arange(len(documents)) * PASSAGE
    passages["length"], passages["document"] = PASSAGE, np.arange(len(documents))
    maxima = rng.gamma(3.0, 4.0, features).astype(np.float32)
    density = (10 ** rng.uniform(-6.5, -1, features)).astype(np.float32)
    density[rng.random(features) < 0.1] = 0.0
    top_ids = rng.integers(0, VOCABULARY, (features, 10), dtype=np.int32)
    order = np.argsort(top_ids.ravel(), kind="stable")
    counts = np.bincount(top_ids.ravel(), minlength=VOCABULARY)
    near = -np.sort(-rng.random((features, 10), dtype=np.float32), axis=1)
    language_counts = rng.integers(0, 1000, (features, len(LANGUAGES)), dtype=np.uint32)
    source_counts = rng.integers(0, 1000, (features, len(SOURCES)), dtype=np.uint32)
    figures = {
        "density": density,
        "firings": (density * ROWS).astype(np.int64),
        "max_activation": maxima,
        "mean_activation": maxima * rng.uniform(0.1, 0.5, features).astype(np.float32),
        "std_activation": maxima * np.float32(0.2),
        "skewness": rng.normal(1, 1, features).astype(np.float32),
        "kurtosis": rng.normal(2, 3, features).astype(np.float32),
        "language": language_counts.argmax(axis=1).astype(np.int32),
        "language_share": rng.random(features, dtype=np.float32),
        "language_independence": rng.random(features, dtype=np.float32),
        "source": source_counts.argmax(axis=1).astype(np.int32),
        "source_share": rng.random(features, dtype=np.float32),
        "token": top_ids[:, 3],
        "token_share": rng.random(features, dtype=np.float32),
        "neuron_correlation": rng.random(features, dtype=np.float32),
        "nearest_cosine": near[:, 0],
        "cluster": rng.integers(-1, 500, features, dtype=np.int32),
        "map_x": rng.normal(size=features).astype(np.float32),
        "map_y": rng.normal(size=features).astype(np.float32),
    }
    entries = 3  # firings kept around a chosen row
    slots = features * SLOTS
    arrays: dict[str, Any] = {f"columns/{name}": values for name, values in figures.items()}
    arrays |= {
        "histogram/counts": rng.integers(0, 2000, (features, BINS), dtype=np.uint32),
        "contexts/row": rng.integers(0, ROWS, (features, SLOTS), dtype=np.int64),
        "contexts/activation": rng.random((features, SLOTS), dtype=np.float32) * maxima[:, None],
        "contexts/bucket": np.array(
            [0] * TOP + [b for b in range(BUCKETS, 0, -1) for _ in range(PER_BUCKET)], np.int8
        ),
        "contexts/edges": maxima[:, None] * np.linspace(0, 1, BUCKETS + 1, dtype=np.float32),
        "contexts/offsets": np.arange(slots + 1, dtype=np.int64) * entries,
        "contexts/positions": np.tile(np.array([-2, 0, 3], np.int16), slots),
        "contexts/values": np.tile(np.array([1, 6, 2], np.float16), slots),
        "logits/top_ids": top_ids,
        "logits/top_values": near,
        "logits/bottom_ids": top_ids[:, ::-1].copy(),
        "logits/bottom_values": -near,
        "logits/median": np.zeros(features, np.float32),
        "logits/token_offsets": np.concatenate([[0], np.cumsum(counts)]),
        "logits/token_features": (order // 10).astype(np.int32),
        "neighbours/ids": rng.integers(0, features, (features, 10), dtype=np.int32),
        "neighbours/cosines": near,
        "coactive/ids": rng.integers(0, features, (features, 10), dtype=np.int32),
        "coactive/pearson": near,
        "coactive/share": near,
        "languages/counts": language_counts,
        "languages/tokens": np.full(len(LANGUAGES), ROWS // len(LANGUAGES)),
        "sources/counts": source_counts,
        "sources/tokens": np.full(len(SOURCES), ROWS // len(SOURCES)),
        "firing_tokens/ids": top_ids,
        "firing_tokens/counts": np.broadcast_to(np.arange(10, 0, -1, np.int32), (features, 10)),
        "neurons/layers": np.ones((features, 3), np.int32),
        "neurons/ids": rng.integers(0, 4096, (features, 3), dtype=np.int32),
        "neurons/pearson": near[:, :3].copy(),
        "tokens": rng.integers(0, VOCABULARY, ROWS, dtype=np.int32),
        "passages": passages,
        "documents": documents,
        "vocabulary/bytes": np.frombuffer(b"".join(words), np.uint8),
        "vocabulary/offsets": np.cumsum([0, *(len(word) for word in words)]),
    }
    info = IndexInfo(
        dictionary=NAME, model="builtin", site="blocks.3.hook_resid_post", activations="acts",
        corpus="builtin", rows=ROWS, features=features, buckets=BUCKETS, languages=LANGUAGES,
        sources=SOURCES, neuron_rows=ROWS, bos_prepended=True, config="{}",
    )  # fmt: skip
    write_index(path, info, arrays)


def make_project(folder: Path, features: int) -> Project:
    """Return the project in the folder, made at the first call."""
    project = Project.open_or_create(folder / f"{features}.saeproj", title="A million features")
    if not project.index_path(NAME).exists():
        began = time.perf_counter()
        make_index(project.index_path(NAME), features)
        rng = np.random.default_rng(1)
        words = random_words(rng, WORDS)
        picks = np.minimum(rng.pareto(0.8, (features, 4)).astype(np.int64), WORDS - 1)
        notes = Notes(project.notes_path)
        notes.set_labels(NAME, ((f, " ".join(words[i] for i in p)) for f, p in enumerate(picks)))
        notes.set_stars(NAME, range(0, features, 997), True)
        notes.close()
        size = project.index_path(NAME).stat().st_size / 1e9
        print(f"made in {time.perf_counter() - began:.0f} s, index {size:.1f} GB", flush=True)
    return project


def timed(do: Callable[[], object]) -> float:
    began = time.perf_counter()
    do()
    return 1000 * (time.perf_counter() - began)


def push_out(index: Any) -> None:
    """Have the system forget what it holds of the file of an index."""
    index._file.release(index._file.arrays)
    descriptor = os.open(index.path, os.O_RDONLY)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(descriptor)


def say(what: str, found: float, target: float, unit: str = "ms", first: float = 0.0) -> None:
    mark = "ok  " if found <= target else "MISS"
    extra = f"   first {first:.0f} {unit}" if first else ""
    print(f"{mark} {what:<44} {found:8.1f} {unit}   target {target:g}{extra}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--features", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "explorer")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    if os.fork() == 0:  # what making it takes is no memory of the window
        make_project(args.folder, args.features)
        os._exit(0)
    os.wait()
    measure(Project.open(args.folder / f"{args.features}.saeproj"))


def measure(project: Project) -> None:
    """Open the project in the workspace and print every figure."""
    from PySide6.QtCore import Qt
    from PySide6.QtWidgets import QApplication

    from sae_desktop.client.engine_client import EngineClient
    from sae_desktop.features.reading.filter import FeatureFilter, Range
    from sae_desktop.gui.explore.explore import ExplorePanel
    from sae_desktop.gui.explore.list.feature_table import TABLE_COLUMNS
    from sae_desktop.gui.frame.snapshots import wait
    from sae_desktop.gui.parts import theme
    from sae_desktop.gui.parts.workspace import Workspace
    from sae_desktop.gui.state.feature_notes import FeatureNotes
    from sae_desktop.gui.state.session import Session

    app = QApplication.instance() or QApplication([])
    assert isinstance(app, QApplication)
    theme.manager().apply("light")
    session = Session(EngineClient())
    panel = ExplorePanel(session)
    workspace = Workspace("explore", panel, panel.docks())
    workspace.resize(1440, 900)
    workspace.show()
    wait(0.2)

    def shown(do: Callable[[], object]) -> Callable[[], None]:
        def work() -> None:
            do()
            app.processEvents()

        return work

    session.open_project(project.path)
    opening = [timed(shown(lambda: session.open_index(NAME))) for _ in range(5)]
    say("open", statistics.median(opening[1:]), 1000, first=opening[0])
    index, model, notes = session.index, panel.list.model, FeatureNotes.of(session)
    assert index is not None
    notes.labelled_features()
    while notes._order.busy:
        wait(0.02)

    orders = (Qt.SortOrder.DescendingOrder, Qt.SortOrder.AscendingOrder)
    for column, name in enumerate(TABLE_COLUMNS):
        if name == "note" or not model.has_column(column):
            continue
        times = [
            timed(shown(partial(panel.list.table.sortByColumn, column, order)))
            for order in orders * 2
        ]
        say(f"sort by {name}", statistics.median(times[1:]), 200, first=times[0])
    panel.list.table.sortByColumn(1, Qt.SortOrder.AscendingOrder)

    word = notes.label(12345).split()[0]
    filters = {
        "density, kurtosis and language": FeatureFilter(
            ranges=(Range("density", 1e-5, 1e-2), Range("kurtosis", 0.0, None)),
            languages=("en", "fr"),
        ),
        "label, alive and range": FeatureFilter(
            text=word, alive_only=True, ranges=(Range("max_activation", 2.0, None),)
        ),
        "fires on, raises and clusters": FeatureFilter(
            token=index.token(5), raises=index.token(5), clusters=tuple(range(100))
        ),
        "starred, alive and labelled": FeatureFilter(
            starred_only=True, alive_only=True, labelled_only=True
        ),
    }
    for what, conditions in filters.items():
        times = []
        for _ in range(4):
            panel.list.set_conditions(FeatureFilter())
            app.processEvents()
            times.append(timed(shown(lambda c=conditions: panel.list.set_conditions(c))))
        found = model.rowCount()
        say(f"filter by {what} ({found:,})", statistics.median(times[1:]), 150, first=times[0])
    panel.list.set_conditions(FeatureFilter())
    app.processEvents()

    times = []
    for text in (word, word[:3], "a", f"{word} {notes.label(777).split()[0]}"):
        notes_file = Notes(project.notes_path)  # one that has not been asked before
        asked, processor = [], []
        for _ in range(3):
            before = time.process_time()
            asked.append(timed(lambda text=text, file=notes_file: file._search(NAME, text)))
            processor.append(1000 * (time.process_time() - before))
            times.append(timed(lambda text=text: session.notes.search(NAME, text)))  # type: ignore[union-attr]
        notes_file.close()
        hits = len(session.notes.search(NAME, text))  # type: ignore[union-attr]
        say(f"search labels anew, {hits:,} hits", statistics.median(asked), 100)
        say("  of a processor", statistics.median(processor), 100)
        say("  asked again", statistics.median(times[-2:]), 100)

    bar = panel.list.table.verticalScrollBar()
    frames = []
    for step in range(300):
        bar.setValue(int(bar.maximum() * (step * 0.37 % 1.0)))
        frames.append(timed(lambda: (panel.list.table.viewport().repaint(), app.processEvents())))
    say("scrolling, p99 of 300 frames", float(np.percentile(frames[10:], 99)), 33)

    def turn_to(feature: int) -> None:
        session.select_feature(feature)
        panel.page.repaint()

    rng = np.random.default_rng(5)
    for state in ("warm", "cold"):
        pages, processor = [], []
        for feature in rng.integers(0, index.features, 60).tolist():
            if state == "cold":
                push_out(index)
            before = time.process_time()
            pages.append(timed(shown(partial(turn_to, feature))))
            processor.append(1000 * (time.process_time() - before))
        for what, times in ((f"{state} page", pages), (f"{state} page, processor", processor)):
            say(f"{what}, median", statistics.median(times[5:]), 60)
            say(f"{what}, p95", float(np.percentile(times[5:], 95)), 60)
    print(f"load {os.getloadavg()[0]:.1f}, {os.cpu_count()} processors")
    panel.places.show_place("map")
    wait(0.1)
    map_ = panel.map.map
    for name in ("", "density", "cluster"):
        panel.map.colour.setCurrentIndex(panel.map.colour.findData(name))
        map_.show_whole()
        pans = [
            timed(
                lambda step=step: (map_.set_view(map_.view.moved(0.01 * step, 0.0)), map_.repaint())
            )
            for step in (1, -1) * 30
        ]
        say(f"draw the map coloured by {name or 'number'}", timed(map_.redraw), 100)
        what = f"pan the map coloured by {name or 'number'}, p99"
        say(what, float(np.percentile(pans[2:], 99)), 33)
    say("resident memory", psutil.Process().memory_info().rss / 2**20, 700, "MB")
    session.close_project()


if __name__ == "__main__":
    main()
