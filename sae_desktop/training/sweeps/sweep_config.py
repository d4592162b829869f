"""A sweep: what is asked for, its grid, and the table it leaves in the project. Free of torch.

The table is `sweeps/<name>.json`: a `SweepRecord`, rewritten whenever a run begins or ends.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec

from sae_desktop.corpus.config import decode_made
from sae_desktop.errors import UserError
from sae_desktop.limits import AtLeast0, Count, CountOrNone, Seed
from sae_desktop.project import Project, checked_name
from sae_desktop.storage.atomic import write_bytes
from sae_desktop.training.config import TrainConfig
from sae_desktop.training.second_look import with_its_own_looks

SCHEMA_VERSION = 1
MOST_RUNS = 4096

AXES = ("architecture", "features", "k", "sparsity", "lr", "tokens", "seed")
"""Fields of TrainConfig a sweep may vary; the last changes fastest."""
_SETTINGS_OF_SOME = frozenset({"k", "sparsity"})
"""Axes that only some architectures use."""
_IN_NAMES = {
    "architecture": "",
    "features": "f",
    "k": "k",
    "sparsity": "lambda",
    "lr": "lr",
    "tokens": "t",
    "seed": "seed",
}

RowState = Literal["waiting", "running", "done", "failed"]


class SweepConfig(msgspec.Struct, frozen=True, kw_only=True, tag="sweep"):
    """Train every combination of the values given; a value not given is that of `base`.

    A sweep of that name resumes where it stopped; values may have been added to it since.
    """

    project: str
    name: str
    base: TrainConfig
    """Its `project` and `name` are not used: each run gets the project's and one of its own."""
    architecture: tuple[str, ...] = ()
    features: tuple[Count, ...] = ()
    k: tuple[Count, ...] = ()
    sparsity: tuple[AtLeast0, ...] = ()
    lr: tuple[AtLeast0, ...] = ()
    tokens: tuple[Count, ...] = ()
    seed: tuple[Seed, ...] = ()
    together: CountOrNone = 0
    """Runs in one pass over the rows at most; 0: as many as the memory holds."""


class SweepRow(msgspec.Struct, frozen=True, kw_only=True):
    """One run of a sweep: its settings and, once it is done, its figures."""

    dictionary: str
    """Name of the run and of the dictionary it makes."""
    architecture: str
    features: int
    k: int | None
    """Null where the architecture has none; so with `sparsity`."""
    sparsity: float | None
    """λ; null: none, or the architecture's default."""
    lr: float
    """As asked for; 0: the default for its size."""
    tokens: int
    batch: int
    seed: int
    state: RowState = "waiting"
    error: str = ""
    """Why it failed."""
    steps: int = 0
    compute: float = 0.0
    """Features × steps, to which compute is proportional at one batch and width (Scaling
    Monosemanticity, Scaling Laws)."""
    peak_lr: float | None = None
    """As used."""
    l0: float | None = None
    fvu: float | None = None
    dead_fraction: float | None = None
    loss: float | None = None
    """Mean over the last fiftieth of the run, in units of normalised ‖x‖²."""
    loss_recovered: float | None = None
    """Null without a model."""
    rows_per_second: float | None = None
    seconds: float | None = None
    """Of the whole pass it was part of."""
    together: int = 1
    """Runs in that pass."""
    stopped_early: bool = False


class SweepRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Content of `sweeps/<name>.json`."""

    schema_version: int = SCHEMA_VERSION
    config: SweepConfig
    rows: list[SweepRow]


class SweepResult(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    rows: list[SweepRow]
    done: int
    failed: int
    waiting: int
    """Not started, because the sweep was stopped."""
    seconds: float


class SweepPoint(NamedTuple):
    """A run of the grid: its row as yet without figures, and what `train` is given."""

    row: SweepRow
    train: TrainConfig


def settings_in_force(settings: Collection[str], sparsity: float | None) -> tuple[str, ...]:
    """Return which of an architecture's own settings matter to a run with this λ.

    Where k leads λ, as in JumpReLU, it matters only as long as no λ is chosen.
    """
    led = "k" in settings and "sparsity" in settings
    without = "k" if sparsity is not None else "sparsity"
    return tuple(name for name in settings if not (led and name == without))


def sweep_points(config: SweepConfig, settings: Mapping[str, Sequence[str]]) -> list[SweepPoint]:
    """Return the grid's runs, without those that differ only in what the architecture ignores.

    `settings`: architecture → `ArchitectureInfo.settings`; of one that is not in it every axis
    counts. Raises UserError for names that cannot be, or more than `MOST_RUNS` runs.
    """
    values = {axis: getattr(config, axis) or (getattr(config.base, axis),) for axis in AXES}
    count = 1
    for choices in values.values():
        count *= len(choices)
    if count > MOST_RUNS:
        raise UserError(
            f"The sweep asks for {count:,} runs.",
            next_step=f"The limit is {MOST_RUNS:,}: vary fewer settings.",
        )
    varied = [axis for axis in AXES if len(set(values[axis])) > 1]
    points: dict[tuple[Any, ...], SweepPoint] = {}
    for combination in itertools.product(*(values[axis] for axis in AXES)):
        chosen = dict(zip(AXES, combination, strict=True))
        heeded = settings.get(chosen["architecture"], tuple(_SETTINGS_OF_SOME))
        in_force = {*settings_in_force(heeded, chosen["sparsity"]), "sparsity"}
        ignored = _SETTINGS_OF_SOME - (in_force & set(heeded))
        for axis in ignored:
            chosen[axis] = getattr(config.base, axis)
        key = tuple(chosen.values())
        if key not in points:
            name = _run_name(config.name, chosen, [a for a in varied if a not in ignored])
            point = _point(config, chosen, ignored, name)
            if chosen["architecture"] in settings:
                train = with_its_own_looks(point.train, heeded)
                point = point._replace(train=train)
            points[key] = point
    return list(points.values())


def _run_name(sweep: str, chosen: Mapping[str, Any], varied: Sequence[str]) -> str:
    parts = [f"{_IN_NAMES[axis]}{_value_text(chosen[axis])}" for axis in varied]
    return checked_name("-".join([sweep, *parts]))


def _value_text(value: Any) -> str:
    if value is None:
        return "default"
    return str(value)


def _point(
    config: SweepConfig, chosen: Mapping[str, Any], ignored: frozenset[str], name: str
) -> SweepPoint:
    train = msgspec.structs.replace(config.base, project=config.project, name=name, **chosen)
    row = SweepRow(
        dictionary=name,
        architecture=train.architecture,
        features=train.features,
        k=None if "k" in ignored else train.k,
        sparsity=None if "sparsity" in ignored else train.sparsity,
        lr=train.lr,
        tokens=train.tokens,
        batch=train.batch,
        seed=train.seed,
    )
    return SweepPoint(row, train)


def read_sweep(path: Path) -> SweepRecord:
    """Read a sweep's table, also while it runs. Raises UserError when damaged or too new."""
    try:
        record = decode_made(path.read_bytes(), SweepRecord)
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(
            f"The sweep “{path.stem}” cannot be read: {error}.",
            kept="The dictionaries it trained are unchanged.",
            next_step="Restore the file from a copy, or move it elsewhere and start the sweep "
            "again: runs already trained are reused.",
        ) from error
    if record.schema_version > SCHEMA_VERSION:
        raise UserError(
            f"The sweep “{path.stem}” was written by a newer SAE Desktop.",
            next_step="Update SAE Desktop to open it.",
        )
    return record


def write_sweep(project: Project, record: SweepRecord) -> None:
    """Write a sweep's table in one piece. Raises UserError when the disk is full."""
    path = project.sweep_path(record.config.name)
    # Without the project's path: a project may be copied, and goes by where it lies.
    base = msgspec.structs.replace(record.config.base, project="", name="")
    config = msgspec.structs.replace(record.config, project="", base=base)
    written = msgspec.structs.replace(record, config=config)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, msgspec.json.format(msgspec.json.encode(written), indent=1))
