"""The memory that the training of a set takes, beside what `sets estimate` says it takes.

    python tests/benchmarks/set_memory.py [--model builtin] [--features 512] [--rows 40000]
                                          [--batch 512] [--kind transcoders] [--layers 0-5]

Each training runs in a process of its own: its peak is the most memory that the system saw it
have, less what it had once everything was imported, as the estimate counts.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import torch

from sae_desktop.activations.config import HarvestConfig
from sae_desktop.cli.set_commands import layers_of
from sae_desktop.jobs import SilentContext
from sae_desktop.project import Project
from sae_desktop.training.config import TrainConfig
from sae_desktop.training.set_config import EstimateSetConfig, TrainSetConfig
from sae_desktop.training.sets.set_estimate import estimate_set
from sae_desktop.training.sets.set_job import train_set


def in_this_process(given: argparse.Namespace, folder: Path) -> dict[str, float]:
    """Estimate, train, and return bytes of both."""
    project = Project.open_or_create(folder / "p.saeproj")
    stream = HarvestConfig(
        project="", name="stream", model=given.model, context_size=128,
        batch_tokens=given.batch_tokens,
    )  # fmt: skip
    train = TrainConfig(
        project="", name="", stream=stream, features=given.features, k=given.k,
        tokens=given.rows, batch=given.batch, metric_rows=1024, measure_loss=False,
        architecture="jumprelu" if given.kind == "cross_layer" else "batchtopk",
        keep_checkpoints=1, checkpoint_seconds=20.0,
    )  # fmt: skip
    config = TrainSetConfig(
        project=str(project.path), name="set", train=train, kind=given.kind,
        layers=layers_of(given.layers),
    )  # fmt: skip
    before = psutil.Process().memory_info().rss
    told = estimate_set(EstimateSetConfig(train=config, measure=False), SilentContext())
    result = train_set(config, SilentContext())
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    (memory,) = (room for room in told.needs.rooms if room.place == "memory")
    return {
        "estimated": memory.needed_bytes, "peak": most - before, "imports": before,
        "seconds": result.seconds, "set": result.bytes, "set_estimated": told.set_bytes,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", default="builtin")
    parser.add_argument("--kind", default="transcoders", choices=("transcoders", "cross_layer"))
    parser.add_argument("--layers", default="")
    parser.add_argument("--features", type=int, nargs="+", default=[512])
    parser.add_argument("--k", type=int, default=32)
    parser.add_argument("--rows", type=int, default=40_000)
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--batch-tokens", type=int, default=0)
    parser.add_argument("--child", default="")
    given = parser.parse_args()
    torch.set_num_threads(1)
    if given.child:
        (given.features,) = given.features
        print(json.dumps(in_this_process(given, Path(given.child))))
        return
    for features in given.features:
        with tempfile.TemporaryDirectory() as folder:
            command = [
                sys.executable, __file__, "--child", folder, "--model", given.model,
                "--kind", given.kind, "--layers", given.layers, "--features", str(features),
                "--k", str(given.k), "--rows", str(given.rows), "--batch", str(given.batch),
                "--batch-tokens", str(given.batch_tokens),
            ]  # fmt: skip
            done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(done.stderr)
        told = json.loads(done.stdout.splitlines()[-1])
        print(
            f"{given.model}, {given.kind}, {features:,} features of a layer, {given.rows:,} rows, "
            f"batch {given.batch:,}: estimated {told['estimated'] / 1e9:.2f} GB, peak "
            f"{told['peak'] / 1e9:.2f} GB beside {told['imports'] / 1e9:.2f} of imports "
            f"(estimate {told['estimated'] / told['peak'] - 1:+.0%}); set "
            f"{told['set'] / 1e6:.1f} MB, estimated {told['set_estimated'] / 1e6:.1f}; "
            f"{told['seconds']:,.0f} s",
            flush=True,
        )


if __name__ == "__main__":
    main()
