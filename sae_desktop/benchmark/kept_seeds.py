"""What is finished of a benchmark on synthetic data, kept until all of it is. Free of torch.

`benchmarks/.<name>.kept/<digest>.json`: the dictionaries of one seed, under a digest of all that
they depend on. How many seeds are asked for is not among that: more can be added.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import msgspec

from sae_desktop.benchmark.config import Subject, SyntheticConfig
from sae_desktop.safety.scan.kept_folder import kept_folder
from sae_desktop.storage.atomic import write_bytes
from sae_desktop.storage.faults import explained


def read_seed(path: Path, config: SyntheticConfig, seed: int) -> list[Subject] | None:
    """Return what was found with a seed; None where it was not finished."""
    try:
        return msgspec.json.decode(_file(path, config, seed).read_bytes(), type=list[Subject])
    except (OSError, ValueError, RecursionError):
        return None


def write_seed(path: Path, config: SyntheticConfig, seed: int, subjects: Sequence[Subject]) -> None:
    """Keep what was found with a seed. Raises UserError when the disk is full."""
    file = _file(path, config, seed)
    with explained(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(file, msgspec.json.encode(list(subjects)))


def _file(path: Path, config: SyntheticConfig, seed: int) -> Path:
    alone = msgspec.structs.replace(config, project="", name="", seed=seed, seeds=1)
    digest = hashlib.sha256(msgspec.json.encode(alone)).hexdigest()[:24]
    return kept_folder(path) / f"{digest}.json"
