"""How near L0 comes to the k asked for, and what a dictionary is worth there.

    python tests/benchmarks/l0_reached.py OUT
    python tests/benchmarks/l0_reached.py OUT --of made:64 made:256 --features 0
    python tests/benchmarks/l0_reached.py OUT --architectures batchtopk batchtopk:38 --init data
    python tests/benchmarks/l0_reached.py OUT --table

First runs with every setting at its default but k. They are of rows that two models make of the
built-in corpus, harvested into OUT, whose last tenth is held out; or, with `made:WIDTH`, of a made
world as `synth_bench.py` has them, with sixteen true features for each number of a row, where
`--features 0` is four. Each run is a line of `OUT/l0.jsonl`, and is not made again. The table
comes last. One thread, unless OMP_NUM_THREADS says otherwise.

L0/k of seeds 0 and 1, or of 0 alone, and mean FVU; k 16, 300,000 rows in 293 steps, float32:

                  built-in model, F =                    SmolLM2, F =
                  256          1,024        2,048        256          512          1,024
    standard      .978 .980    .963 .959    .960         1.004 .996   .976         .952
    gated         .982 .990    .983 1.000   .993         1.020 1.002  1.020        1.023
    jumprelu      1.053 1.047  1.033 1.035  1.019        1.043 1.027  1.054        1.055
    topk          1.000 1.000  1.000 1.000  1.000        1.000 1.000  1.000        1.000
    batchtopk     1.011 1.006  1.022 1.022  1.028        1.038 1.034  1.046        1.047
    matryoshka    1.000 1.007  1.020 1.018  1.021        1.018 1.025  1.026        1.029
    by frequency  .996 .997    1.014 1.019  1.022        1.005 1.014

    standard      .399         .383         .432         .441         .457         .516
    gated         .340         .245         .223         .380         .341         .314
    jumprelu      .336         .228         .214         .386         .341         .311
    topk          .332         .233         .211         .385         .345         .321
    batchtopk     .323         .228         .212         .367         .330         .306
    matryoshka    .359         .263         .241         .397         .356         .332
    by frequency  .377         .265         .238         .418

What the defaults were chosen by: BatchTopK, means of two seeds (SmolLM2: one), FVU and dead of
1,024 features on the models, F1 and dead of 256 on made:64 with k 6 (`--features 0 --k 6`):

                                 built-in model   SmolLM2     made:64
    as it is                     .228     4       .306  35    .510   4
    k from 2.4·k                 .238     0       .313   2    .567   7
    first directions from rows   .224     8                   .472  41
    rate .012 instead of .006    .233   112                   .493  16
"""

from __future__ import annotations

import argparse
import json
import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("OMP_NUM_THREADS", "1")

import msgspec
import numpy as np
import torch
from synth_bench import HELD_OUT_SEED, INITIAL_ROWS, Arm, world_of
from torch import Tensor

from sae_desktop.activations.config import HarvestConfig
from sae_desktop.activations.harvest import harvest
from sae_desktop.activations.store import ActivationStore
from sae_desktop.dictionary import Dictionary
from sae_desktop.dictionary.architectures import Batch
from sae_desktop.dictionary.normalisation import Affine, scalar_of
from sae_desktop.jobs import SilentContext
from sae_desktop.project import Project
from sae_desktop.training.benchmark.sizes import SMALL
from sae_desktop.training.benchmark.truth import measure

SEVEN = [
    "standard", "gated", "jumprelu", "topk", "batchtopk", "matryoshka", "sorted_matryoshka:0:.3",
]  # fmt: skip
SITES = {"builtin": "blocks.3.hook_resid_post", "smollm2": "blocks.14.hook_resid_post"}
MASSIVE = 10.0
"""Rows of more than so many times the median norm are left out, as in a training."""
FEATURES_A_NUMBER, USUAL_EXPANSION = 16, 4
SHOWN = ("fvu", "dead", "f1", "seconds")
KEYS = ("of", "width", "features", "k", "rows", "init", "lr", "architecture")


class Rows(NamedTuple):
    """Where the rows of runs come from."""

    width: int
    first: Tensor
    batches: Callable[[], Iterator[Tensor]]
    measured: Callable[[Dictionary], dict[str, float]]


def made_rows(args: argparse.Namespace, width: int, seed: int) -> Rows:
    """Return those of a made world."""
    sizes = msgspec.structs.replace(SMALL, features=FEATURES_A_NUMBER * width, width=width)
    world = world_of(sizes, args.out)
    generator = torch.Generator().manual_seed(seed)
    first = world.samples(generator, INITIAL_ROWS).x_ND

    def batches() -> Iterator[Tensor]:
        while True:
            yield world.samples(generator, args.batch).x_ND

    def measured(dictionary: Dictionary) -> dict[str, float]:
        held_out = torch.Generator().manual_seed(HELD_OUT_SEED)
        found = measure(dictionary, world, held_out, args.measured)
        fvu = 1 - found.explained_variance
        return {"l0": found.l0, "fvu": fvu, "dead": found.dead, "f1": found.f1}

    return Rows(width, first, batches, measured)


def activations(args: argparse.Namespace, model: str) -> Tensor:
    """Return the rows of a model, in the order of their texts, less their mean."""
    project = Project.open_or_create(args.out / "rows.saeproj")
    if model not in project.stores():
        config = HarvestConfig(
            project=str(project.path), name=model, model=model, site=SITES[model],
            tokens=args.harvested,
        )  # fmt: skip
        harvest(config, SilentContext())
    store = ActivationStore.open(project.store_path(model))
    rows = torch.from_numpy(store.read(0, store.rows).astype(np.float32))
    norms = rows.norm(dim=1)
    rows = rows[norms < MASSIVE * norms.median()]
    return rows - rows.mean(dim=0)


