"""The curves of a training run, in HDF5. Free of torch: the window reads them too.

`/curves` (points × columns) is contiguous and written in place; `/committed` says how many
points, snapshots and changes are there. A snapshot, taken at `/density_steps`, holds three
histograms over the features: `/density_counts` (log10 of the share of rows on which a feature
fires), `/norm_counts` (log10 of the decoder's norm as it is trained, before any folding) and
`/cosine_counts` (cosine to the nearest other feature, of a sample where there are many), each
(snapshots × bins) with its edges as an attribute, and `/samples`: a few features with text
they fire on then, as JSON. `/changes` are the settings a person changed during the run.

A file written before a column or a data set was added opens like any other: what it lacks
reads as not measured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from sae_desktop.errors import UserError
from sae_desktop.storage.hdf5 import (
    DatasetSpec,
    RowWriter,
    create_contiguous,
    open_checked,
)
from sae_desktop.storage.mapped import BYTES, FLOATS, WHOLE, Accepted, MappedFile, extents
from sae_desktop.training.config import RunChange as RunChange

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
    "reconstruction",
    "sparsity",
    "auxiliary",
    "gradient_norm",
    "waited_share",
    "cosine",
    "dense_fraction",
    "shrinkage",
    "loss_recovered_mean",
    "kl",
)
"""What a curve can show; a value not measured at a step is NaN.

