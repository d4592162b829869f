"""A toy project to measure dictionaries in: a store, labelled texts, and made dictionaries."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from toy_models import TEXT, save_toy_model

from sae_desktop.activations.config import HarvestConfig
from sae_desktop.activations.harvest import harvest
from sae_desktop.benchmark.config import BenchmarkConfig
from sae_desktop.dictionary import Dictionary, save
from sae_desktop.jobs import SilentContext
from sae_desktop.project import Project

FEATURES, WIDTH, SITE = 40, 32, "blocks.1.hook_resid_post"
SEEDS = ("plain-seed0", "plain-seed1")


def make_measured_project(folder: Path) -> Project:
    """Return a project with the store “acts” and SEEDS, the second turned a little from the first.

    Beside it `labelled.jsonl`: 30 texts of program code and 30 of prose.
    """
    model = save_toy_model(folder / "model")
    (folder / "text").mkdir()
    for number in range(6):
        (folder / "text" / f"{number}.txt").write_text(TEXT[number * 9 :] + TEXT[: 60 * number])
    project = Project.open_or_create(folder / "p")
    harvest(
        HarvestConfig(
            project=str(project.path), name="acts", model=str(model), corpus=str(folder / "text"),
            site=SITE, tokens=480, context_size=32, batch_tokens=128, device="cpu",
        ),
        SilentContext(),
    )  # fmt: skip
    rows = torch.randn(FEATURES, WIDTH, generator=torch.Generator().manual_seed(3))
    other = torch.cat([rows[:30], torch.randn(10, WIDTH, generator=torch.Generator())])
    for name, directions in zip(SEEDS, (rows, other), strict=True):
        save(dictionary_of(directions), project.dictionary_path(name))
    lines = []
    rng = np.random.default_rng(0)
    for _ in range(30):
        names = ["".join(rng.choice(list("abcdefgh"), 6)) for _ in range(8)]
        code = f"def {names[0]}({names[1]}, {names[2]}):\n    return {names[3]}({names[4]})"
        lines.append({"text": code, "label": "code"})
        lines.append({"text": f"In the {' the '.join(names)} created", "label": "prose"})
    (folder / "labelled.jsonl").write_text("\n".join(map(json.dumps, lines)))
    return project


def dictionary_of(directions: torch.Tensor) -> Dictionary:
    """Return a dictionary that reads and writes along directions (F, D)."""
    W_dec = torch.nn.functional.normalize(directions, dim=1)
    return Dictionary(
        W_dec.T.contiguous(), torch.zeros(len(W_dec)), W_dec, torch.zeros(W_dec.shape[1]),
        metadata={"activation_store": "acts", "hook_name": SITE},
    )  # fmt: skip


def small(project: Project, **changes: object) -> BenchmarkConfig:
    """Return a benchmark of SEEDS that takes a second."""
    settings: dict[str, object] = {
        "name": "b", "dictionaries": SEEDS, "rows": 64, "loss_windows": 2, "control_seeds": 1,
        "texts": 30, "text_tokens": 8, "builtin_tasks": False, "words": 0, "device": "cpu",
        "labelled": (str(project.path.parent / "labelled.jsonl"),),
    }  # fmt: skip
    return BenchmarkConfig(project=str(project.path), **(settings | changes))  # type: ignore[arg-type]
