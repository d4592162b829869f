"""Runs under way: several dictionaries that learn from the same batches in one pass.

Between two steps a session does what was requested in the meantime: it changes settings,
reinitialises dead features, writes checkpoints, pauses, ends. Whatever ends it, what the runs have
learned up to their last whole step is in a checkpoint, if the disk has room.
"""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec
import torch

from sae_desktop.dictionary.architectures import Batch
from sae_desktop.errors import JobCancelledError, UserError
from sae_desktop.jobs import JobContext
from sae_desktop.training.checkpoint import Progress, save_checkpoint
from sae_desktop.training.config import RunChange
from sae_desktop.training.observer import FollowingObserver, RunClock, RunObserver
from sae_desktop.training.resampling import SAMPLE_ROWS, resample, resamples_at
from sae_desktop.training.rows.batches import Batches
from sae_desktop.training.rows.source import Source
from sae_desktop.training.run_setup import PlannedRun, changed, state_groups
from sae_desktop.training.trainer import Run, train_loop

_ADJUSTABLE = ("lr", "sparsity")
_RETRY_SECONDS = 30.0
"""After a checkpoint that could not be written."""


class _StoppedError(Exception):
    """Ends a session whose runs are to be kept as they are."""


Watcher = TypeVar("Watcher", RunObserver, FollowingObserver)
"""The latter where another process writes what there is of the run."""


@dataclass
class Member(Generic[Watcher]):
    """One run of a session."""

    planned: PlannedRun
    run: Run
    source: Source
    """Of its own rows: those of the session, or a part of them."""
    observer: Watcher
    progress: Progress
    """Where it stood when the session began, with all changes made since."""
    settled_at: int
    """The last step after which everything due between two steps was done."""
    saved_at: int = -1
    """The step of the last checkpoint of this session."""
    stopped_early: bool = False

    @property
    def name(self) -> str:
        return self.planned.config.name

    @property
    def going(self) -> bool:
        return self.observer.failure is None and self.run.state.step < self.run.recipe.steps


