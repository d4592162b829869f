"""Train, save, load and encode with the paper's million features, and say what it takes.

    python tests/benchmarks/million_features.py [--features N] [--width D] [--batch T]

Prints the seconds of each step, their ratio to the one dense float32 product of the encoder
at the same size, and the peak of resident memory after each stage.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

import torch
from torch import Tensor

from sae_desktop.dictionary import load, save
from sae_desktop.dictionary.architectures import ARCHITECTURES, Batch, Setup
from sae_desktop.dictionary.normalisation import Affine
from sae_desktop.dictionary.precision import resolve_precision
from sae_desktop.training.measuring.metrics import FiringCounter
from sae_desktop.training.trainer import Recipe, TrainerState, make_optimiser, train_step

CPU = torch.device("cpu")


def rows_of(directions: Tensor, rows: int, generator: torch.Generator) -> Tensor:
    """Return (T, D) sparse mixtures of known directions with E‖x‖² = D."""
    on = torch.rand(rows, len(directions), generator=generator) < 0.01
    x = (on * torch.rand(rows, len(directions), generator=generator)) @ directions
    return x * (x.shape[1] / x.square().sum(dim=1).mean()).sqrt()


def say(stage: str, seconds: float) -> None:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{stage:<28} {seconds:8.1f} s   peak resident {peak:5.1f} GiB", flush=True)


def begin(args: argparse.Namespace, sample: Tensor) -> TrainerState:
    generator = torch.Generator().manual_seed(0)
    setup = Setup(
        args.width, args.features, steps=1000, k=32, precision=resolve_precision("auto", CPU)
    )
    architecture = ARCHITECTURES[args.architecture](setup, generator)
    architecture.initialise_from(Batch.of(sample))
    architecture.to(CPU)
    optimiser = make_optimiser(architecture, 1e-4)
    return TrainerState(architecture, optimiser, FiringCounter(args.features, CPU))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--architecture", default="topk", choices=sorted(ARCHITECTURES))
    parser.add_argument("--features", type=int, default=2**20)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--batch", type=int, default=4096)
    parser.add_argument("--steps", type=int, default=4)
    args = parser.parse_args()
    print(f"{args.architecture}, {args.features:,} features of width {args.width}")

    generator = torch.Generator().manual_seed(1)
    directions = torch.randn(4 * args.width, args.width, generator=generator)
    began = time.perf_counter()
    state = begin(args, rows_of(directions, 2 * args.batch, generator))
    say("begin", time.perf_counter() - began)
    recipe = Recipe(1000, 1e-4, state.architecture.default_sparsity, 10**9)
    for number in range(args.steps):
        batch = Batch.of(rows_of(directions, args.batch, generator))
        began = time.perf_counter()
        report = train_step(state, recipe, batch)
        say(f"step {number + 1}, loss {float(report.loss):.1f}", time.perf_counter() - began)

    rows = rows_of(directions, 16, generator)
    expected = state.architecture.encode(rows).detach()
    state.optimiser.state.clear()
    whole = Affine.scaling(1.0, args.width)
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        save(state.architecture.folded(whole, whole), Path(folder))
        say("save", time.perf_counter() - began)
        del state
        began = time.perf_counter()
        dictionary = load(Path(folder))
        say("load", time.perf_counter() - began)
        began = time.perf_counter()
        acts = dictionary.encode(rows)
        say(f"encode {len(rows)} rows", time.perf_counter() - began)
    norms = (acts - expected).abs().max()
    print(f"L0 {(acts > 0).sum(dim=1).float().mean():.1f}; farthest from before saving {norms:.1e}")


if __name__ == "__main__":
    main()
