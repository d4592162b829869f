"""Search by meaning among a million labels: the time of a question, beside a plain product.

    python tests/benchmarks/meaning_search.py [--labels N] [--graph M]

Vectors are drawn around the directions of a few thousand others, as labels crowd around topics.
The nearest of all by eight-bit vectors mapped from a file is what the program does; a float32
product in memory is the cheapest rival, and says which ten are the nearest. A graph (HNSW) is
built over M of them, since over all it takes many minutes.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from usearch.index import Index

from sae_desktop.labels.search.vectors import nearest, rounded

WIDTH, NEAREST, QUESTIONS, SEED = 384, 10, 50, 0
TARGET_MS = 150.0


def drawn(count: int, seed: int, topics: np.ndarray) -> np.ndarray:
    """Return (count, WIDTH) float32 of length 1 around some of the topics."""
    rng = np.random.default_rng(seed)
    found = np.empty((count, WIDTH), np.float32)
    for first in range(0, count, 50_000):
        part = found[first : first + 50_000]
        part[:] = topics[rng.integers(0, len(topics), len(part))]
        part += 0.7 * topics[rng.integers(0, len(topics), len(part))]
        part += rng.standard_normal(part.shape, np.float32) * np.float32(0.3 / WIDTH**0.5)
        part /= np.linalg.norm(part, axis=1, keepdims=True)
    return found


def timed(name: str, ask: Callable[[int], np.ndarray], truth: np.ndarray) -> float:
    """Print and return the median milliseconds of a question, with its share of the nearest."""
    ask(0)
    times, same = [], 0
    for number in range(QUESTIONS):
        started = time.perf_counter()
        found = ask(number)
        times.append((time.perf_counter() - started) * 1e3)
        same += len(set(found.tolist()) & set(truth[number].tolist()))
    median = statistics.median(times)
    print(
        f"{name:<44} {median:7.1f} ms (slowest {max(times):.1f}), "
        f"recall@{NEAREST} {same / NEAREST / QUESTIONS:.3f}"
    )
    return median


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--labels", type=int, default=1_000_000)
    parser.add_argument("--graph", type=int, default=50_000)
    asked = parser.parse_args()
    topics = np.random.default_rng(SEED).standard_normal((5000, WIDTH), np.float32)
    topics /= np.linalg.norm(topics, axis=1, keepdims=True)
    vectors, questions = drawn(asked.labels, 1, topics), drawn(QUESTIONS, 2, topics)
    print(f"{asked.labels:,} × {WIDTH}, seed {SEED}, {os.cpu_count()} cores, load {load()}")
    truth = np.stack([np.argsort(-(vectors @ q))[:NEAREST] for q in questions])
    plain = timed(
        "float32 product in memory, ten largest",
        lambda i: np.argpartition(-(vectors @ questions[i]), NEAREST)[:NEAREST],
        truth,
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vectors.npy"
        np.save(path, rounded(vectors))
        mapped = np.load(path, mmap_mode="r")
        ours = timed(
            "int8, mapped, all compared (the program)",
            lambda i: nearest(mapped, questions[i], NEAREST)[0],
            truth,
        )
        few = np.random.default_rng(3).random(len(vectors)) < 0.1
        timed(
            "the same among a tenth of them",
            lambda i: nearest(mapped, questions[i], NEAREST, few)[0],
            np.stack([np.flatnonzero(few)[np.argsort(-(vectors[few] @ q))[:NEAREST]]
                      for q in questions]),
        )  # fmt: skip
    print(f"ratio to the plain product {ours / plain:.2f}; target {TARGET_MS:.0f} ms")
    graph = Index(ndim=WIDTH, metric="cos", dtype="i8")
    started = time.perf_counter()
    graph.add(np.arange(asked.graph), vectors[: asked.graph])
    print(f"a graph over {asked.graph:,} was built in {time.perf_counter() - started:.1f} s")
    small = np.stack([np.argsort(-(vectors[: asked.graph] @ q))[:NEAREST] for q in questions])
    timed(
        "  a question to it", lambda i: np.asarray(graph.search(questions[i], NEAREST).keys), small
    )
    print(f"load {load()}")


def load() -> str:
    """Return the load of the machine, where the system tells it."""
    return f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"


if __name__ == "__main__":
    main()
