"""Rows of a trace under way, kept beside the graph, so that it can be resumed."""

from __future__ import annotations

import hashlib
import shutil
import time
from pathlib import Path

import msgspec
import torch

from sae_desktop.circuits.attributing import Sources
from sae_desktop.circuits.tracing.rows import Rows
from sae_desktop.storage.atomic import write_bytes
from sae_desktop.storage.faults import explained

_SECONDS = 20.0
"""Between two pieces that are kept."""


class KeptRows:
    """The folder `graphs/.<name>.rows`: what the rows are of, and pieces of them in order."""

    def __init__(self, graph: Path, mark: str) -> None:
        """Take a graph's path, and what must be the same for rows to be of use again."""
        self.folder = graph.with_name(f".{graph.stem}.rows")
        self._mark = mark
        self._kept = 0
        self._last = time.monotonic()

    def load(self, rows: Rows) -> None:
        """Add the rows that an earlier run has kept, if they are of the same trace."""
        told = self.folder / "trace.json"
        try:
            same = msgspec.json.decode(told.read_bytes()) == self._mark
        except (OSError, ValueError):
            same = False
        if same:
            for path in sorted(self.folder.glob("*.npz")):
                try:
                    rows.load(path)
                except (OSError, ValueError, KeyError):
                    path.unlink(missing_ok=True)
                    break
        else:
            self.remove()
        self._kept = len(rows)

    def keep(self, rows: Rows, *, now: bool = False) -> None:
        """Write the rows that are new, unless some were written a moment ago."""
        if len(rows) == self._kept or (not now and time.monotonic() - self._last < _SECONDS):
            return
        with explained(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            write_bytes(self.folder / "trace.json", msgspec.json.encode(self._mark))
            path = self.folder / f"{self._kept:08d}.npz"
            part = path.with_suffix(".part")
            rows.save(part, self._kept)
            part.replace(path)
        self._kept, self._last = len(rows), time.monotonic()

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


def mark_of(told: list[str], sources: Sources, activations: list[torch.Tensor]) -> str:
    """Return what tells a trace from another: its settings, its sources and their activations."""
    digest = hashlib.sha256("\0".join(told).encode())
    for tensor in (sources.kinds, sources.layers, sources.positions, sources.ids, *activations):
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
