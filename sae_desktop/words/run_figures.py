"""The final figures of a project's runs, as a table has them. Free of Qt."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sae_desktop.training.config import EvaluateResult, TrainConfig
from sae_desktop.training.sweeps.sweep_config import SweepRecord, SweepRow, settings_in_force
from sae_desktop.words.amounts import (
    duration_text,
    exact_count,
    figure_text,
    share_text,
    short_count,
)
from sae_desktop.words.architecture_titles import architecture_title
from sae_desktop.words.curve_files import as_table
from sae_desktop.words.glossary import hover
from sae_desktop.words.inventory import DictionaryItem, SetItem
from sae_desktop.words.set_words import layer_of
from sae_desktop.words.training_catalogue import TARGETS

_STATES = {"waiting": "waiting", "running": "running", "done": "trained", "failed": "failed"}


@dataclass(frozen=True)
class RunRow:
    """One run. What is not known, or not measured, is None."""

    name: str
    state: str
    architecture: str = ""
    target: str = "input"
    layer: int | None = None
    """Of a member of a set."""
    features: int | None = None
    k: int | None = None
    sparsity: float | None = None
    lr: float | None = None
    seed: int | None = None
    rows: int | None = None
    """Consumed so far."""
    steps: int | None = None
    loss: float | None = None
    l0: float | None = None
    fvu: float | None = None
    random_fvu: float | None = None
    """Of random directions of the same size and L0."""
    dead: float | None = None
    loss_recovered: float | None = None
    random_recovered: float | None = None
    seconds: float | None = None
    error: str = ""
    curves: bool = True
    """Whether there are points to draw."""


@dataclass(frozen=True)
class FigureColumn:
    """A column of the table."""

    field: str
    title: str
    text: Callable[[Any], str] = str
    number: bool = True
    own_tip: str = ""
    """What the column says that the glossary does not; empty: what the glossary says."""

    @property
    def tip(self) -> str:
        """What it is, in a sentence."""
        return self.own_tip or hover(self.title)


_TARGET_TITLES = {target: title for target, title, _ in TARGETS}


def _small(value: float) -> str:
    return f"{value:.3g}"


COLUMNS = (
    FigureColumn("name", "Run", number=False, own_tip="Checked runs are drawn."),
    FigureColumn("state", "State", number=False, own_tip="How far the training has come."),
    FigureColumn("architecture", "Architecture", number=False),
    FigureColumn(
        "target", "Target", lambda target: _TARGET_TITLES.get(target, target), number=False
    ),
    FigureColumn("layer", "Layer", exact_count),
    FigureColumn(
        "features", "Features", exact_count, own_tip="How many features the dictionary has."
    ),
    FigureColumn("k", "k", exact_count),
    FigureColumn("sparsity", "λ", _small, own_tip=f"{hover('λ')} “–” stands for the default."),
    FigureColumn("l0", "L0", lambda v: figure_text(v, 1)),
    FigureColumn("fvu", "FVU", figure_text),
    FigureColumn("random_fvu", "Random FVU", figure_text),
    FigureColumn("loss_recovered", "Recovered", share_text),
    FigureColumn("random_recovered", "Random recovered", share_text),
    FigureColumn("dead", "Dead", share_text),
    FigureColumn("loss", "Loss", lambda v: f"{v:.4g}"),
    FigureColumn(
        "lr", "lr", _small, own_tip=f"{hover('Learning rate')} “–” stands for the default."
    ),
    FigureColumn("seed", "Seed", exact_count),
    FigureColumn("rows", "Rows", short_count, own_tip="Rows consumed, counting repeated passes."),
    FigureColumn("seconds", "Time", duration_text, own_tip="How long the training took."),
)


def cell_text(row: RunRow, column: FigureColumn) -> str:
    """Return what a cell shows: "–" where nothing is known."""
    value = getattr(row, column.field)
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "–"
    return column.text(value)


def used_columns(rows: Sequence[RunRow]) -> list[FigureColumn]:
    """Return the columns that say something of these runs."""

    def says(column: FigureColumn) -> bool:
        values = {getattr(row, column.field) for row in rows}
        if column.field == "target":
            return values > {"input"} or bool(values - {"input"})
        return column.field in ("name", "l0", "fvu") or bool(values - {None, ""})

    return [column for column in COLUMNS if says(column)]


def order(rows: Sequence[RunRow], field: str, *, falling: bool) -> list[int]:
    """Return the rows' numbers in order of a field; those without a value come last."""

    def known(number: int) -> bool:
        value = getattr(rows[number], field)
        return value is not None and value == value

    with_value = [n for n in range(len(rows)) if known(n)]
    without = [n for n in range(len(rows)) if not known(n)]
    with_value.sort(key=lambda n: getattr(rows[n], field), reverse=falling)
    return with_value + without


