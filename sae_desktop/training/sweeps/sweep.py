"""The job `sweep`: trains the runs of a grid, those that can share batches in one pass.

The table in the project is written whenever a pass begins or ends, so that a sweep killed in
the middle continues with the runs it still lacks, each from its last checkpoint.
"""

from __future__ import annotations

import itertools
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from sae_desktop.dictionary.architectures import ARCHITECTURES
from sae_desktop.errors import JobCancelledError, UserError
from sae_desktop.jobs import JobContext
from sae_desktop.language_model.device import resolve_device
from sae_desktop.project import Project
from sae_desktop.training import run_folder
from sae_desktop.training.config import TrainConfig, TrainResult
from sae_desktop.training.job import train_together
from sae_desktop.training.planning.capacity import how_many_fit
from sae_desktop.training.planning.preflight import plan_of
from sae_desktop.training.reservation import reserved
from sae_desktop.training.run_log import read_run
from sae_desktop.training.sweeps.sweep_config import (
    AXES,
    SweepConfig,
    SweepPoint,
    SweepRecord,
    SweepResult,
    SweepRow,
    read_sweep,
    sweep_points,
    write_sweep,
)

_OF_ONE_PASS = (
    "activations", "other_activations", "stream", "target", "sites", "output_sites",
    "exclude_massive", "rows_of", "centre", "batch", "seed", "metric_rows", "device",
)  # fmt: skip
"""Settings that decide which rows a step is given, as what, and where."""
_FREE_SETTINGS = (
    "project", "name", "device", "checkpoint_seconds", "keep_checkpoints", "metric_rows",
    "measure_loss",
)  # fmt: skip
"""Settings that may change when a sweep continues."""
_END_OF_RUN = 0.02
"""Share of a run over whose points the loss is averaged: that of one batch is noisy."""


def sweep(config: SweepConfig, context: JobContext) -> SweepResult:
    """Train every run of the grid that is not yet done; one that fails does not end the others.

    A request to stop ends the pass under way early and leaves the rest waiting. Raises UserError
    for a grid that cannot be, or a name taken by a sweep around another run.
    """
    began = time.perf_counter()
    project = Project.open(config.project)
    points = sweep_points(config, {name: kind.settings for name, kind in ARCHITECTURES.items()})
    table = _Table(project, config, points)
    waiting = [point for point in points if table.row(point).state != "done"]
    if len(waiting) < len(points):
        context.log(f"{len(points) - len(waiting)} of {len(points)} runs are done already.")
    passes = [some for alike in _sharing_batches(waiting) for some in _packed(alike, config)]
    told = _PassContext(context, sum(_rows(some) for some in passes))
    with reserved(project, [table.row(point).dictionary for point in waiting]):
        table.save()
        for some in passes:
            context.check_cancelled()
            if context.stop_requested:
                break
            told.begin(_rows(some), table.progress(points))
            with table.running(some):
                results = _train_pass([table.train_config(point) for point in some], told)
                for row in table.enter(some, results):
                    context.log(_told(row))
    table.save()
    rows = [table.row(point) for point in points]
    states = [row.state for row in rows]
    return SweepResult(
        name=config.name,
        rows=rows,
        done=states.count("done"),
        failed=states.count("failed"),
        waiting=states.count("waiting"),
        seconds=time.perf_counter() - began,
    )


def _rows(points: Sequence[SweepPoint]) -> int:
    """Return the rows of a pass; the runs on it may be of different lengths."""
    return max(point.train.tokens for point in points)


def _told(row: SweepRow) -> str:
    if row.state == "failed":
        return f"“{row.dictionary}” failed: {row.error}"
    return f"“{row.dictionary}”: L0 {row.l0:.4g}, FVU {row.fvu:.4g}"


class _Table:
    """The sweep's rows, as they stand and as they are written."""

    def __init__(self, project: Project, config: SweepConfig, points: Sequence[SweepPoint]) -> None:
        self._project, self._config = project, config
        self._rows: dict[str, SweepRow] = {}
        self._names: dict[tuple[Any, ...], str] = {}
        path = project.sweep_path(config.name)
        if path.is_file():
            record = read_sweep(path)
            _refuse_other_base(config, record.config)
            for row in record.rows:
                self._keep(row)
        for point in points:
            if _settings(point.row) not in self._names:
                self._keep(self._with_free_name(point.row))

    def _keep(self, row: SweepRow) -> None:
        self._rows[row.dictionary] = row
        self._names[_settings(row)] = row.dictionary

    def _with_free_name(self, row: SweepRow) -> SweepRow:
        """A sweep that was extended may have given the name to a run of other settings."""
        names = (f"{row.dictionary}-{number}" for number in itertools.count(2))
        name = row.dictionary
        while name in self._rows:
            name = next(names)
        return msgspec.structs.replace(row, dictionary=name)

    def row(self, point: SweepPoint) -> SweepRow:
        return self._rows[self._names[_settings(point.row)]]

    def progress(self, points: Sequence[SweepPoint]) -> str:
        done = sum(self.row(point).state == "done" for point in points)
        return f"{done} of {len(points)} runs done"

    def train_config(self, point: SweepPoint) -> TrainConfig:
        """Return what to train, under the name that an earlier sweep gave it."""
        return msgspec.structs.replace(point.train, name=self.row(point).dictionary)

    def save(self) -> None:
        write_sweep(self._project, SweepRecord(config=self._config, rows=list(self._rows.values())))

    @contextmanager
    def running(self, points: Sequence[SweepPoint]) -> Iterator[None]:
        """Show runs as running; those that are not entered by the end are waiting again."""
        for point in points:
            self._change(point, state="running", error="", together=len(points))
        self.save()
        try:
            yield
        finally:
            for point in points:
                if self.row(point).state == "running":
                    self._change(point, state="waiting")
            self.save()

    def enter(
        self, points: Sequence[SweepPoint], results: Sequence[TrainResult | str]
    ) -> list[SweepRow]:
        """Write results into the rows of their runs; a text is why a run failed."""
        for point, result in zip(points, results, strict=True):
            if isinstance(result, str):
                self._change(point, state="failed", error=result)
            else:
                folder = self._project.dictionary_path(self.row(point).dictionary)
                self._change(point, state="done", **_figures(folder, result))
        return [self.row(point) for point in points]

    def _change(self, point: SweepPoint, **values: Any) -> None:
        self._keep(msgspec.structs.replace(self.row(point), **values))


