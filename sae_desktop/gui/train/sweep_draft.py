"""A sweep as it is typed: lists of values, the runs they make, what is wrong with them.

Free of Qt.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from sae_desktop.errors import UserError
from sae_desktop.project import checked_name
from sae_desktop.training.config import TrainConfig
from sae_desktop.training.settings_check import sweep_problems
from sae_desktop.training.sweeps.sweep_config import (
    AXES,
    SweepConfig,
    SweepPoint,
    SweepRecord,
    sweep_points,
)
from sae_desktop.words.amounts import short_count

_UNITS = {"": 1, "k": 1_000, "m": 1_000_000}
_NUMBER = re.compile(r"(\d+(?:\.\d+)?(?:e[+-]?\d+)?)([km]?)", re.IGNORECASE)
_RANGE = re.compile(r"\s*(?:\.\.|…)\s*")
_MOST_VALUES = 64


@dataclass(frozen=True)
class AxisInfo:
    """A setting that a sweep varies."""

    axis: str
    text: str
    example: str
    whole: bool = True
    """Whether its values are whole numbers."""
    step: int = 0
    """A range a..b counts up by this; 0: it doubles."""


AXIS_INFOS = (
    AxisInfo("features", "Features", "512..4096"),
    AxisInfo("k", "k", "16, 32, 64"),
    AxisInfo("sparsity", "λ", "1, 2, 5, 10", whole=False),
    AxisInfo("lr", "Learning rate", "1e-4..8e-4", whole=False),
    AxisInfo("tokens", "Rows", "500k, 1M, 2M"),
    AxisInfo("seed", "Seed", "0..2", step=1),
)


def parse_values(info: AxisInfo, text: str) -> tuple[Any, ...]:
    """Return the values of a list such as "16, 32, 64", "512..4096" (doubling) or "0..2".

    Numbers may end in k or M. Each value is there once, in the order given. Raises UserError
    for what is not such a list.
    """
    values: list[Any] = []
    for part in re.split(r"[,;\s]+", _RANGE.sub("..", text.strip())):
        low, dots, high = part.partition("..")
        if dots:
            values += _between(info, _number(info, low), _number(info, high))
        elif part:
            values.append(_number(info, part))
    if len(values) > _MOST_VALUES:
        raise UserError(f"{len(values)} values are too many; at most {_MOST_VALUES} are allowed.")
    return tuple(dict.fromkeys(values))


def _number(info: AxisInfo, text: str) -> Any:
    match = _NUMBER.fullmatch(text.strip())
    if match is None:
        raise UserError(f"“{text}” is not a number.", next_step=f"For example {info.example}.")
    value = float(match[1]) * _UNITS[match[2].lower()]
    if not info.whole:
        return value
    if value != int(value):
        raise UserError(f"“{text}” is not a whole number.")
    return int(value)


def _between(info: AxisInfo, low: Any, high: Any) -> list[Any]:
    following: Callable[[Any], Any] = (lambda v: v + info.step) if info.step else (lambda v: v * 2)
    if high < low or (low <= 0 and not info.step):
        raise UserError(f"{low}..{high} is not a range.", next_step=f"For example {info.example}.")
    values = [low]
    while following(values[-1]) <= high * (1 + 1e-9) and len(values) <= _MOST_VALUES:
        values.append(following(values[-1]))
    return values


@dataclass(frozen=True)
class SweepDraft:
    """What is typed."""

    name: str
    architectures: tuple[str, ...]
    texts: Mapping[str, str]
    """Axis → its list as typed."""


def build_sweep(
    draft: SweepDraft, base: TrainConfig, project: str, heeded: Mapping[str, Sequence[str]]
) -> tuple[SweepConfig | None, list[SweepPoint], dict[str, str]]:
    """Return the sweep and its runs, or none of them and field → what is wrong."""
    found: dict[str, str] = {}
    values: dict[str, Any] = {}
    for info in AXIS_INFOS:
        try:
            values[info.axis] = parse_values(info, draft.texts.get(info.axis, ""))
        except UserError as error:
            found[info.axis] = str(error)
    if draft.architectures and set(draft.architectures) != {base.architecture}:
        values["architecture"] = draft.architectures
    try:
        checked_name(draft.name)
    except UserError as error:
        found["name"] = str(error)
    if found:
        return None, [], found
    config = SweepConfig(project=project, name=draft.name, base=base, **values)
    try:
        points = sweep_points(config, heeded)
    except UserError as error:
        return None, [], {"name": str(error)}
    if len(points) < 2:
        return None, points, {"": "Give at least one setting more than one value."}
    unsound = sweep_problems(points, heeded)
    return (None if unsound else config), points, unsound


def unfinished_sweep(config: SweepConfig | None, records: Sequence[SweepRecord]) -> str:
    """Return the name of a sweep of the same settings that was interrupted; empty: none was."""
    if config is None:
        return ""
    for record in records:
        made = record.config
        base = msgspec.structs.replace(made.base, project=config.base.project, name="")
        same = msgspec.structs.replace(
            made, project=config.project, base=base, together=config.together
        ) == msgspec.structs.replace(
            config, name=made.name, base=msgspec.structs.replace(config.base, name="")
        )
        if same and any(row.state != "done" for row in record.rows):
            return made.name
    return ""


def passes(points: Sequence[SweepPoint]) -> list[TrainConfig]:
    """Return a run of each pass over the data: runs that differ in rows or seed cannot share."""
    shared = {(p.train.tokens, p.train.seed): p.train for p in points}
    return list(shared.values())


def sweep_text(points: Sequence[SweepPoint]) -> str:
    """Return what a grid amounts to: "12 runs in 2 passes, 4M rows read"."""
    needed = passes(points)
    rows = sum(config.tokens for config in needed)
    times = "1 pass" if len(needed) == 1 else f"{len(needed)} passes"
    return (
        f"{len(points)} runs in {times} over the data if memory allows: "
        f"{short_count(rows)} rows read."
    )


def heeded_axes(
    base: TrainConfig, architectures: Sequence[str], heeded: Mapping[str, Sequence[str]]
) -> set[str]:
    """Return the axes that say something of at least one of the architectures."""
    chosen = architectures or (base.architecture,)
    of_some = {axis for settings in heeded.values() for axis in settings} & set(AXES)
    said = {axis for name in chosen for axis in heeded.get(name, of_some)}
    return {axis for axis in AXES if axis not in of_some or axis in said}


def config_of_row(record: SweepRecord, name: str) -> TrainConfig:
    """Return the settings of a run of a sweep that has left nothing on disk so far."""
    row = next(row for row in record.rows if row.dictionary == name)
    base = record.config.base
    return msgspec.structs.replace(
        base,
        name=name,
        architecture=row.architecture,
        features=row.features,
        k=base.k if row.k is None else row.k,
        sparsity=row.sparsity,
        lr=row.lr,
        tokens=row.tokens,
        seed=row.seed,
    )
