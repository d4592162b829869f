"""Results of benchmarks written by hand: measured dictionaries, and ones trained on made data."""

from __future__ import annotations

from sae_desktop.benchmark.benchmark_file import write_benchmark
from sae_desktop.benchmark.config import (
    BenchmarkResult,
    Figure,
    Kind,
    ProbeTask,
    Recipe,
    Stability,
    Subject,
    Synthetic,
)
from sae_desktop.benchmark.tables import mean_figures
from sae_desktop.features.reading.seed_returns import BenchmarkInfo
from sae_desktop.project import Project

TASK = "code"


def accuracy(value: float) -> Figure:
    return Figure(value=value, low=value - 0.05, high=min(1.0, value + 0.05), over="texts")


def subject(name: str, kind: Kind, fvu: float, probe: float, seed: int | None = None) -> Subject:
    return Subject(
        name=name, kind=kind, recipe="plain", architecture="topk", seed=seed, features=16, l0=4.0,
        fvu=fvu, dead=0.25, loss_recovered=0.9, probing={"1": accuracy(probe)},
        tasks={TASK: {"1": accuracy(probe)}},
    )  # fmt: skip


def measured() -> BenchmarkResult:
    """Return two seeds of one recipe, with controls of which one rebuilds better."""
    own = [subject(f"d{seed}", "dictionary", 0.2 + seed / 50, 0.9, seed) for seed in (0, 1)]
    controls = [subject("r", "random", 0.6, 0.7), subject("p", "pca", 0.1, 0.75)]
    stable = Stability(
        pw_mcc=Figure(value=0.8), returning=0.5, never=0.25, random_pw_mcc=0.3, random_returning=0.0
    )
    recipe = Recipe(name="plain", members=("d0", "d1"), figures=mean_figures(own), stability=stable)
    task = ProbeTask(
        name=TASK, title="code or prose", source="builtin", learnt=40, scored=20, majority=0.5,
        raw=accuracy(0.95), raw_by_k={"1": accuracy(0.6)},
    )  # fmt: skip
    return BenchmarkResult(
        name="first", path="", model="builtin", site="blocks.3.hook_resid_post", store="acts",
        rows=64, recipes=(recipe,), subjects=(*own, *controls), tasks=(task,),
        notes=("Absorption is not measured: the model does not hold first letters.",),
    )  # fmt: skip


def made() -> BenchmarkResult:
    """Return one architecture that was trained on synthetic data."""
    truth = {"f1": 0.41, "mcc": 0.5, "uniqueness": 0.9, "precision": 0.4, "recall": 0.5}
    one = Subject(
        name="topk, seed 0", kind="dictionary", recipe="topk", architecture="topk", seed=0,
        features=512, l0=6.0, fvu=0.3, dead=0.0, truth=truth,
    )  # fmt: skip
    recipe = Recipe(name="topk", members=(one.name,), figures=mean_figures([one]))
    told = Synthetic(
        world="small", true_features=2048, width=128, features=512, k=6, samples=2_000_000, seeds=1
    )
    return BenchmarkResult(
        name="made", path="", model="", site="synthetic", store="", rows=64, recipes=(recipe,),
        subjects=(one,), synthetic=told,
    )  # fmt: skip


def save_results(project: Project) -> None:
    """Write both into a project."""
    for result in (measured(), made()):
        write_benchmark(project.benchmark_path(result.name), BenchmarkInfo(config="{}"), result, [])