def rows_of_runs(
    dictionaries: Sequence[DictionaryItem],
    running: Sequence[str],
    heeded: Mapping[str, Sequence[str]],
) -> list[RunRow]:
    """Return every run of a project.

    `heeded`: architecture → those of the settings it uses that not every architecture has; of
    one that is not in it k and λ are both shown.
    """
    return [_run(item, item.name in running, heeded) for item in dictionaries]


def row_of_begun(config: TrainConfig, heeded: Mapping[str, Sequence[str]]) -> RunRow:
    """Return a run that has started and left nothing on disk so far."""
    settings: Sequence[str] = ("k", "sparsity")
    if config.architecture in heeded:
        settings = settings_in_force(heeded[config.architecture], config.sparsity)
    return RunRow(
        name=config.name,
        state="running",
        architecture=architecture_title(config.architecture),
        target=config.target,
        features=config.features,
        k=config.k if "k" in settings else None,
        sparsity=config.sparsity if "sparsity" in settings else None,
        lr=config.lr or None,
        seed=config.seed,
    )


def _run(item: DictionaryItem, running: bool, heeded: Mapping[str, Sequence[str]]) -> RunRow:
    summary = item.summary
    result = summary.result if summary else None
    state = "running" if running else "trained" if item.complete else "unfinished"
    if result is not None and result.stopped_early and not running:
        state = "stopped early"
    if item.train is not None:
        row = replace(row_of_begun(item.train, heeded), name=item.name, state=state)
    else:
        row = RunRow(
            name=item.name,
            state=state,
            architecture=architecture_title(summary.architecture) if summary else "",
            features=summary.features if summary else None,
        )
    row = replace(row, rows=item.rows or None, curves=bool(item.rows) or running)
    if result is not None:
        row = replace(
            row,
            steps=result.steps,
            loss=result.loss,
            l0=result.l0,
            fvu=result.fvu,
            dead=result.dead_fraction,
            seconds=result.seconds,
        )
    return _evaluated(row, summary.evaluation if summary else None)


def _evaluated(row: RunRow, found: EvaluateResult | None) -> RunRow:
    if found is None:
        return row
    control = found.control
    return replace(
        row,
        l0=found.l0,
        fvu=found.fvu,
        dead=found.dead_fraction,
        loss_recovered=found.loss_recovered,
        random_fvu=control.fvu if control else None,
        random_recovered=control.loss_recovered if control else None,
    )


def rows_of_set(item: SetItem, running: bool, heeded: Mapping[str, Sequence[str]]) -> list[RunRow]:
    """Return a run for each member of a set, from the first layer on."""
    return [
        replace(_run(member, running, heeded), layer=layer_of(member.name))
        for member in item.members
    ]


def rows_of_sweep(record: SweepRecord, dictionaries: Sequence[DictionaryItem]) -> list[RunRow]:
    """Return the runs of a sweep, those that wait included."""
    items = {item.name: item for item in dictionaries}
    return [_swept(row, items.get(row.dictionary)) for row in record.rows]


def _swept(row: SweepRow, item: DictionaryItem | None) -> RunRow:
    state = "stopped early" if row.stopped_early else _STATES[row.state]
    found = RunRow(
        name=row.dictionary,
        state=state,
        architecture=architecture_title(row.architecture),
        target=item.train.target if item and item.train else "input",
        features=row.features,
        k=row.k,
        sparsity=row.sparsity,
        lr=row.peak_lr or row.lr or None,
        seed=row.seed,
        rows=row.steps * row.batch or (item.rows if item else 0) or None,
        steps=row.steps or None,
        loss=row.loss,
        l0=row.l0,
        fvu=row.fvu,
        dead=row.dead_fraction,
        loss_recovered=row.loss_recovered,
        seconds=row.seconds,
        error=row.error,
        curves=bool(item and item.rows) or row.state == "running",
    )
    return _evaluated(found, item.summary.evaluation if item and item.summary else None)


def runs_table(rows: Sequence[RunRow], *, delimiter: str) -> str:
    """Return the table as delimited text, figures in full."""
    columns = used_columns(rows)

    def text(value: object) -> str:
        return "" if value is None else f"{value:.8g}" if isinstance(value, float) else str(value)

    cells = [[text(getattr(row, column.field)) for column in columns] for row in rows]
    return as_table([column.field for column in columns], cells, delimiter=delimiter)
