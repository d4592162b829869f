"""How fast the index job goes through features, beside SAEDashboard, and what memory it takes.

    python tests/benchmarks/index_throughput.py [--tokens N] [--peer-python PYTHON]
    python tests/benchmarks/index_throughput.py --memory 50000 200000 800000
    python tests/benchmarks/index_throughput.py --multiples [--tokens N]

The demonstration's dictionary (all its features) over the built-in model's own text, in one
run: the same windows of tokens for both, rounds alternating. Ours is timed from text to index
(harvest and index as commands, processes started and models loaded included), for the index as
a command, and for the index in a process that has made one before, as the window's engine has.
Each also without names, map, clusters and neurons, which SAEDashboard does not make. SAEDashboard
is timed from tokens in memory, everything loaded. Commands are told in the processor's seconds,
too, which a busy machine lengthens less. `--multiples`: the processor's time of every
stage of a second index in a process, in one thread, as a multiple of the encoder's bare product
over the same rows, which is timed before and after it. PEER is an interpreter with sae-dashboard
(`pip install sae-dashboard`; it wants an older transformers than the program itself).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sae_desktop.activations.store import ActivationStore
from sae_desktop.demonstrations import demonstration_copy
from sae_desktop.project import Project
from sae_desktop.resources import resource_path

NAME, FEATURES = "builtin-L3", 2048
PROCESSOR = "by processor time, "
SITE = "blocks.3.hook_resid_post"

_PEAK = """
import sys
from sae_desktop.features.config import IndexConfig
from sae_desktop.features.building.index import build_index
from sae_desktop.jobs import SilentContext
build_index(IndexConfig(project=sys.argv[1], dictionary=sys.argv[2], name="i", activations="acts",
            map=False, neuron_rows=0), SilentContext())
print([l for l in open("/proc/self/status") if l.startswith("VmHWM")][0].split()[1])
"""

_WARM = """
import sys, time
from sae_desktop.features.config import IndexConfig
from sae_desktop.features.building.index import build_index
from sae_desktop.jobs import SilentContext
for less in ({}, {}, {"names": False, "map": False, "neuron_rows": 0}):
    began = time.perf_counter()
    build_index(IndexConfig(project=sys.argv[1], dictionary=sys.argv[2], name="i",
                activations="acts", **less), SilentContext())
    print(time.perf_counter() - began)
