"""Where a crosscoder's features write, beside where they functionally live.

Demou et al. (2026, arXiv 2605.09438): the decoder norms of crosscoders are spread over layers,
while each activation is driven by one or two of them. Here: crosscoders of the stream after every
layer of the built-in model, or of its MLPs' outputs, of several seeds; over how many layers a
feature's strength, its functional share, and what the layers add to its firings are spread:
(Σ s)² / Σ s², 1 for one layer alone.

    python tests/benchmarks/crosscoder_layers.py --rows 200000 --seeds 3
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import torch

from sae_desktop.activations.config import HarvestConfig
from sae_desktop.activations.harvest import harvest
from sae_desktop.activations.store import ActivationStore
from sae_desktop.dictionary import load
from sae_desktop.dictionary.architectures import Batch, Loss, StepState
from sae_desktop.dictionary.architectures._k_sparse import KSparse
from sae_desktop.features.building.index import build_index
from sae_desktop.features.config import IndexConfig
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.jobs import SilentContext
from sae_desktop.project import Project
from sae_desktop.training.config import EvaluateConfig, TrainConfig
from sae_desktop.training.job import train
from sae_desktop.training.measuring.evaluate import evaluate

LAYERS = 6


def spread(shares_FL: np.ndarray) -> np.ndarray:
    """Return over how many layers each feature's shares are spread, (F,)."""
    return shares_FL.sum(axis=1) ** 2 / np.square(shares_FL).sum(axis=1)


def quartiles(values: np.ndarray) -> str:
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    return f"mean {values.mean():.2f}, median {middle:.2f} (quartiles {low:.2f} to {high:.2f})"


def hide_layers(share: float) -> None:
    """Train as that paper's denoising does: a row's layers are hidden at random, one by one.

    What is hidden is still to be written. Of k-sparse architectures.
    """
    plain = KSparse.gradients
    generator = torch.Generator().manual_seed(0)

    def gradients(self: KSparse, batch: Batch, state: StepState) -> Loss:
        shown = torch.rand(len(batch.x_TI), LAYERS, generator=generator) >= share
        mask = shown.repeat_interleave(batch.x_TI.shape[1] // LAYERS, dim=1)
        return plain(self, Batch(batch.x_TI * mask, batch.y_TO), state)

    KSparse.gradients = gradients  # type: ignore[method-assign]


def added(project: Project, name: str, rows: int) -> np.ndarray:
    """Return (F, L): what each layer, counted from its mean, adds to a feature where it fires.

    Unlike the functional share this knows no threshold, below which a little less is nothing.
    """
    dictionary = load(project.dictionary_path(name))
    store = ActivationStore.open(project.store_path("stream"))
    chosen = np.linspace(0, store.rows - 1, rows).astype(np.int64)
    sites = dictionary.metadata["input_sites"]
    parts = [torch.from_numpy(store.gather(chosen, s).astype(np.float32)) for s in sites]
    typical = torch.stack([p.norm(dim=1) < 10 * p.norm(dim=1).median() for p in parts]).all(0)
    fires = dictionary.encode(torch.cat(parts, dim=1)[typical]) > 0
    found = []
    for part, weights in zip(parts, torch.chunk(dictionary.W_enc, LAYERS), strict=True):
        values = (part[typical] - part[typical].mean(0)) @ weights
        found.append((values.clamp_min(0) * fires).sum(0))
    return torch.stack(found, dim=1).numpy()


def measure(project: Project, name: str, args: argparse.Namespace, seed: int) -> None:
    path = str(project.path)
    train(
        TrainConfig(
            project=path, name=name, activations="stream", target="crosscoder", sites=args.sites,
            architecture=args.architecture, features=args.features, k=args.k, tokens=args.tokens,
            seed=seed, measure_loss=False, batch=args.batch,
        ),
        SilentContext(),
    )  # fmt: skip
    figures = evaluate(
        EvaluateConfig(project=path, dictionary=name, loss_windows=0, control=False),
        SilentContext(),
    )
    build_index(
        IndexConfig(
            project=path, dictionary=name, name=name, rows=args.indexed, map=False,
            coactivation=False, neuron_rows=0, by_output=False, keep_firings=False,
        ),
        SilentContext(),
    )  # fmt: skip
    index = FeatureIndex(project.index_path(name))
    functional, strength = index.array("parts/functional"), index.array("parts/strength")
    known = np.nan_to_num(functional).sum(axis=1) > 0
    print(
        f"{args.architecture}, seed {seed}: FVU {figures.fvu:.3f} (by layer "
        f"{', '.join(f'{part:.3f}' for part in figures.part_fvu)}), L0 {figures.l0:.1f}, "
        f"{known.sum():,} of {len(known):,} features fire"
    )
    sums = added(project, name, 5000)[known]
    written, driven = spread(strength[known]), spread(functional[known])
    print(f"  layers by strength:         {quartiles(written)}")
    print(f"  layers by functional share: {quartiles(driven)}")
    print(f"  layers by what they add:    {quartiles(spread(sums[sums.sum(axis=1) > 0]))}")
    print(f"  driven by two or fewer: {(driven <= 2).mean():.0%}; writes two or fewer: "
          f"{(written <= 2).mean():.0%}", flush=True)  # fmt: skip
    largest = np.bincount(functional[known].argmax(axis=1), minlength=LAYERS)
    print(f"  features by their most important layer: {largest.tolist()}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--tokens", type=int, default=800_000)
    parser.add_argument("--features", type=int, default=1024)
    parser.add_argument("--indexed", type=int, default=60_000)
    parser.add_argument("--k", type=int, default=32)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--architecture", default="batchtopk")
    parser.add_argument("--hook", default="hook_resid_post")
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument(
        "--mask", type=float, default=0.0, help="share of layers hidden from the encoder in a row"
    )
    parser.add_argument("--project", type=Path)
    args = parser.parse_args()
    args.sites = tuple(f"blocks.{layer}.{args.hook}" for layer in range(LAYERS))
    if args.mask:
        hide_layers(args.mask)
    with tempfile.TemporaryDirectory() as folder:
        project = Project.open_or_create(args.project or Path(folder) / "p")
        if "stream" not in project.stores():
            harvest(
                HarvestConfig(
                    project=str(project.path), name="stream", site=args.sites[0],
                    sites=args.sites[1:], tokens=args.rows,
                ),
                SilentContext(),
            )  # fmt: skip
        store = ActivationStore.open(project.store_path("stream"))
        norms = [float(np.median(store.norms(site))) for site in args.sites]
        print("median norm by layer:", ", ".join(f"{norm:.1f}" for norm in norms), flush=True)
        for seed in range(args.seeds):
            measure(project, f"{args.architecture}-{args.mask:g}-{seed}", args, seed)


if __name__ == "__main__":
    main()
