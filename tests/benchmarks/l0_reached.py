"""How near L0 comes to the k asked for, and what a dictionary is worth there.

    python tests/benchmarks/l0_reached.py OUT --widths 64 128 256
    python tests/benchmarks/l0_reached.py OUT --activations ROWS.npy --features 512 1024
    python tests/benchmarks/l0_reached.py OUT --table

First runs with every setting at its default but k: of rows of made worlds as `synth_bench.py` has
them, of several widths, or of a model's activations (N × D, float32), whose last tenth is held
out. Each run is a line of `OUT/l0.jsonl`. One thread, unless OMP_NUM_THREADS says otherwise.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import msgspec
import numpy as np
import torch
from synth_bench import HELD_OUT_SEED, INITIAL_ROWS, world_of
from torch import Tensor

from sae_desktop.dictionary import Dictionary
from sae_desktop.dictionary.architectures import ARCHITECTURES, Batch, Setup
from sae_desktop.dictionary.normalisation import Affine, scalar_of
from sae_desktop.training.benchmark.sizes import SMALL
from sae_desktop.training.benchmark.truth import measure
from sae_desktop.training.config import TrainConfig
from sae_desktop.training.measuring.metrics import FiringCounter
from sae_desktop.training.run_setup import recipe_of
from sae_desktop.training.settings_check import aims_at_k
from sae_desktop.training.trainer import TrainerState, make_optimiser, train_step

SIX = ["standard", "gated", "jumprelu", "topk", "batchtopk", "matryoshka"]
FEATURES_A_NUMBER = 16
"""True features of a made world for each number of a row."""
SHOWN = ("l0", "fvu", "dead", "f1")


def made_rows(args: argparse.Namespace, width: int) -> tuple[Iterator[Tensor], Tensor, Any]:
    """Return batches of a made world's rows, those a run begins with, and the measure."""
    sizes = msgspec.structs.replace(SMALL, features=FEATURES_A_NUMBER * width, width=width)
    world = world_of(sizes, args.out)
    generator = torch.Generator().manual_seed(args.seed)
    first = world.samples(generator, INITIAL_ROWS).x_ND

    def batches() -> Iterator[Tensor]:
        while True:
            yield world.samples(generator, args.batch).x_ND

    def measured(dictionary: Dictionary) -> dict[str, float]:
        held_out = torch.Generator().manual_seed(HELD_OUT_SEED)
        found = measure(dictionary, world, held_out, args.measured)
        fvu = 1 - found.explained_variance
        return {"l0": found.l0, "fvu": fvu, "dead": found.dead, "f1": found.f1}

    return batches(), first, measured


def model_rows(args: argparse.Namespace) -> tuple[Iterator[Tensor], Tensor, Any]:
    """Return the same of a file of activations."""
    rows = torch.from_numpy(np.load(args.activations).astype(np.float32))
    rows -= rows.mean(dim=0)
    kept = len(rows) * 9 // 10
    learnt, held_out = rows[:kept], rows[kept:]
    generator = torch.Generator().manual_seed(args.seed)

    def batches() -> Iterator[Tensor]:
        while True:
            yield from learnt[torch.randperm(kept, generator=generator)].split(args.batch)

    def measured(dictionary: Dictionary) -> dict[str, float]:
        fired, error = torch.zeros(dictionary.features), 0.0
        for x in held_out.split(2048):
            acts = dictionary.encode(x)
            fired += (acts > 0).sum(dim=0)
            error += float((x - dictionary.decode(acts, x)).square().sum())
        power = float((held_out - held_out.mean(dim=0)).square().sum())
        l0 = float(fired.sum()) / len(held_out)
        return {"l0": l0, "fvu": error / power, "dead": int((fired == 0).sum())}

    return batches(), learnt[torch.randperm(kept, generator=generator)[:INITIAL_ROWS]], measured