def model_rows(args: argparse.Namespace, rows: Tensor, seed: int) -> Rows:
    """Return those of a model, the last tenth of which is for measuring."""
    kept = len(rows) * 9 // 10
    learnt, held_out = rows[:kept], rows[kept:]
    generator = torch.Generator().manual_seed(seed)

    def batches() -> Iterator[Tensor]:
        while True:
            yield from torch.split(learnt[torch.randperm(kept, generator=generator)], args.batch)

    def measured(dictionary: Dictionary) -> dict[str, float]:
        fired, error = torch.zeros(dictionary.features), 0.0
        for x in torch.split(held_out, 2048):
            acts = dictionary.encode(x)
            fired += (acts > 0).sum(dim=0)
            error += float((x - dictionary.decode(acts, x)).square().sum())
        power = float((held_out - held_out.mean(dim=0)).square().sum())
        l0 = float(fired.sum()) / len(held_out)
        return {"l0": l0, "fvu": error / power, "dead": int((fired == 0).sum())}

    first = learnt[torch.randperm(kept, generator=generator)[:INITIAL_ROWS]]
    return Rows(rows.shape[1], first, batches, measured)


def run(args: argparse.Namespace, line: dict[str, Any], rows: Rows) -> None:
    """Train one dictionary, and add its line."""
    affine = Affine.scaling(scalar_of(rows.first.norm(dim=1).numpy(), rows.width), rows.width)
    given = argparse.Namespace(**{**vars(args), **line})
    size = msgspec.structs.replace(SMALL, width=rows.width)
    arm = Arm(line["architecture"], given, size, affine.apply(rows.first))
    batches = rows.batches()
    while arm.rows < args.rows:
        arm.step(Batch.of(affine.apply(next(batches))))
    found = rows.measured(arm.dictionary(affine))
    line |= {"width": rows.width, "lr": arm.lr, "asked_lr": args.lr, "seconds": arm.seconds}
    line |= {"load": os.getloadavg()[0], **found}
    with (args.out / "l0.jsonl").open("a") as file:
        file.write(json.dumps(line) + "\n")
    said = f"{line['of']:10} {line['architecture']:22} F {line['features']:5} seed {line['seed']}"
    shown = "  ".join(f"{name} {line[name]:.4g}" for name in SHOWN if name in line)
    print(f"{said}  L0/k {line['l0'] / args.k:.3f}  {shown}", flush=True)


def runs(args: argparse.Namespace, lines: list[dict[str, Any]]) -> None:
    """Make those that are missing."""
    asked = ("of", "architecture", "features", "k", "rows", "batch", "init", "asked_lr", "seed")
    done = {tuple(line.get(name) for name in asked) for line in lines}
    for of in args.of:
        made = int(of.partition(":")[2] or 0)
        rows = None if made else activations(args, of)
        for features in args.features:
            for seed in args.seeds:
                for architecture in args.architectures:
                    line = {
                        "of": of, "architecture": architecture, "rows": args.rows, "k": args.k,
                        "features": features or USUAL_EXPANSION * made, "batch": args.batch,
                        "init": args.init, "seed": seed,
                    }  # fmt: skip
                    if tuple({**line, "asked_lr": args.lr}.get(name) for name in asked) in done:
                        continue
                    source = (
                        made_rows(args, made, seed)
                        if rows is None
                        else model_rows(args, rows, seed)
                    )
                    run(args, line, source)


def table(lines: list[dict[str, Any]]) -> None:
    """Print L0 over k of all runs, and the other figures' means over seeds."""
    found: dict[tuple[Any, ...], list[dict[str, Any]]] = defaultdict(list)
    for line in lines:
        found[tuple(line[key] for key in KEYS)].append(line)
    heads = "rows of, D, F, k, rows, init, rate, architecture, L0/k by seed, FVU, dead, F1, CPU s"
    print("| " + heads.replace(", ", " | ") + " |")
    print("|---" * 13 + "|")
    for key, same in found.items():
        ratios = ", ".join(f"{line['l0'] / line['k']:.3f}" for line in same)
        means = [
            f"{np.mean([line[name] for line in same]):.3g}" if name in same[0] else "–"
            for name in SHOWN
        ]
        said = [f"{part:.2g}" if isinstance(part, float) else str(part) for part in key]
        print("| " + " | ".join([*said, ratios, *means]) + " |")


def read(folder: Path) -> list[dict[str, Any]]:
    """Return the runs that were made."""
    path = folder / "l0.jsonl"
    return [json.loads(text) for text in path.read_text().splitlines()] if path.is_file() else []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--of", nargs="+", default=list(SITES), help="a model, or made:WIDTH")
    named = "NAME[:k at the start[:LISTA step]]"
    parser.add_argument("--architectures", nargs="+", default=SEVEN, help=named)
    parser.add_argument("--features", nargs="+", type=int, default=[256, 1024, 2048])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--k", type=int, default=16)
    parser.add_argument("--rows", type=int, default=300_000)
    parser.add_argument("--harvested", type=int, default=60_000, help="of a model")
    parser.add_argument("--batch", type=int, default=1024)
    parser.add_argument("--init", choices=["random", "data"], default="random")
    parser.add_argument("--lr", type=float, default=0.0, help="0: the usual")
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--measured", type=int, default=30_000, help="of a made world")
    parser.add_argument("--table", action="store_true", help="without runs")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    if not args.table:
        runs(args, read(args.out))
    table(read(args.out))


if __name__ == "__main__":
    main()
