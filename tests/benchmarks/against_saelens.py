"""Dictionaries of SAELens and of this project, trained on the same stored rows.

    python tests/benchmarks/against_saelens.py peer OUT --project P --store S [options]
    python tests/benchmarks/against_saelens.py ours OUT --project P --store S [options]
    python tests/benchmarks/against_saelens.py table OUT

Each run is a folder under OUT with the dictionary and `figures.json`; a run that is there is
not repeated. Both arms take the same rows in the same order, scaled by the same number so that
E‖x‖² = D, in the same batches, at the same k or λ. SAELens trains with its own trainer and its
own defaults but for the learning rate and its schedule, of which each side has its best of a
grid: `--grid` lists rates, on a store cut short by its last tenth (`cut`), so that the rows
the rates are chosen on are not the ones reported. Time is that of the training loop alone.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from held_out import HeldOut, figures, from_saelens, held_out
from torch import Tensor

from sae_desktop.activations.layout import counters, read_committed
from sae_desktop.activations.store import ActivationStore
from sae_desktop.dictionary import Dictionary, save
from sae_desktop.dictionary.normalisation import Affine
from sae_desktop.project import Project
from sae_desktop.training.rows.data import Rows, SiteRows, evenly, part_affine, split_rows

DECAY_SHARE = 0.2
CUT_SHARE = 0.9
INITIAL_SAMPLE = 16_384


def cut(project: Project, name: str) -> str:
    """Copy a store without its last tenth; return the copy's name."""
    short = f"{name}-cut"
    target = project.store_path(short)
    if not target.exists():
        shutil.copytree(project.store_path(name), target)
        with h5py.File(target / "000.h5", "r+") as file:
            committed = read_committed(
                {name: file[name] for name in ("committed", "state/counters")}
            )
            windows = file["windows"]["first_row"][: committed.counts["windows"]]
            last = int((windows < CUT_SHARE * committed.counts["rows"]).sum()) - 1
            cut_off = committed.counts | {"rows": int(windows[last]), "windows": last}
            file["state/counters"][committed.slot] = counters(committed.number, cut_off)[0]
    return short


def row_numbers(training: Rows, args: argparse.Namespace) -> Iterator[Rows]:
    """Yield the rows of each batch in the order in which a run of ours with this seed has them."""
    served, number, left = 0, 0, training[:0]
    while served < args.rows:
        wanted = min(args.batch, args.rows - served)
        while len(left) < wanted:
            generator: Any = np.random.Generator(np.random.PCG64([args.seed, number]))
            left = np.concatenate([left, generator.permutation(training)])
            number += 1
        yield left[:wanted]
        left = left[wanted:]
        served += wanted


def stream(
    store: ActivationStore, args: argparse.Namespace, training: Rows, affine: Affine
) -> Iterator[Tensor]:
    """Yield batches of normalised rows, each made while the one before is learnt from."""

    def load(rows: Rows) -> Tensor:
        return affine.apply(torch.from_numpy(store.gather(rows, store.site)).float())

    with ThreadPoolExecutor(1) as pool:
        ahead: list[Future[Tensor]] = []
        for rows in row_numbers(training, args):
            ahead.append(pool.submit(load, rows))
            if len(ahead) > 1:
                yield ahead.pop(0).result()
        for last in ahead:
            yield last.result()


def timed(work: Callable[[], None]) -> dict[str, Any]:
    """Run it; return its CPU and wall seconds and how busy the machine was."""
    before, cpu, wall = os.getloadavg()[0], time.process_time(), time.perf_counter()
    work()
    return {
        "cpu_seconds": time.process_time() - cpu,
        "wall_seconds": time.perf_counter() - wall,
        "load": [before, os.getloadavg()[0]],
        "threads": torch.get_num_threads(),
    }