`reconstruction`, `sparsity` and `auxiliary` are the terms of the loss; `gradient_norm` is that
before clipping, `waited_share` the share of time the step waited for its batch. `loss_recovered`
is counted from zero ablation, `loss_recovered_mean` from mean ablation.
"""

DENSITY_EDGES = np.linspace(-8.0, 0.0, 65)
"""log10 density; features that never fired are counted in the first bin."""
NORM_EDGES = np.linspace(-3.0, 2.0, 51)
"""log10 of a decoder norm; what is outside is counted in the outermost bins."""
COSINE_EDGES = np.linspace(-1.0, 1.0, 81)

MAX_CHANGES = 256
_CHANGE = ("step", "rows", "lr", "sparsity")

_DENSITIES, _NORMS, _COSINES = (
    len(edges) - 1 for edges in (DENSITY_EDGES, NORM_EDGES, COSINE_EDGES)
)
ARRAYS = {
    "committed": Accepted(WHOLE, ("counters",)),
    "curves": Accepted(FLOATS, ("points", "columns")),
    "density_steps": Accepted(WHOLE, ("snapshots",)),
    "density_counts": Accepted(WHOLE, ("snapshots", _DENSITIES)),
    "norm_counts": Accepted(WHOLE, ("snapshots", _NORMS), needed=False),
    "cosine_counts": Accepted(WHOLE, ("snapshots", _COSINES), needed=False),
    "samples": Accepted(BYTES, ("snapshots",), needed=False),
    "changes": Accepted(FLOATS, ("changes", len(_CHANGE)), needed=False),
}
"""What the reader takes; `columns` is told by the attribute of that name."""

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
    """A run as read: column → (points,) float64, and its histograms over time."""

    columns: dict[str, Array]
    """All of COLUMNS; NaN throughout where the file lacks one."""
    density_steps: Array
    """(snapshots,)"""
    density_counts: Array
    """(snapshots, bins)"""
    samples: list[list[FeatureSample]]
    """At each snapshot, features with text they fire on; empty for a run without a model."""
    config: str
    norm_counts: Array = field(default_factory=lambda: _no_counts(NORM_EDGES))
    """(snapshots, bins); a row of zeros where it was not measured."""
    cosine_counts: Array = field(default_factory=lambda: _no_counts(COSINE_EDGES))
    """(snapshots, bins); a row of zeros where it was not measured."""
    changes: list[RunChange] = field(default_factory=list)

    def measured(self, name: str) -> tuple[Array, Array]:
        """Return (rows consumed, values) of one column where it was measured."""
        values = self.columns[name]
        keep = np.isfinite(values)
        return self.columns["rows"][keep], values[keep]


class RunLogWriter:
    """Appends points, snapshots and changes to run.h5."""

    def __init__(
        self,
        path: Path,
        *,
        keep_points: int,
        keep_snapshots: int,
        keep_changes: int | None = None,
    ) -> None:
        """Open an existing log and continue after the given counts (those of a checkpoint).

        `keep_changes` None keeps every change that is in the file.
        """
        self._rows = RowWriter(path)
        log = _opened(path)
        # A log begun by an older version keeps the columns it was begun with.
        self._columns = log.columns
        self._datasets = set(log.arrays)
        self.points = keep_points
        self.snapshots = keep_snapshots
        self.changes = log.changes if keep_changes is None else keep_changes
        self._commit()

    @classmethod
    def create(cls, path: Path, config: str, *, points: int, snapshots: int) -> RunLogWriter:
        """Make an empty log with room for a given number of points and snapshots."""
        specs = [
            DatasetSpec("committed", (3,), "<i8"),
            DatasetSpec("curves", (points, len(COLUMNS)), "<f8"),
            DatasetSpec("density_steps", (snapshots,), "<i8"),
            DatasetSpec("density_counts", (snapshots, len(DENSITY_EDGES) - 1), "<i4"),
            DatasetSpec("norm_counts", (snapshots, len(NORM_EDGES) - 1), "<i4"),
            DatasetSpec("cosine_counts", (snapshots, len(COSINE_EDGES) - 1), "<i4"),
            DatasetSpec("samples", (snapshots,), f"S{SAMPLE_BYTES}"),
            DatasetSpec("changes", (MAX_CHANGES, len(_CHANGE)), "<f8"),
        ]
        attributes = {
            "columns": list(COLUMNS),
            "config": config,
            "density_edges": DENSITY_EDGES,
            "norm_edges": NORM_EDGES,
            "cosine_edges": COSINE_EDGES,
            "change_columns": list(_CHANGE),
        }
        create_contiguous(path, KIND, SCHEMA_VERSION, specs, attributes)
        return cls(path, keep_points=0, keep_snapshots=0, keep_changes=0)

    def append(self, values: Mapping[str, float]) -> None:
        """Write one point; columns not named are NaN. A full log drops further points."""
        if self.points >= self._rows.capacity("curves"):
            return
        row = np.array([[values.get(name, np.nan) for name in self._columns]])
        self._rows.write("curves", self.points, row)
        self.points += 1
        self._commit()

    def append_snapshot(
        self,
        step: int,
        densities: Array,
        samples: Sequence[FeatureSample] = (),
        *,
        norms: Array | None = None,
        cosines: Array | None = None,
    ) -> None:
        """Write histograms over the features.

        `densities` (F,) are shares of rows; `norms` (F,) the decoder's norms as trained;
        `cosines` (n,) those of n features to the nearest other one. Of the samples, those are
        written that fit into their room.
        """
        if self.snapshots >= self._rows.capacity("density_steps"):
            return
        self._rows.write("density_steps", self.snapshots, np.array([step]))
        self._rows.write("density_counts", self.snapshots, density_histogram(densities)[None])
        if "norm_counts" in self._datasets:
            self._rows.write("norm_counts", self.snapshots, norm_histogram(norms)[None])
        if "cosine_counts" in self._datasets:
            self._rows.write("cosine_counts", self.snapshots, cosine_histogram(cosines)[None])
        if "samples" in self._datasets:
            self._rows.write("samples", self.snapshots, _packed(list(samples)))
        self.snapshots += 1
        self._commit()

    def append_change(self, change: RunChange) -> None:
        """Write a setting changed during the run. A full or an older log drops it."""
        if "changes" not in self._datasets or self.changes >= MAX_CHANGES:
            return
        values = [getattr(change, name) for name in _CHANGE]
        row = np.array([[np.nan if value is None else value for value in values]])
        self._rows.write("changes", self.changes, row)
        self.changes += 1
        self._commit()

    def _commit(self) -> None:
        counts = [self.points, self.snapshots, self.changes][: self._rows.capacity("committed")]
        self._rows.write("committed", 0, np.array(counts, dtype="<i8"))

    def sync(self) -> None:
        self._rows.sync()

    def close(self) -> None:
        self._rows.close()


def density_histogram(densities: Array) -> Array:
    """Count features (F,) by log10 of the share of rows on which they fire."""
    return _log_counts(densities, DENSITY_EDGES)


def norm_histogram(norms: Array | None) -> Array:
    """Count features by log10 of their decoder's norm; zeros for None."""
    return _log_counts(np.empty(0) if norms is None else norms, NORM_EDGES)


