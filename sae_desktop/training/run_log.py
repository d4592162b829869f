"""The curves of a training run, in HDF5. Free of torch: the window reads them too.

`/curves` (points × columns) is contiguous and written in place; `/committed` says how many
points are there. Beside them `/density_counts` (snapshots × bins) over `/density_edges`
(log10 of the share of rows on which a feature fires), taken at `/density_steps`, and
`/samples` (snapshots × bytes): a few features with text they fire on then, as JSON.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from sae_desktop.storage.hdf5 import (
    DatasetSpec,
    RowWriter,
    create_contiguous,
    open_checked,
)

KIND = "run"
SCHEMA_VERSION = 1

COLUMNS = (
    "step",
    "rows",
    "seconds",
    "loss",
    "l0",
    "fvu",
    "dead_fraction",
    "loss_recovered",
    "rows_per_second",
    "learning_rate",
    "sparsity_coefficient",
)
"""What a curve can show; a value not measured at a step is NaN."""

DENSITY_EDGES = np.linspace(-8.0, 0.0, 65)
"""log10 density; features that never fired are counted in the first bin."""

SAMPLE_BYTES = 8192
"""Room for the features shown at one snapshot, as JSON."""

Array = npt.NDArray[Any]


class SampleContext(msgspec.Struct, frozen=True, kw_only=True):
    tokens: list[str]
    activations: list[float]


class FeatureSample(msgspec.Struct, frozen=True, kw_only=True):
    feature: int
    density: float
    """Share of the sample's rows on which it fires."""
    contexts: list[SampleContext]
    """The strongest, at most one a window."""


@dataclass(frozen=True)
class RunCurves:
    """A run as read: column → (points,) float64, and its density histograms."""

    columns: dict[str, Array]
    density_steps: Array
    density_counts: Array
    samples: list[list[FeatureSample]]
    """At each snapshot, features with text they fire on; empty for a run without a model."""
    config: str

    def measured(self, name: str) -> tuple[Array, Array]:
        """Return (rows consumed, values) of one column where it was measured."""
        values = self.columns[name]
        keep = np.isfinite(values)
        return self.columns["rows"][keep], values[keep]


class RunLogWriter:
    """Appends points and density snapshots to run.h5."""

    def __init__(self, path: Path, *, keep_points: int, keep_snapshots: int) -> None:
        """Open an existing log and go on after the given counts (those of a checkpoint)."""
        self._rows = RowWriter(path)
        self.points = keep_points
        self.snapshots = keep_snapshots
        self._commit()

    @classmethod
    def create(cls, path: Path, config: str, *, points: int, snapshots: int) -> RunLogWriter:
        """Make an empty log with room for so many points and density snapshots."""
        bins = len(DENSITY_EDGES) - 1
        specs = [
            DatasetSpec("committed", (2,), "<i8"),
            DatasetSpec("curves", (points, len(COLUMNS)), "<f8"),
            DatasetSpec("density_steps", (snapshots,), "<i8"),
            DatasetSpec("density_counts", (snapshots, bins), "<i4"),
            DatasetSpec("samples", (snapshots,), f"S{SAMPLE_BYTES}"),
        ]
        attributes = {
            "columns": list(COLUMNS),
            "config": config,
            "density_edges": DENSITY_EDGES,
        }
        create_contiguous(path, KIND, SCHEMA_VERSION, specs, attributes)
        return cls(path, keep_points=0, keep_snapshots=0)

    def append(self, values: Mapping[str, float]) -> None:
        """Write one point; columns not named are NaN. A full log drops further points."""
        if self.points >= self._rows.capacity("curves"):
            return
        row = np.array([[values.get(name, np.nan) for name in COLUMNS]])
        self._rows.write("curves", self.points, row)
        self.points += 1
        self._commit()

    def append_snapshot(
        self, step: int, densities: Array, samples: Sequence[FeatureSample] = ()
    ) -> None:
        """Write a histogram of feature densities (F,), each the share of rows it fired on.

        Of the samples, those are written that fit into their room.
        """
        if self.snapshots >= self._rows.capacity("density_steps"):
            return
        logs = np.log10(np.maximum(densities, 10.0 ** DENSITY_EDGES[0]))
        counts, _ = np.histogram(logs, bins=DENSITY_EDGES)
        self._rows.write("density_steps", self.snapshots, np.array([step]))
        self._rows.write("density_counts", self.snapshots, counts[None])
        self._rows.write("samples", self.snapshots, _packed(list(samples)))
        self.snapshots += 1
        self._commit()

    def _commit(self) -> None:
        self._rows.write("committed", 0, np.array([self.points, self.snapshots], dtype="<i8"))

    def sync(self) -> None:
        self._rows.sync()

    def close(self) -> None:
        self._rows.close()


def read_run(path: Path) -> RunCurves:
    """Read a run's log, also while it is being written. Raises UserError when damaged."""
    with open_checked(path, KIND, SCHEMA_VERSION) as file:
        points, snapshots = (int(n) for n in file["committed"][:])
        curves = file["curves"][:points]
        return RunCurves(
            columns={
                _text(name): curves[:, number] for number, name in enumerate(file.attrs["columns"])
            },
            density_steps=file["density_steps"][:snapshots],
            density_counts=file["density_counts"][:snapshots],
            samples=[_unpacked(data) for data in file["samples"][:snapshots]],
            config=_text(file.attrs["config"]),
        )


def read_progress(path: Path) -> tuple[int, str]:
    """Return (rows consumed, config) of a run, its curves left unread."""
    with open_checked(path, KIND, SCHEMA_VERSION) as file:
        points = int(file["committed"][0])
        names = [_text(name) for name in file.attrs["columns"]]
        rows = file["curves"][points - 1, names.index("rows")] if points else 0
        return int(rows), _text(file.attrs["config"])


def _packed(samples: list[FeatureSample]) -> Array:
    data = msgspec.json.encode(samples)
    while len(data) > SAMPLE_BYTES:
        samples = samples[:-1]
        data = msgspec.json.encode(samples)
    return np.array([data], dtype=f"S{SAMPLE_BYTES}")


def _unpacked(data: bytes) -> list[FeatureSample]:
    return msgspec.json.decode(data, type=list[FeatureSample])


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
