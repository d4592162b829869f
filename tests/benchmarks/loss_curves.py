"""Training in bfloat16 beside training in float32: loss curves, and what they reach.

    python tests/benchmarks/loss_curves.py STORE_FOLDER OUT.png [--architectures …] [--seeds 0 1]

Every architecture is trained twice on the same rows of a store, with the same seeds, in the real
loop: once with float32 dense products, once with bfloat16 inputs to them. The picture lays the
loss of each step of both over each other, with the same run of another seed for measure: what two
seeds differ by is what a precision may. The tables give the mean distance of the curves, FVU and
L0 on held-out rows, and the recovery (MMCS) of known features on toy data.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np
import torch
from torch import Tensor

from sae_desktop.activations.store import ActivationStore
from sae_desktop.dictionary import Dictionary
from sae_desktop.dictionary.architectures import ARCHITECTURES, Batch, Setup
from sae_desktop.dictionary.normalisation import Affine
from sae_desktop.training.measuring.metrics import FiringCounter, measure_fit
from sae_desktop.training.rows.data import split_rows
from sae_desktop.training.trainer import (
    Recipe,
    Run,
    StepReport,
    TrainerState,
    make_optimiser,
    train_loop,
)

sys.path.append(str(Path(__file__).parents[1]))

from toy_features import ToyData, mean_max_cosine

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}
TAIL = 0.2
"""Share of a run over which its last loss is averaged."""
TOY = {"width": 32, "sources": 64, "features": 128, "rows": 1024, "steps": 800, "k": 3}


class Losses:
    """Notes the loss of every step."""

    def __init__(self) -> None:
        self._steps: list[Tensor] = []

    def after_step(self, state: TrainerState, report: StepReport) -> bool:
        self._steps.append(report.loss)
        return True

    def array(self) -> Any:
        """(steps,)"""
        return torch.stack(self._steps).double().numpy()


def train(
    architecture: str,
    setup: Setup,
    sample: Callable[[int], Batch],
    *,
    rows: int,
    seed: int,
    sparsity: float | None = None,
) -> tuple[Any, Dictionary]:
    """Train in the real loop with the defaults; return the losses and the dictionary."""
    kind = ARCHITECTURES[architecture]
    made = kind(setup, torch.Generator().manual_seed(seed))
    made.initialise_from(sample(8192))
    made.to(torch.device("cpu"))
    lr = made.default_lr(setup.features, setup.steps)
    recipe = Recipe(
        steps=setup.steps,
        lr=lr,
        sparsity=kind.default_sparsity if sparsity is None else sparsity,
        dead_window=rows * setup.steps // 10,
        sparsity_warm_up=kind.sparsity_warm_up,
    )
    firing = FiringCounter(setup.features, torch.device("cpu"))
    state = TrainerState(made, make_optimiser(made, lr), firing)
    losses = Losses()
    batches = (sample(rows) for _ in range(setup.steps))
    train_loop([Run(state, recipe, losses)], batches)
    whole = Affine.scaling(1.0, setup.width)
    return losses.array(), made.folded(whole, whole)


class StoreRows:
    """Rows of a store, normalised so that E‖x‖² = D, in memory."""

    def __init__(self, store: ActivationStore) -> None:
        split = split_rows(store, store.site, exclude_massive=True)
        self._training = torch.from_numpy(store.gather(split.training, store.site))
        self._held_out = torch.from_numpy(store.gather(split.held_out, store.site))
        self._scalar = split.scalar

    def sampler(self, seed: int) -> Callable[[int], Batch]:
        generator = torch.Generator().manual_seed(seed)

        def sample(rows: int) -> Batch:
            chosen = torch.randint(len(self._training), (rows,), generator=generator)
            return Batch.of(self._training[chosen].float() * self._scalar)

        return sample

    def held_out(self) -> Iterator[Tensor]:
        return (block.float() * self._scalar for block in self._held_out.split(4096))


def on_store(rows: StoreRows, architecture: str, seed: int, args: argparse.Namespace) -> Any:
    """Return a dict of precision → losses and figures on held-out rows."""
    found = {}
    for name, precision in PRECISIONS.items():
        setup = Setup(
            width=next(rows.held_out()).shape[1],
            features=args.features,
            steps=args.steps,
            k=args.k,
            precision=precision,
        )
        losses, dictionary = train(
            architecture, setup, rows.sampler(seed), rows=args.batch, seed=seed
        )
        fit = measure_fit(dictionary, rows.held_out())
        found[name] = {"losses": losses.tolist(), "fvu": fit.fvu, "l0": fit.l0}
        print(f"{architecture} {name} seed {seed}: FVU {fit.fvu:.4f}, L0 {fit.l0:.1f}", flush=True)
    return found


def on_toy(architecture: str, seed: int) -> dict[str, float]:
    """Return a dict of precision → MMCS of known features."""
    found = {}
    for name, precision in PRECISIONS.items():
        setup = Setup(
            width=TOY["width"],
            features=TOY["features"],
            steps=TOY["steps"],
            k=TOY["k"],
            precision=precision,
        )
        data = ToyData.make(TOY["sources"], TOY["width"])
        generator = torch.Generator().manual_seed(seed)
        sparsity = 1.0 if architecture == "standard" else None
        _, dictionary = train(
            architecture,
            setup,
            lambda count, data=data, generator=generator: Batch.of(data.batch(count, generator)),
            rows=TOY["rows"],
            seed=seed,
            sparsity=sparsity,
        )
        found[name] = mean_max_cosine(data.directions, dictionary.W_dec)
    return found


def table(found: dict[str, Any]) -> str:
    """Return the figures, means over the seeds, as a Markdown table."""
    lines = [
        "| | last loss f32 | bf16 | mean distance of the curves, % | of two seeds, % "
        "| FVU f32 | bf16 | L0 f32 | bf16 | MMCS f32 | bf16 |",
        "|---" * 11 + "|",
    ]
    for architecture, runs in found.items():
        cells = [architecture]
        wide, low = (
            [np.array(run[precision]["losses"]) for run in runs["store"]]
            for precision in PRECISIONS
        )
        tail = int((1 - TAIL) * len(wide[0]))
        cells += [f"{np.mean([run[tail:].mean() for run in side]):.3f}" for side in (wide, low)]
        cells.append(f"{np.mean([_distance(a, b) for a, b in zip(wide, low, strict=True)]):.2f}")
        others = [_distance(wide[0], other) for other in wide[1:]]
        cells.append(f"{np.mean(others):.2f}" if others else "–")
        for figure, digits in (("fvu", 4), ("l0", 1)):
            for precision in PRECISIONS:
                mean = statistics.fmean(run[precision][figure] for run in runs["store"])
                cells.append(f"{mean:.{digits}f}")
        for precision in PRECISIONS:
            mean = statistics.fmean(run[precision] for run in runs["toy"])
            cells.append(f"{mean:.4f}")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _distance(one: Any, other: Any) -> float:
    return float(100 * np.mean(np.abs(one - other) / one))


def draw(found: dict[str, Any], path: Path) -> None:
    """Write the curves of all architectures as one picture."""
    import pyqtgraph as pg
    from pyqtgraph.exporters import ImageExporter

    pg.mkQApp()
    pg.setConfigOptions(antialias=True, background="w", foreground="k")
    layout = pg.GraphicsLayoutWidget(size=(1500, 420 * -(-len(found) // 3)))
    for place, (architecture, runs) in enumerate(found.items()):
        plot = layout.addPlot(row=place // 3, col=place % 3, title=architecture)
        plot.setLabels(bottom="step", left="loss")
        plot.setLogMode(y=True)
        plot.addLegend()
        curves = [("float32", runs["store"][0]["float32"], pg.mkPen("#1f5fa8", width=3))]
        if len(runs["store"]) > 1:
            other = pg.mkPen("#9a9a9a", width=1)
            curves.append(("float32, another seed", runs["store"][1]["float32"], other))
        curves.append(("bfloat16", runs["store"][0]["bfloat16"], pg.mkPen("#d9541e", width=1)))
        for name, run, pen in curves:
            plot.plot(np.array(run["losses"]), pen=pen, name=name)
    layout.show()
    ImageExporter(layout.scene()).export(str(path))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("store", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--architectures", nargs="*", default=list(ARCHITECTURES))
    parser.add_argument("--features", type=int, default=2048)
    parser.add_argument("--k", type=int, default=32)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--batch", type=int, default=2048)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument(
        "--add", type=Path, nargs="*", default=[], help="JSON of earlier runs to show beside."
    )
    args = parser.parse_args()
    rows = StoreRows(ActivationStore.open(args.store))
    found: dict[str, Any] = {}
    for path in args.add:
        found |= json.loads(path.read_text())
    found |= {
        architecture: {
            "store": [on_store(rows, architecture, seed, args) for seed in args.seeds],
            "toy": [on_toy(architecture, seed) for seed in args.seeds],
        }
        for architecture in args.architectures
    }
    args.out.with_suffix(".json").write_text(json.dumps(found))
    print(table(found))
    draw(found, args.out)


if __name__ == "__main__":
    main()