def cosine_histogram(cosines: Array | None) -> Array:
    """Count features by their cosine to the nearest other one; zeros for None."""
    values = np.empty(0) if cosines is None else np.clip(cosines, -1.0, 1.0)
    return np.histogram(values, bins=COSINE_EDGES)[0]


def _log_counts(values: Array, edges: Array) -> Array:
    logs = np.log10(np.clip(values, 10.0 ** edges[0], 10.0 ** edges[-1]))
    return np.histogram(np.clip(logs, edges[0], edges[-1]), bins=edges)[0]


def _no_counts(edges: Array, snapshots: int = 0) -> Array:
    return np.zeros((snapshots, len(edges) - 1), dtype=np.int32)


@dataclass(frozen=True)
class _Opened:
    """A log, mapped, with what is counted in it."""

    arrays: dict[str, Array]
    columns: list[str]
    config: str
    points: int
    snapshots: int
    changes: int


def _opened(path: Path) -> _Opened:
    """Open a log. Raises UserError when it is missing, damaged or too new."""
    with open_checked(path, KIND, SCHEMA_VERSION) as file:
        try:
            columns = [_text(name) for name in file.attrs["columns"]]
            mapped = MappedFile(path, extents(path, file, ARRAYS, {"columns": len(columns)}))
            counts = [*(int(n) for n in mapped.arrays["committed"]), 0, 0][:3]
            rooms = ("curves", "density_steps", "changes")
            for name, count in zip(rooms, counts, strict=True):
                if not 0 <= count <= len(mapped.arrays.get(name, ())):
                    raise ValueError(f"{name} are cut short")
            return _Opened(mapped.arrays, columns, _text(file.attrs["config"]), *counts)
        except (KeyError, ValueError, TypeError, OSError) as error:
            raise _damaged(path, error) from error


def _damaged(path: Path, error: object) -> UserError:
    return UserError(
        f"The curves “{path}” are damaged: {error}.",
        kept="The dictionary itself is unchanged.",
        next_step="Restore the file from a copy.",
    )


def read_run(path: Path) -> RunCurves:
    """Read a run's log, also while it is being written. Raises UserError when damaged."""
    log = _opened(path)
    points, snapshots = log.points, log.snapshots
    # Copies: the file is written on, and may be replaced, while they are drawn.
    curves = np.array(log.arrays["curves"][:points], np.float64)
    columns = {name: np.full(points, np.nan) for name in COLUMNS}
    columns |= {name: curves[:, number] for number, name in enumerate(log.columns)}
    try:
        samples = [_unpacked(data) for data in log.arrays.get("samples", ())[:snapshots]]
    except (msgspec.DecodeError, RecursionError) as error:
        raise _damaged(path, error) from error
    changes = log.arrays["changes"][: log.changes] if log.changes else ()
    return RunCurves(
        columns=columns,
        density_steps=np.array(log.arrays["density_steps"][:snapshots]),
        density_counts=np.array(log.arrays["density_counts"][:snapshots]),
        samples=samples or [[] for _ in range(snapshots)],
        config=log.config,
        norm_counts=_counts(log, "norm_counts", NORM_EDGES),
        cosine_counts=_counts(log, "cosine_counts", COSINE_EDGES),
        changes=[_change(row) for row in changes],
    )


def _counts(log: _Opened, name: str, edges: Array) -> Array:
    found = log.arrays.get(name)
    return _no_counts(edges, log.snapshots) if found is None else np.array(found[: log.snapshots])


def _change(row: Array) -> RunChange:
    step, rows, lr, sparsity = (float(value) for value in row)
    return RunChange(
        step=int(step),
        rows=int(rows),
        lr=None if np.isnan(lr) else lr,
        sparsity=None if np.isnan(sparsity) else sparsity,
    )


def read_progress(path: Path) -> tuple[int, str]:
    """Return (rows consumed, config) of a run, its curves left unread."""
    log = _opened(path)
    try:
        number = log.columns.index("rows")
        rows = int(log.arrays["curves"][log.points - 1, number]) if log.points else 0
    except (ValueError, OverflowError) as error:
        raise _damaged(path, error) from error
    return rows, log.config


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