def train_peer(args: argparse.Namespace, store: ActivationStore, folder: Path) -> dict[str, Any]:
    """Train with SAELens and write its inference folder."""
    import sae_lens
    from peer_arm import peer
    from sae_lens.config import SAETrainerConfig
    from sae_lens.training.sae_trainer import SAETrainer

    steps = args.rows // args.batch
    sae = peer(args.architecture, args, store.width(), steps)
    split = split_rows(store, store.site, exclude_massive=True)
    batches = stream(store, args, split.training, Affine.scaling(split.scalar, store.width()))
    config = SAETrainerConfig(
        total_training_samples=steps * args.batch,
        train_batch_size_samples=args.batch,
        lr=args.lr,
        lr_end=args.lr / 10,  # the default of its runner; the constant schedule ignores it
        lr_decay_steps=int(DECAY_SHARE * steps) if args.decay else 0,
        dead_feature_window=args.dead_window,
    )
    trainer = SAETrainer(config, sae, batches)
    spent = timed(lambda: trainer.fit() and None)
    sae.fold_activation_norm_scaling_factor(split.scalar)
    sae.save_inference_model(folder)
    return {"library": f"sae-lens {sae_lens.__version__}", **spent}


def train_ours(
    args: argparse.Namespace, store: ActivationStore, folder: Path
) -> tuple[dict[str, Any], Dictionary]:
    """Train with this project and save the dictionary."""
    from our_arm import OurRun

    split = split_rows(store, store.site, exclude_massive=True)
    affine = part_affine(SiteRows(store, store.site), split.training, args.centre)
    sample = store.gather(evenly(split.training, INITIAL_SAMPLE), store.site)
    run = OurRun(args, torch.from_numpy(sample).float(), affine)
    spent = timed(lambda: run.train(stream(store, args, split.training, affine)))
    dictionary = run.dictionary()
    save(dictionary, folder)
    return {"library": "ours", **spent}, dictionary


def run(args: argparse.Namespace, rows: HeldOut, store: ActivationStore) -> None:
    """Train and measure one dictionary, unless it is there."""
    chosen = args.architecture == "standard" and args.sparsity
    level = f"l{args.sparsity:g}" if chosen else f"k{args.k}"
    name = (
        f"{args.arm}-{args.store}-{args.architecture}-{args.features}-{level}"
        f"-lr{args.lr:g}{'-decay' if args.decay else ''}-seed{args.seed}{args.tag}"
    )
    folder = args.out / name
    if (folder / "figures.json").is_file():
        return
    folder.mkdir(parents=True, exist_ok=True)
    if args.arm == "peer":
        spent = train_peer(args, store, folder)
        dictionary = from_saelens(folder)
    else:
        spent, dictionary = train_ours(args, store, folder)
    k = None if chosen else args.k
    settings = {n: v for n, v in vars(args).items() if n not in ("out", "project", "grid")}
    found = {
        "name": name, "settings": settings, "commit": commit(), "machine": platform.processor(),
        **spent, **figures(dictionary, rows, k),
    }  # fmt: skip
    (folder / "figures.json").write_text(json.dumps(found, indent=1, default=str))
    shown = {n: round(v, 4) for n, v in found["as_it_is"].items()}
    print(f"{name}: {shown} {found['cpu_seconds']:.0f} s", flush=True)


def commit() -> str:
    """Return the short hash of the work tree's commit, empty outside of one."""
    asked = ["git", "rev-parse", "--short", "HEAD"]
    found = subprocess.run(asked, capture_output=True, text=True, check=False)
    return found.stdout.strip()


