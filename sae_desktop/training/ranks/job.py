"""`train` on several processes: each takes its share of every batch, and rank 0 writes.

All hold the whole dictionary and take the same steps: what a step needs of the whole batch is
exchanged (`mates`), so that the dictionary is that of one process to rounding. A checkpoint is one
of `train`, and continues on any number of processes.
"""

from __future__ import annotations

from typing import Any

import msgspec
import torch

from sae_desktop.devices.abilities import use
from sae_desktop.errors import JobCancelledError, UserError
from sae_desktop.jobs import JobContext
from sae_desktop.project import Project
from sae_desktop.storage.faults import format_bytes
from sae_desktop.storage.memory import free_memory
from sae_desktop.training.checkpoint import Progress, StorePosition
from sae_desktop.training.config import TrainConfig, TrainResult
from sae_desktop.training.job import restore_sides, train_group
from sae_desktop.training.observer import FollowingObserver, RunClock
from sae_desktop.training.planning.capacity import refuse_what_cannot_fit
from sae_desktop.training.ranks.agreement import agree_on, facts_of_rows, facts_of_run
from sae_desktop.training.ranks.group import Failure, RankLostError, Ranks
from sae_desktop.training.ranks.launched import Place
from sae_desktop.training.ranks.mates import RankMates, ShareFeed
from sae_desktop.training.ranks.refused import device_of, refuse_what_cannot_be_shared
from sae_desktop.training.ranks.shared_context import SharedContext
from sae_desktop.training.reservation import reserved
from sae_desktop.training.rows.pool import Feed, PoolSize, choose_pool
from sae_desktop.training.rows.source import Source, StoreSource
from sae_desktop.training.run_group import Member, RunGroup
from sae_desktop.training.run_setup import (
    PlannedRun,
    begin_state,
    identity,
    plan_run,
    state_groups,
)
from sae_desktop.training.trainer import Run, TrainerState


class ToldElsewhereError(Exception):
    """This rank ends, and another one tells a person why."""


def train_on_ranks(config: TrainConfig, place: Place, context: JobContext) -> TrainResult | None:
    """Train a dictionary together with the other ranks; return the result on rank 0.

    Raises what `train` raises, UserError for ranks that do not fit together and for a lost one,
    and ToldElsewhereError where another rank tells of it.
    """
    refuse_what_cannot_be_shared(config, place.count)
    device = device_of(config, place)
    use(device)
    config = msgspec.structs.replace(config, device=str(device))
    with Ranks(place, device, context.check_cancelled) as ranks:
        try:
            return _Training(config, ranks, SharedContext(context, ranks)).run()
        except RankLostError as error:
            if error.tells:
                raise
            raise ToldElsewhereError from error
        except JobCancelledError:
            ranks.fail(Failure(place.rank, "it was interrupted.", cancelled=True))
            raise
        except Exception as error:
            if ranks.fail(_failure(place.rank, error)):
                raise ToldElsewhereError from error
            raise


def _failure(rank: int, error: Exception) -> Failure:
    if isinstance(error, UserError):
        return Failure(rank, error.what, error.kept, error.next_step)
    return Failure(rank, f"{type(error).__name__}: {error}")


