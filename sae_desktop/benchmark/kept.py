"""What is finished of a benchmark, kept until all of it is. Free of torch.

`benchmarks/.<name>.kept/<digest>.json`: subjects that were measured together, under a digest of
all that their figures depend on. What else a benchmark is asked to measure is not among that: more
dictionaries and more seeds can be added.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path

import msgspec

from sae_desktop.benchmark.config import BenchmarkConfig, Subject, SyntheticConfig
from sae_desktop.safety.scan.kept_folder import kept_folder
from sae_desktop.storage.atomic import write_bytes
from sae_desktop.storage.faults import explained


class Kept:
    """What is kept of one benchmark."""

    def __init__(self, path: Path, common: bytes) -> None:
        """Look beside the benchmark's file; `common` is what all its figures depend on."""
        self._folder, self._common = kept_folder(path), common

    def read(self, *which: str) -> list[Subject] | None:
        """Return what was found; None where it was not finished."""
        try:
            return msgspec.json.decode(self._file(which).read_bytes(), type=list[Subject])
        except (OSError, ValueError, RecursionError):
            return None

    def write(self, found: Sequence[Subject], *which: str) -> None:
        """Keep what was found. Raises UserError when the disk is full."""
        file = self._file(which)
        with explained(file):
            file.parent.mkdir(parents=True, exist_ok=True)
            write_bytes(file, msgspec.json.encode(list(found)))

    def let_go(self) -> None:
        """Delete it all: the benchmark is whole."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _file(self, which: Sequence[str]) -> Path:
        told = self._common + msgspec.json.encode(which)
        return self._folder / f"{hashlib.sha256(told).hexdigest()[:24]}.json"


def synthetic_settings(config: SyntheticConfig) -> bytes:
    """Return what the figures of each seed depend on."""
    return msgspec.json.encode(
        msgspec.structs.replace(config, project="", name="", seed=0, seeds=1)
    )


def measured_on(config: BenchmarkConfig, store: msgspec.Struct, rows: int) -> bytes:
    """Return what the figures of each dictionary depend on, beside the dictionary.

    `store` says what the rows are, `rows` how many of them there are. Raises UserError when a file
    of labelled texts cannot be read.
    """
    alone = msgspec.structs.replace(
        config, project="", name="", dictionaries=(), siblings=False, activations="",
        control_seeds=1,
    )  # fmt: skip
    texts = []
    for file in map(Path, config.labelled):
        with explained(file), file.open("rb") as opened:
            texts.append(hashlib.file_digest(opened, "sha256").hexdigest())
    return msgspec.json.encode((alone, store, rows, texts))
