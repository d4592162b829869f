"""Checkpoints: everything a run needs to go on bit for bit, in one safetensors file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec
import safetensors
import torch
from safetensors.torch import save_file
from torch import Tensor

from sae_desktop.errors import UserError
from sae_desktop.storage.atomic import replacing

_FILE = "state.safetensors"
SCHEMA_VERSION = 1


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """Where a run stands; the scalars of a checkpoint."""

    schema_version: int = SCHEMA_VERSION
    config: str
    """The run's config as JSON, to tell another run of the same name."""
    step: int = 0
    rows: int = 0
    store_rows: int = 0
    """Rows of the store when the run began; an extension does not change a run under way."""
    seconds: float = 0.0
    loss: float = 0.0
    points: int = 0
    snapshots: int = 0


@dataclass(frozen=True)
class Checkpoint:
    progress: Progress
    tensors: dict[str, Tensor]

    def group(self, prefix: str) -> dict[str, Tensor]:
        """Return the tensors saved under `prefix/`, by the rest of their names."""
        start = prefix + "/"
        return {k[len(start) :]: v for k, v in self.tensors.items() if k.startswith(start)}


def save_checkpoint(folder: Path, progress: Progress, groups: dict[str, dict[str, Tensor]]) -> None:
    """Write a checkpoint in place of the last. Raises UserError when the disk is full."""
    tensors = {
        f"{prefix}/{name}": tensor.detach().cpu().contiguous()
        for prefix, group in groups.items()
        for name, tensor in group.items()
    }
    metadata = {"progress": msgspec.json.encode(progress).decode()}
    with replacing(folder / _FILE) as part:
        save_file(tensors, part, metadata=metadata)


def load_checkpoint(folder: Path) -> Checkpoint | None:
    """Read a run's checkpoint; None when there is none. Raises UserError when damaged."""
    path = folder / _FILE
    if not path.is_file():
        return None
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            progress = msgspec.json.decode(file.metadata()["progress"], type=Progress)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (safetensors.SafetensorError, OSError, KeyError, msgspec.DecodeError) as error:
        raise UserError(
            f"The checkpoint “{path}” is damaged: {error}.",
            next_step="Delete its folder to begin the run again.",
        ) from error
    return Checkpoint(progress, tensors)


def delete_checkpoint(folder: Path) -> None:
    """Remove a finished run's checkpoint."""
    (folder / _FILE).unlink(missing_ok=True)
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def optimiser_tensors(optimiser: torch.optim.Optimizer, names: list[str]) -> dict[str, Tensor]:
    """Return the optimiser's state as `<parameter>.<entry>` → tensor."""
    state = optimiser.state_dict()["state"]
    return {
        f"{names[number]}.{entry}": value
        for number, entries in state.items()
        for entry, value in entries.items()
    }


def restore_optimiser(
    optimiser: torch.optim.Optimizer, names: list[str], tensors: dict[str, Tensor]
) -> None:
    """Put back what `optimiser_tensors` returned."""
    entries: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        name, entry = key.rsplit(".", 1)
        entries.setdefault(names.index(name), {})[entry] = value
    state = optimiser.state_dict()
    state["state"] = entries
    optimiser.load_state_dict(state)