"""

_MULTIPLES = """
import json, sys, time
import torch
torch.set_num_threads(1)
from sae_desktop.activations.store import ActivationStore
from sae_desktop.dictionary import load
from sae_desktop.features.config import IndexConfig
from sae_desktop.features.building.index import build_index
from sae_desktop.jobs import SilentContext
from sae_desktop.project import Project
project = Project.open(sys.argv[1])
dictionary = load(project.dictionary_path(sys.argv[2]))
rows = ActivationStore.open(project.store_path("acts")).rows
config = IndexConfig(project=sys.argv[1], dictionary=sys.argv[2], name="i", activations="acts")
x, W, b = torch.randn(1024, dictionary.width), dictionary.W_enc.T.contiguous(), dictionary.b_enc
def product():
    began = time.process_time()
    for _ in range(-(-rows // 1024)):
        torch.nn.functional.linear(x, W, b)
    return time.process_time() - began
build_index(config, SilentContext())
before = product()
result = build_index(config, SilentContext())
after = product()
stages = [(s.name, s.processor_seconds) for s in result.stages]
print(json.dumps({"product": [before, after], "stages": stages, "rows": rows}))
"""
FROM_FIRINGS = (
    "Reading the activations", "Measuring the features", "Sorting firings by row",
    "Finding co-active features",
)  # fmt: skip
"""Stages that read or count activations; the first holds the product itself."""


def make_project(folder: Path) -> Project:
    project = Project.open_or_create(folder / "p.saeproj")
    shipped = Project.open(demonstration_copy(folder))
    shutil.copytree(shipped.dictionary_path(NAME), project.dictionary_path(NAME))
    return project


@dataclass(frozen=True)
class Spent:
    """Seconds of a command: by the clock, and of a processor."""

    wall: float
    processor: float


def run(*arguments: str) -> Spent:
    began, before = time.perf_counter(), os.times()
    subprocess.run(
        [sys.executable, "-m", "sae_desktop", *arguments], check=True, stdout=subprocess.DEVNULL
    )
    after = os.times()
    processor = sum(
        getattr(after, name) - getattr(before, name)
        for name in ("children_user", "children_system")
    )
    return Spent(time.perf_counter() - began, processor)


def ours(project: Project, tokens: int) -> tuple[Spent, Spent, Spent]:
    """Return what harvest, index and an index with less take, each a process of its own."""
    shutil.rmtree(project.store_path("acts"), ignore_errors=True)
    shutil.rmtree(project.path / "features", ignore_errors=True)
    path = str(project.path)
    harvest = run(
        "harvest", path, "--name", "acts", "--tokens", str(tokens), "--site", SITE,
        "--context-size", "128", "--packing", "packed",
    )  # fmt: skip
    index = ("index", path, "--dictionary", NAME, "--activations", "acts", "--name")
    less = ("--no-names", "--no-map", "--neuron-rows", "0")
    return harvest, run(*index, "i"), run(*index, "less", *less)


def ours_again(project: Project) -> tuple[float, float]:
    """Return the seconds of an index in a process that has made one: whole, and with less."""
    command = [sys.executable, "-c", _WARM, str(project.path), NAME]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    _, whole, less = map(float, done.stdout.split())
    return whole, less


def windows_of(project: Project) -> np.ndarray:
    """Return the windows (n, length) the model read, those of the usual length."""
    store = ActivationStore.open(project.store_path("acts"))
    ids = [store.window_ids(window) for window in store.windows]
    usual = max(len(window) for window in ids)
    return np.array([window for window in ids if len(window) == usual])


def peer(python: str, project: Project, tokens: Path, features: int) -> dict[str, float]:
    command = [
        python, str(Path(__file__).with_name("dashboard_peer.py")),
        str(resource_path("models/builtin")), str(project.dictionary_path(NAME)), str(tokens),
        "3", str(features), os.environ.get("OMP_NUM_THREADS", str(os.cpu_count())),
    ]  # fmt: skip
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def compare(folder: Path, args: argparse.Namespace) -> None:
    project = make_project(folder)
    speeds: dict[str, list[float]] = defaultdict(list)
    theirs, theirs_processor = [], []
    for number in range(args.rounds):
        harvest, index, less = ours(project, args.tokens)
        again_s, less_again_s = ours_again(project)
        for what, seconds in (
            ("harvest and index, as commands", harvest.wall + index.wall),
            ("index, as a command", index.wall),
            ("index with less, as a command", less.wall),
            ("index, warm", again_s),
            ("index with less, warm", less_again_s),
            (PROCESSOR + "index, as a command", index.processor),
            (PROCESSOR + "index with less, as a command", less.processor),
        ):
            speeds[what].append(FEATURES / seconds)
        print(
            f"round {number + 1}: harvest {harvest.wall:.1f} s, index {index.wall:.1f} s "
            f"({index.processor:.1f} s of a processor), with less {less.wall:.1f} s "
            f"({less.processor:.1f}), again {again_s:.1f} s, with less {less_again_s:.1f} s; load "
            f"{os.getloadavg()[0]:.1f}",
            flush=True,
        )
        if args.peer_python:
            windows = windows_of(project)
            path = folder / "tokens.npy"
            np.save(path, windows)
            found = peer(args.peer_python, project, path, args.peer_features)
            theirs.append(found["features"] / found["seconds"])
            theirs_processor.append(found["features"] / found["processor_seconds"])
            print(
                f"  SAEDashboard: {found['features']} features over {windows.size:,} tokens in "
                f"{found['seconds']:.1f} s, {found['processor_seconds']:.1f} s of a processor, "
                f"L0 {found['l0']:.1f}, peak {found['peak_mb']:.0f} MB",
                flush=True,
            )
    for what, own in speeds.items():
        peers = theirs_processor if what.startswith(PROCESSOR) else theirs
        ratio = ""
        if peers:
            each = [mine / other for mine, other in zip(own, peers, strict=True)]
            low, high = min(each), max(each)
            ratio = f", {statistics.median(each):.1f} times, {low:.1f} to {high:.1f} (to reach 20)"
        print(f"{what}: {statistics.median(own):.1f} features/s{ratio}")


def multiples(folder: Path, tokens: int) -> None:
    project = make_project(folder)
    path = str(project.path)
    run(
        "harvest", path, "--name", "acts", "--tokens", str(tokens), "--site", SITE,
        "--context-size", "128", "--packing", "packed",
    )  # fmt: skip
    command = [sys.executable, "-c", _MULTIPLES, path, NAME]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    found = json.loads(done.stdout.splitlines()[-1])
    product = statistics.mean(found["product"])
    print(
        f"{found['rows']:,} rows × {FEATURES:,} features: the product takes "
        f"{found['product'][0]:.2f} and {found['product'][1]:.2f} s of a processor; load "
        f"{os.getloadavg()[0]:.1f}"
    )
    total = sum(seconds for _, seconds in found["stages"])
    for name, seconds in found["stages"]:
        mark = "*" if name in FROM_FIRINGS else " "
        print(
            f"{mark} {name:<40} {seconds:7.2f} s {seconds / product:6.2f} × {seconds / total:5.0%}"
        )
    counted = sum(seconds for name, seconds in found["stages"] if name in FROM_FIRINGS)
    alone = counted - dict(found["stages"])["Finding co-active features"]
    print(f"* from firings: {counted / product:.2f} × the product (to reach 2)")
    print(f"  of these without what fires together: {alone / product:.2f} ×")


def memory(folder: Path, counts: list[int]) -> None:
    for tokens in counts:
        project = make_project(folder / str(tokens))
        path = str(project.path)
        run("harvest", path, "--name", "acts", "--tokens", str(tokens), "--site", SITE)
        command = [sys.executable, "-c", _PEAK, path, NAME]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        print(f"{tokens:>10,} tokens: peak {int(done.stdout) / 1024:.0f} MB", flush=True)
        shutil.rmtree(project.path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokens", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peer-python", default="")
    parser.add_argument("--peer-features", type=int, default=FEATURES)
    parser.add_argument("--memory", type=int, nargs="+")
    parser.add_argument("--multiples", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if args.memory:
            memory(Path(folder), args.memory)
        elif args.multiples:
            multiples(Path(folder), args.tokens)
        else:
            compare(Path(folder), args)


if __name__ == "__main__":
    main()
