"""Runs `train` where torchrun has started several processes of it: rank 0 reports, as ever."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import typer

from sae_desktop.cli import EXIT_FAILED, EXIT_INTERRUPTED
from sae_desktop.cli.reporter import Render, Reporter, make_reporter
from sae_desktop.cli.runner import cancelled_by_signals, run_job_command, tell
from sae_desktop.engine.context import WorkerContext
from sae_desktop.engine.environment import prepare_environment
from sae_desktop.engine.explain import explain
from sae_desktop.engine.protocol import ErrorInfo, Event
from sae_desktop.engine.registry import job_title
from sae_desktop.errors import JobCancelledError, UserError
from sae_desktop.interruption import interrupted_by
from sae_desktop.jobs import JobContext
from sae_desktop.limits import refuse_beyond_limits
from sae_desktop.training.config import TrainConfig
from sae_desktop.training.ranks.launched import Place, launched


def run_training(config: TrainConfig, render: Render, *, as_json: bool) -> None:
    """Run a training, on one process or as one of several. Leaves with typer.Exit."""
    try:
        place = launched()
    except UserError as error:
        make_reporter(job_title(config), as_json=as_json).error(explain(error))
        raise typer.Exit(EXIT_FAILED) from error
    if place is None:
        run_job_command(config, render, as_json=as_json)
    elif place.leads:

        def lead(config: Any, context: JobContext) -> Any:
            return _train(config, place, context)

        run_job_command(config, render, as_json=as_json, run=lead)
    else:
        raise typer.Exit(_follow(config, place, as_json=as_json))


def _train(config: TrainConfig, place: Place, context: JobContext) -> Any:
    refuse_beyond_limits(config)
    from sae_desktop.training.ranks.job import train_on_ranks

    with interrupted_by(context.check_cancelled):
        return train_on_ranks(config, place, context)


def _follow(config: TrainConfig, place: Place, *, as_json: bool) -> int:
    """Take part without a word, unless nobody else is left to say what happened."""
    prepare_environment()
    reporter = _Quiet(make_reporter(job_title(config), as_json=as_json))
    context = WorkerContext("command", lambda events: None)
    ended: list[int] = []

    def work() -> None:
        from sae_desktop.training.ranks.job import ToldElsewhereError

        try:
            with cancelled_by_signals(context, reporter):
                _train(config, place, context)
        except JobCancelledError:
            ended.append(EXIT_INTERRUPTED)
        except ToldElsewhereError:
            ended.append(EXIT_FAILED)

    status = tell(reporter, work, lambda result: "", config)
    return ended[0] if ended else status


class _Quiet:
    """Implements Reporter: errors alone are shown."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter

    def events(self, events: Sequence[Event]) -> None:
        del events

    def note(self, message: str) -> None:
        del message

    def stage(self, title: str) -> None:
        del title

    def heard(self, data: msgspec.Struct) -> None:
        del data

    def result(self, result: Any, render: Render) -> None:
        del result, render

    def error(self, error: ErrorInfo) -> None:
        self._reporter.error(error)

    def close(self) -> None:
        self._reporter.close()
