"""A cross-layer transcoder beside transcoders of single layers, on the same rows.

    python tests/benchmarks/across_layers.py [--work FOLDER] [--features 512] [--rows 100000]
                                             [--k 16] [--seeds 0] [--prompts 20]

Of the built-in model: first the cross-layer transcoder is trained, its λ led by an L0 of k a
layer; then transcoders with and without a skip connection, with as many features and, as near as
it can be, the L0 that the first came to. For each: L0 and FVU by layer, the loss with all MLPs
replaced in one pass, and over the prompts the scores of their graphs and how many features it
takes for 80% of the influence. What is trained in FOLDER already is not trained again.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path

import msgspec
import torch
from attribution_ablation import PROMPTS

from sae_desktop.activations.config import HarvestConfig
from sae_desktop.activations.harvest import harvest
from sae_desktop.circuits.config import TraceConfig
from sae_desktop.circuits.reading.graph_file import FEATURE, read_graph
from sae_desktop.circuits.reading.pruning import pruned
from sae_desktop.circuits.tracing.job import trace
from sae_desktop.jobs import SilentContext
from sae_desktop.project import Project
from sae_desktop.training.config import TrainConfig
from sae_desktop.training.set_config import TrainSetConfig, TrainSetResult
from sae_desktop.training.sets.set_job import train_set
from sae_desktop.training.sets.set_plan import sites_of

_STORE = "rows"


def trained(project: Project, given: argparse.Namespace, seed: int) -> dict[str, TrainSetResult]:
    """Train the three sets, or read how they came out; by what they are."""
    sites = sites_of(range(given.layers))
    if _STORE not in project.stores():
        harvest(
            HarvestConfig(
                project=str(project.path), name=_STORE, site=sites[0], sites=tuple(sites[1:]),
                tokens=round(given.rows * 1.1), batch_tokens=4096,
            ),
            SilentContext(),
        )  # fmt: skip
    train = TrainConfig(
        project="", name="", activations=_STORE, features=given.features, tokens=given.rows,
        seed=seed, batch=512, lr=2e-3, metric_rows=2048, measure_loss=False,
    )  # fmt: skip

    def run(name: str, skip: bool, **changes: object) -> TrainSetResult:
        config = TrainSetConfig(
            project=str(project.path), name=f"{name}{seed}", skip=skip,
            kind="cross_layer" if name == "clt" else "transcoders",
            train=msgspec.structs.replace(train, **changes),
        )  # fmt: skip
        return train_set(config, SilentContext())

    layers = given.layers
    clt = run("clt", False, architecture="jumprelu", k=given.k * layers, lr=given.clt_lr)
    k = max(1, round(statistics.mean(one.l0 for one in clt.figures)))
    return {
        "cross-layer": clt,
        "transcoders": run("plain", False, architecture="batchtopk", k=k),
        "skip transcoders": run("skip", True, architecture="batchtopk", k=k),
    }


def traced(project: Project, name: str, prompts: tuple[str, ...]) -> dict[str, list[float]]:
    """Return figures of the graphs of some prompts."""
    found: dict[str, list[float]] = {}
    for number, prompt in enumerate(prompts):
        graph_name = f"{name}-{number}"
        result = trace(
            TraceConfig(
                project=str(project.path),
                name=graph_name,
                set=name,
                prompt=prompt,
                device="cpu",
                most_features=0,
            ),
            SilentContext(),
        )
        graph = read_graph(project.graph_path(graph_name))
        needed = int((pruned(graph).nodes & (graph.kind == FEATURE)).sum())
        for what, value in (
            ("replacement score", result.replacement_score),
            ("completeness score", result.completeness_score),
            ("features that fire, per token", result.active_features / result.tokens),
            ("features needed", needed),
        ):
            found.setdefault(what, []).append(value)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--work", type=Path, default=None)
    parser.add_argument("--layers", type=int, default=6, help="of the model")
    parser.add_argument("--features", type=int, default=512, help="of each layer")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--k", type=int, default=16, help="of each layer, that λ aims at")
    parser.add_argument("--clt-lr", type=float, default=2e-3)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--prompts", type=int, default=len(PROMPTS))
    given = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        project = Project.open_or_create(given.work or Path(folder) / "p.saeproj")
        for seed in given.seeds:
            for what, result in trained(project, given, seed).items():
                print(
                    f"seed {seed}, {what}: FVU {_told(result, 'fvu')}, L0 {_told(result, 'l0')}, "
                    f"dead {result.figures[0].dead_fraction:.1%}; loss recovered "
                    f"{result.loss_recovered:.1%}, KL {result.kl:.3f}; {result.seconds:,.0f} s, "
                    f"{result.bytes / 1e6:.1f} MB",
                    flush=True,
                )
                for name, values in traced(project, result.name, PROMPTS[: given.prompts]).items():
                    print(
                        f"    {name}: median {statistics.median(values):.3f}, "
                        f"{min(values):.3f} to {max(values):.3f}",
                        flush=True,
                    )


def _told(result: TrainSetResult, field: str) -> str:
    values = [float(getattr(one, field)) for one in result.figures]
    return f"{statistics.mean(values):.3f} ({' '.join(f'{value:.3f}' for value in values)})"


if __name__ == "__main__":
    main()
