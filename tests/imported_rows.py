"""A project with imported rows in it, and a short run on them."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
import torch
from toy_features import ToyData

from sae_desktop.activations.config import ImportActivationsConfig
from sae_desktop.activations.import_file import import_activations
from sae_desktop.dictionary import load
from sae_desktop.jobs import SilentContext
from sae_desktop.project import Project
from sae_desktop.training.config import TrainConfig

DATA = ToyData.make(n=32, d=16)
STORE = "acts"


def toy_rows(rows: int, seed: int = 0) -> npt.NDArray[np.float32]:
    """Rows of DATA, not yet scaled."""
    generator = torch.Generator().manual_seed(seed)
    return np.asarray(3.7 * DATA.batch(rows, generator).numpy(), dtype=np.float32)


def import_rows(project: Project, rows: npt.NDArray[np.float32], name: str = STORE) -> None:
    """Make a store of them."""
    file = Path(project.path) / f"{name}.npy"
    np.save(file, rows)
    import_activations(
        ImportActivationsConfig(project=str(project.path), name=name, file=str(file)),
        SilentContext(),
    )
    file.unlink()


def run_config(project: Project, **changes: object) -> TrainConfig:
    """A run of 40 steps."""
    config = TrainConfig(
        project=str(project.path), name="d", activations=STORE, architecture="topk", features=48,
        k=2, tokens=40 * 256, batch=256, checkpoint_seconds=1e9, device="cpu",
    )  # fmt: skip
    return msgspec.structs.replace(config, **changes)


def weights(project: Project, name: str) -> dict[str, torch.Tensor]:
    """The saved weights of a run."""
    found = load(project.dictionary_path(name))
    tensors = {"W_enc": found.W_enc, "b_enc": found.b_enc, "W_dec": found.W_dec}
    if found.threshold is not None:
        tensors["threshold"] = found.threshold
    return tensors | {"b_dec": found.b_dec}


def assert_same_weights(project: Project, one: str, other: str) -> None:
    """Bit for bit."""
    first, second = weights(project, one), weights(project, other)
    assert first.keys() == second.keys()
    for name, tensor in first.items():
        assert torch.equal(tensor, second[name]), name
