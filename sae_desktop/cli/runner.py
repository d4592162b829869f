"""Runs one command: the project's lock, the job, signals, and the exit status."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from types import FrameType
from typing import Any

import typer

from sae_desktop.cli import EXIT_FAILED, EXIT_INTERRUPTED
from sae_desktop.cli.reporter import Render, Reporter, make_reporter
from sae_desktop.engine.context import WorkerContext, flushing
from sae_desktop.engine.environment import prepare_environment
from sae_desktop.engine.explain import explain
from sae_desktop.engine.protocol import ErrorInfo, JobConfig
from sae_desktop.engine.registry import job_kind, job_title, project_of
from sae_desktop.engine.run import run_job
from sae_desktop.errors import JobCancelledError, UserError
from sae_desktop.exchange.recognise import refuse_other_kinds
from sae_desktop.jobs import JobContext
from sae_desktop.limits import beyond_limits
from sae_desktop.project import Project
from sae_desktop.training.ranks.launched import launched
from sae_desktop.upkeep import writing


def told(note: str) -> None:
    """Write something a person should know in addition to the result."""
    typer.echo(note, err=True)


def run_job_command(
    config: JobConfig,
    render: Render,
    *,
    as_json: bool,
    create_project: bool = False,
    failed: Callable[[Any], bool] = lambda result: False,
    status_of: Callable[[Any], int] = lambda result: 0,
    run: Callable[[JobConfig, JobContext], Any] | None = None,
) -> None:
    """Run a job and show its result; a job that writes holds the project's lock.

    One that waits for hours takes it itself, while it writes. `run` runs it where that is done
    otherwise than here and now.

    Leaves with typer.Exit: what `status_of` says of its result, 1 when it failed or `failed` says
    so, 130 when it was interrupted. Raises typer.BadParameter for a setting outside its bounds.
    """
    for field, must in beyond_limits(config).items():
        raise typer.BadParameter(must, param_hint=f"--{field.replace('_', '-')}")
    prepare_environment()
    reporter = make_reporter(job_title(config), as_json=as_json)
    context = WorkerContext("command", reporter.events, job_kind(config).streams)

    results: list[Any] = []

    def work() -> Any:
        refuse_other_kinds(config)  # before a project is made for it
        if run is None:
            _refuse_several_processes(config)
        with cancelled_by_signals(context, reporter), _locked(config, create=create_project):
            context.check_cancelled()
            with flushing(context):
                results.append((run or run_job)(config, context))
        return results[0]

    status = tell(reporter, work, render, config)
    if results and failed(results[0]):
        status = EXIT_FAILED
    if results and not status:
        status = status_of(results[0])
    if results and not status and not as_json:
        _tell_next(config, results[0])
    raise typer.Exit(status)


def _refuse_several_processes(config: JobConfig) -> None:
    place = launched()
    if place is not None:
        raise UserError(
            f"{job_title(config)} runs on one process, and {place.count} were started.",
            kept="Nothing was changed.",
            next_step="Start it without torchrun. Only “sae-desktop train” runs on several.",
        )


def _tell_next(config: JobConfig, result: Any) -> None:
    """Say which command comes next; words in capitals are to be filled in."""
    from sae_desktop.words.after_jobs import after

    step = after(config, result)
    if step is not None and step.command:
        told(f"Next: sae-desktop {step.command}")


def run_reading_command(work: Callable[[], Any], render: Render, *, as_json: bool) -> None:
    """Show what `work` reads, without a job. Leaves with typer.Exit."""
    reporter = make_reporter("", as_json=as_json)
    raise typer.Exit(tell(reporter, work, render, None))


def tell(
    reporter: Reporter, work: Callable[[], Any], render: Render, config: JobConfig | None
) -> int:
    try:
        reporter.result(work(), render)
    except (JobCancelledError, KeyboardInterrupt):
        kept = job_kind(config).kept if config is not None else ""
        reporter.error(ErrorInfo(what="Interrupted.", kept=kept))
        return EXIT_INTERRUPTED
    except Exception as error:
        reporter.error(explain(error, config))
        return EXIT_FAILED
    finally:
        reporter.close()
    return 0


@contextmanager
def _locked(config: JobConfig, *, create: bool) -> Iterator[None]:
    path = project_of(config)
    if path is None:
        yield
        return
    project = Project.open_or_create(path) if create else Project.open(path)
    with nullcontext() if job_kind(config).waits else writing(project):
        yield


@contextmanager
def cancelled_by_signals(context: WorkerContext, reporter: Reporter) -> Iterator[None]:
    """Turn the first SIGINT or SIGTERM into a cancel; the second ends the process at once."""

    def on_signal(number: int, frame: FrameType | None) -> None:
        del number, frame
        if context.cancel_requested:
            os._exit(EXIT_INTERRUPTED)
        context.request_cancel()
        reporter.note("Ending at the next safe point. Interrupt again to end at once.")

    before = {
        number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
