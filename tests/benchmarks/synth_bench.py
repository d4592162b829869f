"""Architectures of this project on SynthSAEBench: how many of the true features they find.

    python tests/benchmarks/synth_bench.py OUT --architectures matryoshka sorted_matryoshka
    python tests/benchmarks/synth_bench.py OUT --small --rows 1_000_000
    python tests/benchmarks/synth_bench.py OUT --rate
    python tests/benchmarks/synth_bench.py OUT --table

The architectures learn from the same rows, drawn as they are needed and none twice, so that one
pass trains them all. Every `--measure-every` rows, and at the end, each is folded and measured on
rows drawn with another seed; each measurement is a line of `OUT/NAME.jsonl`, with the CPU seconds
that its steps and the drawing of its rows took up to there. `--rate` says what a thousand rows cost
in CPU seconds, at the full size and with directions that were left where they fell, which costs
the same. One thread, unless OMP_NUM_THREADS says otherwise.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import statistics
import time
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import msgspec
import torch
from torch import Tensor

from sae_desktop.dictionary import Dictionary
from sae_desktop.dictionary.architectures import ARCHITECTURES, Batch, Setup
from sae_desktop.dictionary.normalisation import Affine, scalar_of
from sae_desktop.dictionary.refinement import Refinement
from sae_desktop.training.benchmark.sizes import SMALL, WorldSizes
from sae_desktop.training.benchmark.synthetic import World
from sae_desktop.training.benchmark.truth import measure
from sae_desktop.training.config import TrainConfig
from sae_desktop.training.measuring.metrics import FiringCounter
from sae_desktop.training.run_setup import recipe_of
from sae_desktop.training.trainer import Recipe, TrainerState, make_optimiser, train_step

INITIAL_ROWS = 16_384
SIDE_BY_SIDE = ["batchtopk", "matryoshka", "sorted_matryoshka"]
HELD_OUT_SEED = 10**6
SHOWN = ("f1", "precision", "recall", "mcc", "uniqueness", "explained_variance", "l0", "dead")


class Arm:
    """One architecture in training, with the seconds its steps took."""

    def __init__(self, name: str, args: argparse.Namespace, sizes: WorldSizes, x: Tensor) -> None:
        # NAME:k_start:LISTA step
        self.name = name
        architecture, k_start, lista = (*name.split(":"), *"00")[:3]
        config = TrainConfig(
            project="", name=name, activations="a", architecture=architecture,
            features=args.features, k=args.k, k_start=int(k_start or 0), tokens=args.rows,
            batch=args.batch, lr=args.lr, lista_step=float(lista),
        )  # fmt: skip
        self.recipe: Recipe = recipe_of(config)
        setup = Setup(
            sizes.width, args.features, steps=self.recipe.steps, k=args.k, k_start=config.k_start,
            lista_step=config.lista_step, aims_at_k=self.recipe.aims_at_k, init=args.init,
            precision=getattr(torch, args.precision),
        )  # fmt: skip
        made = ARCHITECTURES[architecture](setup, torch.Generator().manual_seed(args.seed))
        made.initialise_from(Batch.of(x))
        made.to(torch.device("cpu"))
        counter = FiringCounter(args.features, torch.device("cpu"))
        self.state = TrainerState(made, make_optimiser(made, self.recipe.lr), counter)
        self.seconds = 0.0

    @property
    def rows(self) -> int:
        return self.state.rows

    @property
    def lr(self) -> float:
        return self.recipe.lr

    def dictionary(self, affine: Affine, leave_one_out: float = 0.0) -> Dictionary:
        """Return it for raw rows, as it is now; with leave-one-out when it encodes, if asked."""
        found = self.state.architecture.folded(affine, affine)
        if leave_one_out:
            refinement = found.refinement or Refinement()
            found.refinement = replace(refinement, leave_one_out=leave_one_out)
        return found

    def step(self, batch: Batch) -> None:
        begun = time.process_time()
        train_step(self.state, self.recipe, batch)
        self.seconds += time.process_time() - begun


def world_of(sizes: WorldSizes, folder: Path) -> World:
    """Return the world, from a file if it was made before."""
    path = folder / f"world-{sizes.features}-{sizes.width}-{sizes.spreading_steps}.pickle"
    if path.is_file():
        world: World = pickle.loads(path.read_bytes())
        if world.sizes == sizes:
            return world
    world = World(sizes)
    path.write_bytes(pickle.dumps(world))
    return world


def train(args: argparse.Namespace, world: World) -> list[Arm]:
    """Train the architectures side by side, writing a line at each measurement."""
    generator = torch.Generator().manual_seed(args.seed)
    first = world.samples(generator, INITIAL_ROWS).x_ND
    width = world.sizes.width
    affine = Affine.scaling(scalar_of(first.norm(dim=1).numpy(), width), width)
    arms = [Arm(name, args, world.sizes, affine.apply(first)) for name in args.architectures]
    drawing, due = 0.0, args.measure_every
    for done in range(0, args.rows, args.batch):
        begun = time.process_time()
        rows = min(args.batch, args.rows - done)
        x = affine.apply(world.samples(generator, rows).x_ND)
        drawing += time.process_time() - begun
        for arm in arms:
            arm.step(Batch.of(x))
        last = done + rows == args.rows
        if args.measured and (last or (args.measure_every and done + rows >= due)):
            due += args.measure_every
            for arm in arms:
                for alone in (0.0, *args.leave_one_out):
                    write(args, world, arm, affine, drawing, alone)
    for arm in arms:
        print(
            f"{arm.name}: {1000 * arm.seconds / args.rows:.3f} CPU s a thousand rows, drawing "
            f"them {1000 * drawing / args.rows:.3f}"
        )
    return arms


def write(
    args: argparse.Namespace,
    world: World,
    arm: Any,
    affine: Affine,
    drawing: float,
    leave_one_out: float = 0.0,
) -> None:
    """Measure an arm and add a line to its file."""
    held_out = torch.Generator().manual_seed(HELD_OUT_SEED)
    alone = (leave_one_out,) if leave_one_out else ()
    dictionary = arm.dictionary(affine, *alone)
    figures = msgspec.to_builtins(measure(dictionary, world, held_out, args.measured))
    measured_rows = figures.pop("rows")
    name = ":".join([arm.name, *(f"alone {share:g}" for share in alone)])
    line = {
        "architecture": name, "seed": args.seed, "rows": arm.rows, "of": args.rows,
        "lr": arm.lr, "features": args.features, "k": args.k, "batch": args.batch,
        "true_features": world.sizes.features, "step_seconds": arm.seconds,
        "drawing_seconds": drawing, "load": os.getloadavg()[0], "measured": measured_rows,
        **figures,
    }  # fmt: skip
    with (args.out / f"{arm.name.replace(':', '-')}.jsonl").open("a") as file:
        file.write(json.dumps(line) + "\n")
    shown = "  ".join(f"{name} {figures[name]:.4g}" for name in SHOWN)
    print(f"{name:36} {arm.rows:>12,} rows  {shown}", flush=True)


def table(folder: Path) -> None:
    """Print mean ± sd over seeds of the last measurement of each kind of run."""
    found: dict[tuple[Any, ...], dict[int, dict[str, Any]]] = defaultdict(dict)
    for path in sorted(folder.glob("*.jsonl")):
        for text in path.read_text().splitlines():
            line = json.loads(text)
            if line["rows"] == line["of"]:
                key = tuple(line[k] for k in ("true_features", "of", "k", "architecture", "lr"))
                found[key][line["seed"]] = line
    for key, seeds in sorted(found.items()):
        print(f"{key[0]:,} true features, {key[1]:,} rows, k {key[2]}, {key[3]}, rate {key[4]:.2g}")
        for name in SHOWN:
            values = [line[name] for line in seeds.values()]
            spread = f" ± {statistics.stdev(values):.4f}" if len(values) > 1 else ""
            print(f"    {name:20} {statistics.mean(values):.4f}{spread}  ({len(values)} seeds)")


def parsed(said: str | None, usual: list[str]) -> tuple[argparse.Namespace, WorldSizes]:
    """Return the options, and the world they ask for."""
    parser = argparse.ArgumentParser(description=said)
    parser.add_argument("out", type=Path)
    named = "NAME[:k at the start[:LISTA step]]"
    parser.add_argument("--architectures", nargs="+", default=usual, help=named)
    parser.add_argument("--small", action="store_true", help="2,048 true features of width 128")
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--batch", type=int, default=1024)
    parser.add_argument("--features", type=int, default=0)
    parser.add_argument("--k", type=int, default=0)
    parser.add_argument("--lr", type=float, default=0.0)
    parser.add_argument("--decay", action="store_true", help="of SAELens's rate")
    parser.add_argument("--init", choices=["random", "data"], default="random")
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--measured", type=int, default=100_000)
    parser.add_argument("--measure-every", type=int, default=0)
    parser.add_argument("--leave-one-out", nargs="*", type=float, default=[], metavar="SHARE")
    parser.add_argument("--rate", action="store_true")
    parser.add_argument("--table", action="store_true")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    sizes = SMALL if args.small else WorldSizes()
    args.features = args.features or sizes.features // 4
    args.k = args.k or (6 if args.small else 25)
    return args, sizes


def main() -> None:
    args, sizes = parsed(__doc__, SIDE_BY_SIDE)
    if args.table:
        table(args.out)
        return
    if args.rate:
        sizes = msgspec.structs.replace(sizes, spreading_steps=0)
        args.rows, args.measured = 8 * args.batch, 0
    train(args, world_of(sizes, args.out))


if __name__ == "__main__":
    main()
