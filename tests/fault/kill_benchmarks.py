"""Small benchmarks for the sweep of kills, and the labelled texts that one of them reads."""

from __future__ import annotations

import csv
from pathlib import Path

from toy_models import TEXT

from sae_desktop.benchmark.config import BenchmarkConfig, SyntheticConfig


def save_labelled(material: Path) -> None:
    with (material / "labelled.csv").open("w", newline="") as file:
        rows = [(f"{TEXT[n : n + 40]} {n}", "even" if n % 2 == 0 else "odd") for n in range(60)]
        csv.writer(file).writerows([("text", "label"), *rows])


def measured(project: str, material: Path) -> BenchmarkConfig:
    return BenchmarkConfig(
        project=project, name="new", dictionaries=("d",), rows=32, loss_windows=2,
        control_seeds=1, texts=20, text_tokens=4, builtin_tasks=False,
        labelled=(str(material / "labelled.csv"),), words=0, device="cpu",
    )  # fmt: skip


def synthetic(project: str) -> SyntheticConfig:
    return SyntheticConfig(
        project=project, name="new", architectures=("topk",), world="small", samples=64, seeds=2,
        features=8, k=2, batch=32, measured=64,
    )  # fmt: skip
