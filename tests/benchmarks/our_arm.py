"""The arm of `against_saelens.py` that is this project's: the job `train`, its loop timed."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sae_desktop.dictionary import Dictionary, load
from sae_desktop.project import Project
from sae_desktop.training import trainer
from sae_desktop.training.config import TrainConfig
from sae_desktop.training.job import train

sys.path.append(str(Path(__file__).parents[1]))

from job_contexts import RecordingContext


@contextmanager
def timed_steps() -> Iterator[dict[str, float]]:
    """Add up the CPU and wall seconds of all training steps taken inside.

    The curves, the checkpoints and the saving of the job are left out: SAELens, too, is timed
    without them. The thread that fetches rows is counted.
    """
    spent = {"cpu_seconds": 0.0, "wall_seconds": 0.0}
    real = trainer.train_step

    def step(*args: Any, **settings: Any) -> Any:
        cpu, wall = time.process_time(), time.perf_counter()
        report = real(*args, **settings)
        spent["cpu_seconds"] += time.process_time() - cpu
        spent["wall_seconds"] += time.perf_counter() - wall
        return report

    trainer.train_step = step
    try:
        yield spent
    finally:
        trainer.train_step = real


def train_ours(
    args: argparse.Namespace, name: str, project: Project
) -> tuple[dict[str, Any], Dictionary]:
    """Train by the job, with its defaults but for what the comparison sets."""
    config = TrainConfig(
        project=str(project.path),
        name=name,
        activations=args.store,
        architecture=args.architecture,
        features=args.features,
        k=args.k,
        sparsity=args.sparsity if args.architecture == "standard" else None,
        tokens=args.rows,
        batch=args.batch,
        lr=args.lr,
        seed=args.seed,
        precision=args.precision,
    )
    with timed_steps() as spent:
        result = train(config, RecordingContext())
    spent["job_seconds"] = result.seconds
    return {"library": "ours", **spent}, load(project.dictionary_path(name))
