"""A dictionary trained further on other activations, beside one from scratch and itself left alone.

    python tests/benchmarks/trained_further.py OUT [--site SITE] [--model MODEL] [--corpus FILES]
    python tests/benchmarks/trained_further.py OUT --parent FOLDER      a saved one of any library
    python tests/benchmarks/trained_further.py OUT --table

A parent learns from a store of the built-in model at `--first-site`, or is brought in; what it is
trained further on is another site, model or corpus. For each architecture and seed: the parent as
it is, a run from scratch on as many rows, and runs that start from the parent at shares of the
rate of one from scratch. All are measured on the same held-out rows of the second store. Each run
is a line of `OUT/further.jsonl`; what is in the project already is not trained again. One thread,
unless OMP_NUM_THREADS says otherwise.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
from collections import defaultdict
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch

from sae_desktop.activations.config import HarvestConfig
from sae_desktop.activations.harvest import harvest
from sae_desktop.exchange.config import ImportDictionaryConfig
from sae_desktop.exchange.dictionaries import import_dictionary
from sae_desktop.jobs import SilentContext
from sae_desktop.project import Project
from sae_desktop.training.config import EvaluateConfig, TrainConfig
from sae_desktop.training.job import train
from sae_desktop.training.measuring.evaluate import evaluate
from sae_desktop.training.run_folder import read_summary
from sae_desktop.training.run_setup import recipe_of
from sae_desktop.training.start_from import taken_over

FIRST, SECOND = "first", "second"


def harvested(project: Project, name: str, rows: int, **of: str) -> None:
    """Harvest a store, unless it is there."""
    if name not in project.stores():
        asked = {field: value for field, value in of.items() if value}
        harvest(
            HarvestConfig(project=str(project.path), name=name, tokens=rows, **asked),
            SilentContext(),
        )  # fmt: skip


def trained(project: Project, config: TrainConfig) -> None:
    """Train a dictionary, unless it is there."""
    if config.name not in project.dictionaries():
        train(config, SilentContext())


def measured(project: Project, name: str) -> dict[str, float]:
    """Return how a dictionary does on the held-out rows of the second store."""
    found = evaluate(
        EvaluateConfig(
            project=str(project.path), dictionary=name, activations=SECOND, rows=8192,
            loss_windows=0,
        ),
        SilentContext(),
    )  # fmt: skip
    return {"fvu": found.fvu, "l0": found.l0, "dead": found.dead_fraction}


def left_alone(project: Project, name: str) -> dict[str, float]:
    """Return how the parent did there, as the run that started from it has kept it."""
    started = read_summary(project.dictionary_path(name)).started_from
    assert started is not None
    assert started.before is not None
    before = started.before
    return {"fvu": before.fvu, "l0": before.l0, "dead": before.dead_fraction}


def compare(args: argparse.Namespace, architecture: str, seed: int) -> None:
    """Train and measure one parent, one from scratch and those that start from the parent."""
    project = Project.open_or_create(args.out / "further")
    rows = round(args.rows * 1.1)  # a tenth is held out
    harvested(project, SECOND, rows, model=args.model, site=args.site, corpus=args.corpus)
    parent = f"{architecture}-{seed}"
    common = {
        "project": str(project.path), "architecture": architecture, "seed": seed,
        "features": args.features, "k": args.k, "batch": args.batch,
    }  # fmt: skip
    if args.parent:
        parent = Path(args.parent).name
        if parent not in project.dictionaries():
            import_dictionary(
                ImportDictionaryConfig(
                    project=str(project.path), name=parent, source=args.parent,
                    model="builtin", site=args.first_site, scale=args.scale,
                ),
                SilentContext(),
            )  # fmt: skip
        common |= taken_over(read_summary(project.dictionary_path(parent)))
    else:
        harvested(project, FIRST, round(args.first_rows * 1.1), site=args.first_site)
        trained(
            project, TrainConfig(name=parent, activations=FIRST, tokens=args.first_rows, **common)
        )

    def write(what: str, figures: dict[str, float]) -> None:
        of = {field: common[field] for field in ("architecture", "seed", "features", "k")}
        line = {"what": what, "rows": args.rows, **of, **figures, "load": os.getloadavg()[0]}
        with (args.out / "further.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")
        print(json.dumps(line), flush=True)

    scratch = TrainConfig(
        name=f"{parent}-scratch-{seed}", activations=SECOND, tokens=args.rows, **common
    )
    trained(project, scratch)
    write("from scratch", measured(project, scratch.name))
    rate = recipe_of(scratch).lr
    for share in args.shares:
        name = f"{parent}-x{share:g}-{seed}".replace(".", "_")
        trained(
            project,
            TrainConfig(
                name=name, activations=SECOND, tokens=args.rows, start_from=parent,
                lr=rate * share, **common,
            ),
        )  # fmt: skip
        if share == args.shares[0]:
            write("before", left_alone(project, name))
        write(f"further, rate × {share:g}", measured(project, name))


def table(out: Path) -> None:
    """Print FVU and L0 of each kind of run, mean ± sd over seeds."""
    found: dict[tuple[str, str], dict[int, dict[str, float]]] = defaultdict(dict)
    for text in (out / "further.jsonl").read_text().splitlines():
        line = json.loads(text)
        found[line["architecture"], line["what"]][line["seed"]] = line
    for (architecture, what), seeds in found.items():
        shown = []
        for figure in ("fvu", "l0", "dead"):
            values = [line[figure] for line in seeds.values()]
            spread = f" ± {statistics.stdev(values):.4f}" if len(values) > 1 else ""
            shown.append(f"{figure} {statistics.mean(values):.4f}{spread}")
        print(f"{architecture:14} {what:22} {'  '.join(shown)}  ({len(seeds)} seeds)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--architectures", nargs="+", default=["batchtopk", "jumprelu", "standard"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--shares", nargs="+", type=float, default=[0.1, 0.3, 1])
    parser.add_argument("--parent", default="")
    parser.add_argument("--scale", type=float, default=1.0, help="as in an import")
    parser.add_argument("--first-site", default="blocks.2.hook_resid_post")
    parser.add_argument("--first-rows", type=int, default=150_000)
    parser.add_argument("--model", default="builtin")
    parser.add_argument("--site", default="blocks.3.hook_resid_post")
    parser.add_argument("--corpus", default="")
    parser.add_argument("--rows", type=int, default=40_000)
    parser.add_argument("--features", type=int, default=512)
    parser.add_argument("--k", type=int, default=32)
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--table", action="store_true")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    if not args.table:
        # A parent that is brought in has an architecture of its own.
        for seed in args.seeds:
            for architecture in [""] if args.parent else args.architectures:
                compare(args, architecture, seed)
    table(args.out)


if __name__ == "__main__":
    main()