def run(args: argparse.Namespace, name: str, source: str, width: int, features: int) -> None:
    """Train one dictionary, and add its line."""
    batches, first, measured = model_rows(args) if args.activations else made_rows(args, width)
    width = first.shape[1]
    affine = Affine.scaling(scalar_of(first.norm(dim=1).numpy(), width), width)
    config = TrainConfig(
        project="", name=name, activations="a", architecture=name, features=features, k=args.k,
        tokens=args.rows, batch=args.batch,
    )  # fmt: skip
    recipe, kind = recipe_of(config), ARCHITECTURES[name]
    setup = Setup(
        width, features, steps=recipe.steps, k=args.k, aims_at_k=aims_at_k(config, kind.aims),
        init=args.init,
    )  # fmt: skip
    architecture = kind(setup, torch.Generator().manual_seed(args.seed))
    architecture.initialise_from(Batch.of(affine.apply(first)))
    architecture.to(torch.device("cpu"))
    counter = FiringCounter(features, torch.device("cpu"))
    rate = args.rate_of * recipe.lr
    recipe = dataclasses.replace(recipe, lr=rate)
    state = TrainerState(architecture, make_optimiser(architecture, rate), counter)
    begun = time.process_time()
    for _ in range(recipe.steps):
        train_step(state, recipe, Batch.of(affine.apply(next(batches))))
    line = {
        "source": source, "architecture": name, "width": width, "features": features,
        "k": args.k, "rows": args.rows, "batch": args.batch, "init": args.init,
        "rate": rate, "seed": args.seed, "load": os.getloadavg()[0],
        "seconds": time.process_time() - begun, **measured(architecture.folded(affine, affine)),
    }  # fmt: skip
    with (args.out / "l0.jsonl").open("a") as file:
        file.write(json.dumps(line) + "\n")
    shown = "  ".join(f"{key} {line[key]:.4g}" for key in SHOWN if key in line)
    print(f"{source:12} {name:12} D {width} F {features}  L0/k {line['l0'] / args.k:.3f}  {shown}")


def table(folder: Path) -> None:
    """Print L0 over k of all runs, and the other figures' means over seeds."""
    found: dict[tuple[Any, ...], list[dict[str, Any]]] = defaultdict(list)
    for text in (folder / "l0.jsonl").read_text().splitlines():
        line = json.loads(text)
        keys = ("source", "width", "features", "k", "rows", "init", "rate", "architecture")
        found[tuple(line[key] for key in keys)].append(line)
    heads = "rows of, D, F, k, rows, init, rate, architecture, L0/k by seed, FVU, dead, F1"
    print("| " + heads.replace(", ", " | ") + " |")
    print("|---" * 12 + "|")
    for key, lines in found.items():
        ratios = ", ".join(f"{line['l0'] / line['k']:.3f}" for line in lines)
        means = [
            f"{np.mean([line[name] for line in lines]):.3g}" if name in lines[0] else "–"
            for name in SHOWN[1:]
        ]
        said = [f"{part:.2g}" if isinstance(part, float) else str(part) for part in key]
        print("| " + " | ".join([*said, ratios, *means]) + " |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--architectures", nargs="+", default=SIX)
    parser.add_argument("--widths", nargs="+", type=int, default=[64, 128, 256])
    parser.add_argument("--activations", type=Path, help="N × D, .npy")
    parser.add_argument("--features", nargs="+", type=int, default=[], help="usual: 4 × D")
    parser.add_argument("--k", type=int, default=16)
    parser.add_argument("--rows", type=int, default=500_000)
    parser.add_argument("--batch", type=int, default=1024)
    parser.add_argument("--init", choices=["random", "data"], default="random")
    parser.add_argument("--rate-of", type=float, default=1.0, help="as a multiple of the usual")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--measured", type=int, default=30_000)
    parser.add_argument("--table", action="store_true")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    if args.table:
        table(args.out)
        return
    widths = [0] if args.activations else args.widths
    source = args.activations.stem if args.activations else "made"
    for width in widths:
        for features in args.features or [4 * width]:
            for name in args.architectures:
                run(args, name, source, width, features)


if __name__ == "__main__":
    main()