class RunGroup:
    """Runs on the same batches, and what is done between their steps."""

    def __init__(
        self,
        members: Sequence[Member[Any]],
        source: Source,
        context: JobContext,
        clock: RunClock,
    ) -> None:
        self._members, self._source = members, source
        self._context, self._clock = context, clock
        configs = [member.planned.config for member in members]
        self._total = max(config.tokens for config in configs)
        self._start = min(member.run.state.rows for member in members)
        self._batches = clock.batches = Batches(
            source.feed(),
            source.sides,
            batch=configs[0].batch,
            start=self._start,
            total=self._total,
            device=members[0].run.state.device,
            while_waiting=self._while_waiting,
        )
        self._seconds = min(config.checkpoint_seconds for config in configs)
        self._next_save = time.monotonic() + self._seconds

    def run(self) -> None:
        """Take the runs to their ends.

        Raises JobCancelledError, and whatever error ended the session, after a checkpoint.
        """
        self._clock.start()
        with closing(self._watched()) as batches:
            try:
                train_loop([member.run for member in self._members], batches, start=self._start)
            except BaseException as error:
                # Before the batches are closed: rows that come slowly are long in ending.
                self._save_last(error)
                raise
        self._tell_progress()

    def _watched(self) -> Generator[Batch, None, None]:
        """Yield the batches, and see to everything else between them."""
        try:
            with closing(iter(self._batches)) as batches:
                for batch in batches:
                    yield batch
                    self._between_steps()
                    if self._context.stop_requested:
                        raise _StoppedError
        except _StoppedError:
            for member in self._members:
                member.stopped_early = member.going

    def _between_steps(self) -> None:
        try:
            self._settle()
            self._adjust(self._context.adjustments())
            self._obey()
            if time.monotonic() >= self._next_save:
                self._save()
            self._tell_progress()
        except Exception as error:
            self._save_last(error)
            raise

    def _while_waiting(self) -> None:
        """Obey also where rows come slowly; what has learned nothing yet is not kept."""
        self._obey()
        begun = all(member.run.state.step for member in self._members)
        if self._context.stop_requested and begun:
            raise _StoppedError

    def _obey(self) -> None:
        """Pause, after a checkpoint, if asked; raise JobCancelledError after a cancel."""
        paused = self._context.pause_requested
        if paused:
            self._save()
        began = time.perf_counter()
        try:
            self._context.check_cancelled()
        except JobCancelledError as error:
            self._save_last(error)
            raise
        if paused:  # the pause itself is no time of the runs
            self._clock.leave_out(time.perf_counter() - began)

    def _tell_progress(self) -> None:
        rows = max(member.run.state.rows for member in self._members)
        self._context.progress(rows, self._total, "rows")

    def _settle(self) -> None:
        """Do what belongs to the steps just taken."""
        for member in self._members:
            if member.run.state.step != member.settled_at:
                self._resample(member)
                member.settled_at = member.run.state.step

    def _resample(self, member: Member[Any]) -> None:
        state, recipe = member.run.state, member.run.recipe
        config = member.planned.config
        if config.resample and member.going and resamples_at(state.step, recipe.steps):
            rows = member.source.sample(SAMPLE_ROWS, state.step)
            count = resample(state, recipe.dead_window, rows, config.seed + state.step)
            state.align()
            self._tell(member, f"{count:,} dead features reinitialised at step {state.step:,}.")

    def _adjust(self, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            if name not in _ADJUSTABLE or not math.isfinite(value) or value < 0:
                self._context.log(f"{name} = {value:g} is not valid, so it was not changed.")
                continue
            for member in self._members:
                self._change(member, name, value)

    def _change(self, member: Member[Any], name: str, value: float) -> None:
        if not member.going:
            return
        state = member.run.state
        change = RunChange(step=state.step + 1, rows=state.rows, **{name: value})
        member.run.recipe = changed(member.run.recipe, change)
        member.progress = msgspec.structs.replace(
            member.progress, changes=(*member.progress.changes, change)
        )
        if isinstance(member.observer, RunObserver):
            member.observer.log.append_change(change)
        self._tell(member, f"From step {change.step:,} on {name} is {value:g}.")

    def _save(self) -> None:
        """Write checkpoints of all runs; where that fails, say so and try again later."""
        self._next_save = time.monotonic() + self._seconds
        for member in self._members:
            try:
                self._checkpoint(member)
            except UserError as error:
                self._next_save = time.monotonic() + min(self._seconds, _RETRY_SECONDS)
                self._tell(
                    member,
                    f"No checkpoint could be written: {error.what} The training continues, the "
                    "last checkpoint is kept, and another attempt follows soon.",
                )

    def _checkpoint(self, member: Member[Any]) -> None:
        state, observer = member.run.state, member.observer
        if not isinstance(observer, RunObserver):
            return
        if not state.step or member.saved_at == state.step or observer.failure is not None:
            return
        if not _finite(member):
            return
        observer.log.sync()
        progress = msgspec.structs.replace(
            member.progress,
            position=self._source.place(state.rows),
            step=state.step,
            rows=state.rows,
            seconds=observer.seconds,
            waited=observer.waited,
            loss=observer.loss,
            points=observer.log.points,
            snapshots=observer.log.snapshots,
        )
        groups = dict(state_groups(state))
        groups["sides"] = member.source.sides.tensors()
        config = member.planned.config
        save_checkpoint(member.planned.checkpoints, progress, groups, keep=config.keep_checkpoints)
        member.saved_at = state.step

    def _save_last(self, error: BaseException) -> None:
        """Keep what the runs have learned before an error ends them."""
        for member in self._members:
            if member.run.stepping or member.settled_at != member.run.state.step:
                continue  # a state in the middle of a step is of no use
            try:
                self._checkpoint(member)
            except Exception as second:
                what = "" if isinstance(error, JobCancelledError) else f" after “{error}”"
                self._tell(member, f"No checkpoint could be written{what}: {second}")

    def _tell(self, member: Member[Any], message: str) -> None:
        several = len(self._members) > 1
        self._context.log(f"“{member.name}”: {message}" if several else message)


def _finite(member: Member[Any]) -> bool:
    """Whether the weights are numbers: a checkpoint of others must not take a good one's place."""
    # A sum, not isfinite: it needs no memory for a mask as large as the weights.
    sums = [p.detach().sum() for p in member.run.state.architecture.parameters.values()]
    return bool(torch.stack(sums).isfinite().all())
