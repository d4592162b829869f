"""Stores, dictionaries and runs as the jobs leave them on disk, made without torch."""

from __future__ import annotations

import msgspec
import numpy as np
from safetensors.numpy import save_file
from stored import write_store

from sae_desktop.activations.config import HarvestConfig
from sae_desktop.activations.layout import StoreInfo
from sae_desktop.project import Project
from sae_desktop.training.architecture_info import ArchitectureInfo
from sae_desktop.training.config import (
    DictionaryFigures,
    EvaluateResult,
    TrainConfig,
    TrainResult,
)
from sae_desktop.training.run_folder import (
    CFG,
    EVALUATION,
    RUN_LOG,
    TRAIN_CONFIG,
    TRAIN_RESULT,
    WEIGHTS,
)
from sae_desktop.training.run_log import FeatureSample, RunLogWriter, SampleContext

SITE = "blocks.1.hook_resid_post"
ARCHITECTURES = [
    ArchitectureInfo(
        name=name,
        title=title,
        summary=f"What {title} is.",
        settings=settings,
        default_sparsity=5.0 if "sparsity" in settings else 0.0,
        sparsity_warm_up=0.05 if "sparsity" in settings else 0.0,
    )
    for name, title, settings in (
        (
            "matryoshka",
            "Matryoshka BatchTopK",
            ["k", "aux_weight", "threshold_decay", "leave_one_out"],
        ),
        ("jumprelu", "JumpReLU", ["sparsity", "leave_one_out"]),
        ("standard", "Standard (L1)", ["sparsity"]),
    )
]
WIDTH = 8


def add_store(
    project: Project, name: str, *, rows: int, wanted: int, more_sites: tuple[str, ...] = ()
) -> HarvestConfig:
    """Write a store of `rows` rows of a harvest that was asked for `wanted`."""
    config = HarvestConfig(
        project=str(project.path), name=name, site=SITE, sites=more_sites, tokens=wanted
    )
    sites = [SITE, *more_sites]
    info = StoreInfo(
        model="builtin",
        corpus="builtin",
        sites=sites,
        widths=[WIDTH] * len(sites),
        config=msgspec.json.encode(config).decode(),
    )
    values = {site: np.ones((rows, WIDTH), dtype=np.float16) for site in sites}
    write_store(project.store_path(name), info, values, [0] * rows, capacity=wanted).close()
    return config


def add_run(
    project: Project,
    name: str,
    *,
    store: str = "acts",
    finished: bool = True,
    fvu: float = 0.125,
    evaluated: bool = False,
) -> TrainConfig:
    """Write a run with its curves; a finished one has weights and a result."""
    folder = project.dictionary_path(name)
    folder.mkdir(parents=True, exist_ok=True)  # a member's of a set is what makes it one
    config = TrainConfig(
        project=str(project.path), name=name, activations=store, features=16, tokens=10_000
    )
    (folder / TRAIN_CONFIG).write_bytes(msgspec.json.encode(config))
    log = RunLogWriter.create(
        folder / RUN_LOG, msgspec.json.encode(config).decode(), points=50, snapshots=4
    )
    for step in range(1, 11):
        log.append({"step": step, "rows": step * 500.0, "loss": 10.0 / step, "fvu": 0.9 / step})
    log.append_snapshot(5, np.full(16, 1e-3))
    context = SampleContext(tokens=["the", " Lord"], activations=[0.0, 2.0])
    sample = FeatureSample(feature=7, density=0.01, contexts=[context])
    densities = np.concatenate([np.full(12, 1e-2), np.zeros(4)])
    log.append_snapshot(10, densities, [sample], norms=np.full(16, 0.5))
    log.close()
    if finished:
        _finish(project, config, fvu)
    if evaluated:
        (folder / EVALUATION).write_bytes(msgspec.json.encode(evaluation()))
    return config


def _finish(project: Project, config: TrainConfig, fvu: float) -> None:
    folder = project.dictionary_path(config.name)
    cfg = {
        "architecture": "jumprelu",
        "d_in": WIDTH,
        "d_sae": 16,
        "metadata": {
            "model_name": "builtin",
            "hook_name": SITE,
            "training_architecture": config.architecture,
        },
    }
    (folder / CFG).write_bytes(msgspec.json.encode(cfg))
    save_file({"W_dec": np.zeros((16, WIDTH), dtype=np.float32)}, str(folder / WEIGHTS))
    result = msgspec.structs.replace(train_result(config.name), fvu=fvu)
    (folder / TRAIN_RESULT).write_bytes(msgspec.json.encode(result))


def evaluation() -> EvaluateResult:
    """An FVU of 0.11, that of random directions 0.7."""
    losses = {"loss_clean": 3.0, "loss_spliced": 3.2, "loss_zero": 9.0, "loss_mean": 8.0}
    return EvaluateResult(
        l0=8.0,
        fvu=0.11,
        explained_variance=0.89,
        cosine=0.95,
        dead_fraction=0.0,
        dead_window=4_000,
        loss_recovered=0.967,
        **losses,
        rows=2_000,
        excluded_rows=3,
        control=DictionaryFigures(
            l0=8.0, fvu=0.7, explained_variance=0.3, cosine=0.4, loss_recovered=0.1
        ),
    )


def train_result(name: str) -> TrainResult:
    return TrainResult(
        name=name,
        architecture="batchtopk",
        features=16,
        steps=10,
        rows=5_000,
        loss=1.0,
        l0=7.5,
        fvu=0.125,
        dead_fraction=0.25,
        dead_window=1_000,
        seconds=1.0,
        rows_per_second=5_000.0,
        stopped_early=False,
    )
