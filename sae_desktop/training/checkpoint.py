"""Checkpoints: everything a run needs to continue bit for bit, each in one safetensors file.

A run's folder `checkpoint` holds the last few, `<step>.safetensors`. Whatever chance there is
after a run began follows from its seed and its position, so that there is no other state.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
import safetensors
import torch
from torch import Tensor

from sae_desktop.errors import UserError
from sae_desktop.storage.atomic import replacing
from sae_desktop.training.config import RunChange
from sae_desktop.training.rows.document_split import HeldOutBy
from sae_desktop.training.rows.pool import PoolSize
from sae_desktop.training.started import StartedFrom

SCHEMA_VERSION = 2
_SUFFIX = ".safetensors"
_TYPES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}
"""The safetensors format's names."""


class StorePosition(msgspec.Struct, frozen=True, kw_only=True, tag="store"):
    """What the order of a store's rows depends on beside seed and position."""

    rows: int
    """Rows of the store when the run began; an extension does not change a run under way."""
    pool: PoolSize = PoolSize()
    held_out: HeldOutBy = "rows"
    """What is held out; earlier runs held the last rows out."""


class StreamPosition(msgspec.Struct, frozen=True, kw_only=True, tag="stream"):
    """Where a pool that is filled by a harvest begins."""

    pool: int = 0
    """Its number."""
    passes: int = 0
    """Times the corpus has been read to its end before it."""
    ordinal: int = 0
    """The document to continue with."""
    offset: int = 0
    """Tokens of it that have been read."""
    windows: int = 0
    """Windows consumed before it."""
    skip: int = 0
    """Rows of the next windows that are in the pool before it."""


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """Where a run stands; the scalars of a checkpoint."""

    schema_version: int = SCHEMA_VERSION
    config: str
    """The run's config as JSON, to tell another run of the same name."""
    position: StorePosition | StreamPosition | None = None
    step: int = 0
    rows: int = 0
    seconds: float = 0.0
    waited: float = 0.0
    """Seconds the steps waited for their batches."""
    loss: float = 0.0
    points: int = 0
    snapshots: int = 0
    changes: tuple[RunChange, ...] = ()
    started_from: StartedFrom | None = None
    """What was measured of the dictionary that the run started from."""


@dataclass(frozen=True)
class Checkpoint:
    """One file, whose tensors are read when they are asked for."""

    path: Path
    progress: Progress
    shapes: dict[str, tuple[int, ...]]

    def group(self, prefix: str) -> Iterator[tuple[str, Tensor]]:
        """Yield the tensors saved under `prefix/` with the rest of their names, one by one."""
        start = prefix + "/"
        with safetensors.safe_open(self.path, framework="pt") as file:
            for name in self.shapes:
                if name.startswith(start):
                    yield name[len(start) :], file.get_tensor(name)

    def require_shapes(self, prefix: str, tensors: Mapping[str, Tensor]) -> None:
        """Raise UserError that names both shapes unless a group's tensors are like these."""
        start = prefix + "/"
        found = {k[len(start) :]: v for k, v in self.shapes.items() if k.startswith(start)}
        wanted = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
        for name in sorted(found.keys() | wanted.keys()):
            if found.get(name) != wanted.get(name):
                raise UserError(
                    f"The checkpoint “{self.path}” does not fit this run: its {name} "
                    f"{_shape(found.get(name))}, the run’s {_shape(wanted.get(name))}.",
                    kept="The checkpoint is unchanged.",
                    next_step="Train under another name, or move the checkpoint's folder "
                    "elsewhere to start this run again.",
                )


def _shape(shape: tuple[int, ...] | None) -> str:
    return "is missing" if shape is None else f"has the shape {shape}"


def save_checkpoint(
    folder: Path, progress: Progress, groups: Mapping[str, Mapping[str, Tensor]], *, keep: int
) -> None:
    """Write a checkpoint beside the last ones and delete all but the newest `keep`.

    Where the disk is full, the older ones are given up for room, never the newest. Raises
    UserError when there is no room even so; then the newest is as it was.
    """
    tensors = {
        f"{p}/{name}": tensor for p, group in groups.items() for name, tensor in group.items()
    }
    metadata = {"progress": msgspec.json.encode(progress).decode()}
    path = folder / f"{progress.step:012d}{_SUFFIX}"
    try:
        _write(path, tensors, metadata)
    except UserError:
        older = _files(folder)[1:]
        if not older:
            raise
        _delete(older)
        _write(path, tensors, metadata)
    _delete(_files(folder)[keep:])


def _write(path: Path, tensors: Mapping[str, Tensor], metadata: dict[str, str]) -> None:
    """Write a safetensors file a tensor at a time: never a second copy of them all."""
    header: dict[str, object] = {"__metadata__": metadata}
    end = 0
    for name, tensor in tensors.items():
        begin, end = end, end + tensor.numel() * tensor.element_size()
        header[name] = {
            "dtype": _TYPES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [begin, end],
        }
    head = msgspec.json.encode(header)
    head += b" " * (-len(head) % 8)
    with replacing(path) as part, part.open("wb") as file:
        file.write(len(head).to_bytes(8, "little") + head)
        for tensor in tensors.values():
            data = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
            file.write(data.numpy().data)


def load_checkpoint(folder: Path) -> Checkpoint | None:
    """Return the newest checkpoint that reads whole; None when there is none.

    Raises UserError when there are some and none can be read.
    """
    problems: list[str] = []
    for path in _files(folder):
        try:
            return _read(path)
        except (safetensors.SafetensorError, OSError, KeyError, TypeError) as error:
            problems.append(f"“{path.name}”: {error}")
        except (ValueError, RecursionError) as error:
            problems.append(f"“{path.name}”: {error}")
    if problems:
        raise UserError(
            f"No checkpoint in “{folder}” can be read: {'; '.join(problems)}.",
            kept="They are unchanged.",
            next_step="Restore them from a copy, or train under another name.",
        )
    return None


def _read(path: Path) -> Checkpoint:
    with safetensors.safe_open(path, framework="pt") as file:
        progress = msgspec.json.decode(file.metadata()["progress"], type=Progress)
        names = list(file.keys())
        shapes = {name: tuple(file.get_slice(name).get_shape()) for name in names}
    return Checkpoint(path, progress, shapes)


def keep_newest(folder: Path) -> None:
    """Give up all checkpoints but the newest for the room they take."""
    _delete(_files(folder)[1:])


def delete_checkpoints(folder: Path) -> None:
    """Remove a finished run's checkpoints."""
    _delete(_files(folder))
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def _files(folder: Path) -> list[Path]:
    """The checkpoints, the newest first."""
    return sorted(folder.glob(f"*{_SUFFIX}"), reverse=True)


def _delete(paths: list[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def optimiser_tensors(optimiser: torch.optim.Optimizer, names: list[str]) -> dict[str, Tensor]:
    """Return the optimiser's state as `<parameter>.<entry>` → tensor."""
    state = optimiser.state_dict()["state"]
    return {
        f"{names[number]}.{entry}": value
        for number, entries in state.items()
        for entry, value in entries.items()
    }


def restore_optimiser(
    optimiser: torch.optim.Optimizer, names: list[str], tensors: Iterator[tuple[str, Tensor]]
) -> None:
    """Put back what `optimiser_tensors` returned."""
    entries: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors:
        name, entry = key.rsplit(".", 1)
        entries.setdefault(names.index(name), {})[entry] = value
    state = optimiser.state_dict()
    state["state"] = entries
    optimiser.load_state_dict(state)