def table(out: Path) -> None:
    """Print the runs' means over seeds, and how far the seeds lie apart."""
    runs = [json.loads(path.read_text()) for path in sorted(out.glob("*/figures.json"))]

    def arm(run: dict[str, Any]) -> tuple[Any, ...]:
        s = run["settings"]
        level = s["sparsity"] if s["architecture"] == "standard" and s["sparsity"] else s["k"]
        window = s.get("dead_window", "") if s["arm"] == "peer" else ""
        size = s["store"], s["architecture"], s["features"], level
        return *size, s["arm"], s["lr"], s["decay"], window

    heads = ("store", "architecture", "F", "k or λ", "arm", "lr", "decay", "dead after", "seeds")
    measures = (
        "L0",
        "FVU",
        "±",
        "FVU, L0 = k",
        "±",
        "FVU, top k a row",
        "dead %",
        "CPU s",
        "wall s",
    )
    print("| " + " | ".join(heads + measures) + " |")
    print("|" + "---|" * len(heads + measures))
    for key, group in itertools.groupby(sorted(runs, key=arm), key=arm):
        print("| " + " | ".join([*map(str, key), *_cells(list(group))]) + " |")


def _cells(runs: list[dict[str, Any]]) -> list[str]:
    def values(*path: str) -> list[float]:
        return [run[path[0]][path[1]] if len(path) == 2 else run[path[0]] for run in runs]

    def mean(digits: int, *path: str) -> str:
        return f"{statistics.fmean(values(*path)):.{digits}f}" if path[0] in runs[0] else "–"

    def spread(*path: str) -> str:
        if path[0] not in runs[0] or len(runs) < 2:
            return "–"
        return f"{statistics.stdev(values(*path)):.4f}"

    return [
        str(len(runs)),
        mean(1, "as_it_is", "l0"), mean(4, "as_it_is", "fvu"), spread("as_it_is", "fvu"),
        mean(4, "at_threshold", "fvu"), spread("at_threshold", "fvu"), mean(4, "at_top_k", "fvu"),
        f"{100 * statistics.fmean(values('dead_share')):.1f}",
        mean(0, "cpu_seconds"), mean(0, "wall_seconds"),
    ]  # fmt: skip


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("arm", choices=["peer", "ours", "table"])
    parser.add_argument("out", type=Path)
    parser.add_argument("--project", type=Path)
    parser.add_argument("--store")
    parser.add_argument("--architecture", default="batchtopk")
    parser.add_argument("--features", type=int, default=2048)
    parser.add_argument("--k", type=int, default=32)
    parser.add_argument(
        "--sparsity", type=float, default=5.0,
        help="λ of the standard one; of ours 0 leads it to k.",
    )  # fmt: skip
    parser.add_argument("--k-start", type=int, default=0, help="Of ours.")
    parser.add_argument("--lista", type=float, default=0.0, help="Of ours: the LISTA step.")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--batch", type=int, default=2048)
    parser.add_argument("--lr", type=float, nargs="+", default=[1e-3])
    parser.add_argument("--seed", type=int, nargs="+", default=[0])
    parser.add_argument("--centre", choices=["auto", "always", "never"], default="auto")
    parser.add_argument("--precision", default="auto", help="Of ours.")
    parser.add_argument(
        "--dead-window", type=int, default=1000,
        help="SAELens: steps of silence that make a feature dead, its default 1000; ours takes "
        "a tenth of the run. With its default a shorter run of SAELens has no AuxK.",
    )  # fmt: skip
    parser.add_argument("--tag", default="", help="End of the runs' names.")
    parser.add_argument("--constant", action="store_true", help="SAELens's constant rate.")
    parser.add_argument("--cut", action="store_true", help="Leave out the store's last tenth.")
    return parser.parse_args()


def main() -> None:
    args = parse()
    if args.arm == "table":
        table(args.out)
        return
    project = Project.open(args.project)
    args.store = cut(project, args.store) if args.cut else args.store
    args.decay = not args.constant
    store = ActivationStore.open(project.store_path(args.store))
    rows = held_out(store)
    for lr, seed in itertools.product(args.lr, args.seed):
        run(argparse.Namespace(**{**vars(args), "lr": lr, "seed": seed}), rows, store)


if __name__ == "__main__":
    main()