class _Training:
    """One rank's part of a run."""

    def __init__(self, config: TrainConfig, ranks: Ranks, context: SharedContext) -> None:
        self._config, self._ranks, self._context = config, ranks, context
        self._place, self._device = ranks.place, ranks.device

    def run(self) -> TrainResult | None:
        if not self._place.leads:
            self._follow()
            return None
        with reserved(Project.open(self._config.project), [self._config.name]):
            result = self._lead()
        self._ranks.part()
        return result

    def _planned(self) -> PlannedRun:
        """Plan the run: rank 0 first, which clears away what an earlier one left."""
        planned: list[PlannedRun] = []

        def plan() -> bool:
            planned.append(plan_run(self._config))
            return True

        self._ranks.of_leader("planned", plan)
        run = planned[0] if planned else plan_run(self._config)
        agree_on(
            self._ranks, "run", facts_of_run(run, self._device),
            "Start all ranks with the same command, on the same project.",
        )  # fmt: skip
        return run

    def _lead(self) -> TrainResult:
        run = self._planned()
        if run.finished is not None:
            self._context.log(f"The dictionary “{self._config.name}” is already trained.")
            return run.finished
        outcome = train_group([run], self._context, open_source=self._opened, begun=self._begun)[0]
        self._tell_what_was_exchanged()
        if isinstance(outcome, UserError):
            raise outcome
        return outcome

    def _follow(self) -> None:
        run = self._planned()
        if run.finished is None:
            source = self._opened(run, self._context)
            state = begin_state(run, source, self._device)
            self._begun(state)
            progress = Progress(config=identity(self._config))
            observer = FollowingObserver(self._config.name)
            member = Member(
                planned=run,
                run=Run(state, run.recipe, observer, rows=self._config.tokens),
                source=source,
                observer=observer,
                progress=run.checkpoint.progress if run.checkpoint else progress,
                settled_at=state.step,
            )
            RunGroup([member], source, self._context, RunClock()).run()
        self._ranks.part()

    def _opened(self, run: PlannedRun, context: JobContext) -> Source:
        """Open the rows as rank 0 does: the same ones in the same order, normalised alike."""
        del context
        saved = run.checkpoint.progress.position if run.checkpoint else None
        position = saved if isinstance(saved, StorePosition) else None
        sources: list[_SharedSource] = []

        def led() -> Any:
            sources.append(_SharedSource(self._config, position, self._place))
            return msgspec.to_builtins(sources[0].position)

        told = self._ranks.of_leader("position", led)
        position = msgspec.convert(told, StorePosition)
        source = sources[0] if sources else _SharedSource(self._config, position, self._place)
        agree_on(
            self._ranks, "rows", facts_of_rows(source),
            "Give all ranks the same store: the same folder, or a whole copy of it.",
        )  # fmt: skip
        restore_sides(run, source)
        self._share_sides(source)
        refuse_what_cannot_fit(
            self._config, source.plan, self._device, pool_bytes=source.pool_bytes,
            processes=self._place.local_count,
        )  # fmt: skip
        return source

    def _share_sides(self, source: StoreSource) -> None:
        """Normalise rows by rank 0's numbers, which another processor may round otherwise."""
        tensors = source.sides.tensors()
        there = [tensor.to(self._device) for tensor in tensors.values()]
        self._ranks.take_over(there)
        for own, tensor in zip(tensors.values(), there, strict=True):
            own.copy_(tensor)

    def _begun(self, state: TrainerState) -> None:
        """Have the run's state be rank 0's, and its batches shared."""
        self._ranks.of_leader("started", lambda: True)
        state.mates = RankMates(self._ranks, batch=self._config.batch, total=self._config.tokens)
        state.align = lambda: self._ranks.take_over(_tensors(state))
        state.align()
        self._ranks.start_counting(state.step)

    def _tell_what_was_exchanged(self) -> None:
        told = self._ranks.counted()
        if told.steps > 0:
            self._context.log(
                f"Each of {self._place.count} processes handed the others "
                f"{format_bytes(told.bytes // told.steps)} a step, which took "
                f"{told.seconds / told.of:.0%} of the time, waiting for one another included."
            )


def _tensors(state: TrainerState) -> list[torch.Tensor]:
    return [tensor for group in state_groups(state).values() for tensor in group.values()]


class _SharedSource(StoreSource):
    """A store of which this rank reads its share of every batch."""

    def __init__(self, config: TrainConfig, position: StorePosition | None, place: Place) -> None:
        self._place = place
        super().__init__(config, position)

    def _pool(self) -> PoolSize:
        # Each process of the machine fills a pool of its own.
        free = free_memory() // self._place.local_count
        return choose_pool(len(self.split.training), self._row_bytes, free)

    def feed(self) -> Feed:
        return ShareFeed(super().feed(), self._place.rank, self._place.count)
