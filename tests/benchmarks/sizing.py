"""What `sae-desktop size` says of three jobs, beside what they take.

    python tests/benchmarks/sizing.py [--tokens N] [--features F …] [--no-measure]

Measures the machine (unless its kept rates are to be used), then harvests, trains and indexes with
the built-in model in a project of its own, each job in a process that has run a small one before,
and prints estimate and measurement of time, disk and peak memory, and their ratio. On a machine
that does something else, times are longer than either says; the share that other programs had is
printed. With `--processor` both are seconds of a processor in one thread, which other programs
lengthen less. Exit status 1 if a ratio is beyond 1.3 either way.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec
import psutil
import torch

from sae_desktop.activations.config import HarvestConfig
from sae_desktop.features.config import IndexConfig
from sae_desktop.jobs import SilentContext
from sae_desktop.project import Project
from sae_desktop.sizing import measure
from sae_desktop.sizing.config import MeasureMachineConfig, SizeConfig, StageSize
from sae_desktop.sizing.job import size
from sae_desktop.storage.faults import folder_bytes, format_bytes
from sae_desktop.training.config import TrainConfig

MOST = 1.3
SITE = "blocks.3.hook_resid_post"

_CHILD = """
import json, sys, time
import msgspec
from sae_desktop.engine.protocol import JobConfig
from sae_desktop.engine.run import run_job
from sae_desktop.jobs import SilentContext
def peak():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
small, config = (msgspec.json.decode(text, type=JobConfig) for text in sys.argv[1:3])
loaded = peak()
run_job(small, SilentContext())
clock = getattr(time, sys.argv[3])
began = clock()
result = run_job(config, SilentContext())
seconds = clock() - began
kind = "seconds" if clock is time.perf_counter else "processor_seconds"
stages = [(stage.name, getattr(stage, kind)) for stage in getattr(result, "stages", ())]
print(json.dumps({"seconds": seconds, "grew": peak() - loaded, "stages": stages}))
"""


def run(small: msgspec.Struct, config: msgspec.Struct, clock: str) -> dict[str, Any]:
    """Run a small job, then the one that is measured, in a process of their own."""
    texts = [msgspec.json.encode(each).decode() for each in (small, config)]
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, *texts, clock], check=True, capture_output=True, text=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def jobs(
    project: str, tokens: int, features: int
) -> list[tuple[str, msgspec.Struct, msgspec.Struct]]:
    """Return the three jobs, each with a small one of its kind before it."""
    harvest = HarvestConfig(project=project, name="acts", site=SITE, tokens=tokens)
    train = TrainConfig(
        project=project, name="d", activations="acts", features=features, tokens=tokens
    )
    index = IndexConfig(project=project, dictionary="d", name="d")
    return [
        ("harvest", msgspec.structs.replace(harvest, name="first", tokens=4096), harvest),
        ("training", msgspec.structs.replace(train, name="first", tokens=4096, features=64), train),
        ("index", msgspec.structs.replace(index, name="first", rows=4096), index),
    ]


def written(project: Project, stage: str) -> int:
    """Return the bytes that a job has left on the disk."""
    places = {
        "harvest": [project.store_path("acts")],
        "training": [project.dictionary_path("d")],
        "index": list((project.path / "features").glob("d.*")),
    }
    return sum(folder_bytes(place) for place in places[stage])


def lasting(stage: StageSize) -> float:
    """Return what a job leaves, as far as its figure is told: checkpoints are deleted at its end,
    and what an index needs meanwhile."""
    gone = {"checkpoints", "meanwhile"}
    return stage.disk.value - sum(n.bytes for n in stage.disk_needs if n.what in gone)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokens", type=int, default=400_000)
    parser.add_argument("--features", type=int, nargs="+", default=[2048])
    parser.add_argument("--no-measure", action="store_true")
    parser.add_argument("--processor", action="store_true")
    args = parser.parse_args()
    clock = "process_time" if args.processor else "perf_counter"
    if args.processor:
        os.environ["OMP_NUM_THREADS"] = "1"
        torch.set_num_threads(1)
        measure.clock = time.process_time
    print(f"load {os.getloadavg()[0]:.2f}, others {psutil.cpu_percent(2):.0f}% before")
    if not args.no_measure:
        rates = measure.measure_machine(MeasureMachineConfig(), SilentContext())
        print(msgspec.json.encode(rates).decode(), flush=True)
    worst = 1.0
    for features in args.features:
        asked = SizeConfig(site=SITE, tokens=args.tokens, features=features)
        said = {stage.stage: stage for stage in size(asked, SilentContext()).stages}
        print(f"\n{args.tokens:,} tokens, {features:,} features")
        print("| job | what | estimate | measured | estimate ÷ measured |\n|---|---|---|---|---|")
        with tempfile.TemporaryDirectory() as folder:
            project = Project.open_or_create(Path(folder) / "p.saeproj")
            for name, small, config in jobs(str(project.path), args.tokens, features):
                took = run(small, config, clock)
                stage = said[name]
                parts = [f"{spent.what} {spent.seconds:.2f} s" for spent in stage.times]
                told = [f"{what} {seconds:.2f} s" for what, seconds in took["stages"]]
                print(f"{name} estimated: {', '.join(parts)}; measured: {', '.join(told)}",
                      file=sys.stderr, flush=True)  # fmt: skip
                rows = (
                    ("time", stage.seconds.value, took["seconds"], lambda n: f"{n:.1f} s"),
                    ("memory", stage.memory.value, took["grew"], format_bytes),
                    ("disk", lasting(stage), written(project, name), format_bytes),
                )
                for what, estimate, measured, text in rows:
                    ratio = estimate / measured
                    worst = max(worst, ratio, 1 / ratio)
                    cells = (name, what, text(estimate), text(measured), f"{ratio:.2f}")
                    print(f"| {' | '.join(cells)} |", flush=True)
    print(f"\nload {os.getloadavg()[0]:.2f} after; farthest off: {worst:.2f}")
    return int(worst > MOST)


if __name__ == "__main__":
    sys.exit(main())