def _settings(row: SweepRow) -> tuple[Any, ...]:
    return (row.architecture, row.features, row.k, row.sparsity, row.lr, row.tokens, row.seed)


def _refuse_other_base(config: SweepConfig, earlier: SweepConfig) -> None:
    # The axes stand in the rows.
    compared = [f for f in config.base.__struct_fields__ if f not in (*AXES, *_FREE_SETTINGS)]
    different = [f for f in compared if getattr(config.base, f) != getattr(earlier.base, f)]
    if not different:
        return
    raise UserError(
        f"The sweep “{config.name}” was made with a different {', '.join(different)}.",
        kept="It was left unchanged.",
        next_step="Choose another name, or use its settings.",
    )


def _figures(folder: Path, result: TrainResult) -> dict[str, Any]:
    """Return what a row shows of a finished run, as fields of SweepRow."""
    found: dict[str, Any] = {
        field: getattr(result, field)
        for field in (
            "steps", "l0", "fvu", "dead_fraction", "loss", "rows_per_second", "seconds",
            "stopped_early",
        )
    }  # fmt: skip
    found["compute"] = float(result.features) * result.steps
    log = folder / run_folder.RUN_LOG
    if not log.is_file():
        return found
    run = read_run(log)
    at, losses = run.measured("loss")
    if len(losses):
        found["loss"] = float(losses[at >= (1 - _END_OF_RUN) * at[-1]].mean())
    _, recovered = run.measured("loss_recovered")
    if len(recovered):
        found["loss_recovered"] = float(recovered[-1])
    _, rates = run.measured("learning_rate")
    if len(rates):
        found["peak_lr"] = float(rates.max())
    return found


def _sharing_batches(points: Sequence[SweepPoint]) -> list[list[SweepPoint]]:
    """Return the runs that are given the same batches together, in the grid's order."""
    groups: dict[bytes, list[SweepPoint]] = defaultdict(list)
    for point in points:
        batches = [getattr(point.train, field) for field in _OF_ONE_PASS]
        # The pools of a stream are cut from the length of the run.
        batches.append(point.train.tokens if point.train.stream else 0)
        groups[msgspec.json.encode(batches)].append(point)
    return list(groups.values())


def _packed(points: Sequence[SweepPoint], config: SweepConfig) -> Iterator[list[SweepPoint]]:
    """Yield runs that fit into memory side by side, at most `config.together` at once."""
    left = list(points)
    plan, device = plan_of(left[0].train), resolve_device(left[0].train.device)
    while left:
        count = how_many_fit([point.train for point in left], plan, device)
        if config.together:
            count = min(count, config.together)
        yield left[:count]
        left = left[count:]


def _train_pass(configs: Sequence[TrainConfig], context: JobContext) -> list[TrainResult | str]:
    """Train runs on the same batches; in place of the result of one that fails, why."""
    try:
        outcomes = train_together(configs, context)
    except JobCancelledError:
        raise
    except Exception as error:  # a bug or a lack of memory must not end the other runs
        if len(configs) == 1:
            return [f"{type(error).__name__}: {error}"]
        context.log(f"{len(configs)} runs in one pass failed ({error}); training them one by one.")
        return [result for config in configs for result in _train_pass([config], context)]
    return [str(o) if isinstance(o, UserError) else o for o in outcomes]


class _PassContext:
    """What a pass says, as a part of the sweep. Curves are not passed on: several runs have one
    each, and their logs hold them."""

    def __init__(self, outer: JobContext, total: int) -> None:
        self._outer, self._total = outer, total
        self._before = self._rows = 0
        self._message = ""

    def begin(self, rows: int, message: str) -> None:
        """Move on to the next pass, over a given number of rows."""
        self._before += self._rows
        self._rows, self._message = rows, message
        self.progress(0, rows, "rows")

    def progress(self, done: float, total: float, unit: str, message: str = "") -> None:
        self._outer.progress(
            self._before + done / max(total, 1) * self._rows,
            self._total,
            unit,
            " · ".join(part for part in (self._message, message) if part),
        )

    def metric(self, step: int, values: Mapping[str, float]) -> None:
        del step, values

    def output(self, data: msgspec.Struct) -> None:
        self._outer.output(data)

    def log(self, message: str) -> None:
        self._outer.log(message)

    def adjustments(self) -> Mapping[str, float]:
        return {}

    @property
    def pause_requested(self) -> bool:
        return self._outer.pause_requested

    @property
    def stop_requested(self) -> bool:
        return self._outer.stop_requested

    @property
    def ending(self) -> bool:
        return self._outer.ending

    def check_cancelled(self) -> None:
        self._outer.check_cancelled()
