"""Running a job from Python: in this process, over the same table as window and command line."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from sae_desktop.api.kinds import checked
from sae_desktop.engine.context import WorkerContext, flushing
from sae_desktop.engine.environment import prepare_environment
from sae_desktop.engine.protocol import (
    Event,
    JobConfig,
    JobLog,
    JobMetrics,
    JobOutput,
    JobProgress,
)
from sae_desktop.engine.registry import JOB_KINDS, job_kind, job_title, project_of
from sae_desktop.engine.run import run_job
from sae_desktop.errors import JobCancelledError, UserError
from sae_desktop.project import Project
from sae_desktop.upkeep import writing

Told = Callable[[Any], object]


class Job:
    """A job that runs in a thread of this process. Made by `start`."""

    def __init__(self, config: JobConfig) -> None:
        self.config = config
        self.progress: JobProgress | None = None
        """How far it is, as of the last time it was looked at; None: it has not said yet."""
        self._events: queue.Queue[Event | None] = queue.Queue()
        self._context = WorkerContext(job_title(config), self._take, job_kind(config).streams)
        self._result: Any = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name=job_title(config), daemon=True)
        self._thread.start()

    def __repr__(self) -> str:
        return f"<Job {job_title(self.config)}: {self.state}>"

    @property
    def state(self) -> str:
        """running, finished, failed or cancelled."""
        if self._thread.is_alive():
            return "running"
        if self._error is None:
            return "finished"
        return "cancelled" if isinstance(self._error, JobCancelledError) else "failed"

    @property
    def error(self) -> BaseException | None:
        """What it failed with, or what its cancel raised; None: nothing, or it still runs."""
        return self._error

    def latest_progress(self) -> JobProgress | None:
        """Return how far it is as of now, where nobody waits for it; None: it has not said yet."""
        while True:
            try:
                event = self._events.get_nowait()
            except queue.Empty:
                return self.progress
            if isinstance(event, JobProgress):
                self.progress = event
            elif event is None:  # for whoever waits
                self._events.put(None)
                return self.progress

    def join(self, seconds: float | None = None) -> bool:
        """Wait until it has ended, at most for so long, and return whether it has."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def pause(self) -> None:
        """Let it wait at its next safe point, until `resume`."""
        self._context.request_pause()

    def resume(self) -> None:
        """Let it continue after `pause`."""
        self._context.request_resume()

    def stop(self) -> None:
        """Let it end early and keep what it has made as its result, where its kind can."""
        self._context.request_stop()

    def cancel(self) -> None:
        """Let it end at its next safe point without a result."""
        self._context.request_cancel()

    def wait(
        self,
        *,
        progress: Callable[[JobProgress], object] | None = None,
        metrics: Callable[[JobMetrics], object] | None = None,
        output: Callable[[msgspec.Struct], object] | None = None,
        log: Callable[[str], object] | None = None,
    ) -> Any:
        """Return the job's result once it has ended; meanwhile tell what it says.

        All callbacks are called in the thread that waits, at most 25 times a second. Interrupting
        that thread (Ctrl+C, or a notebook's stop button) cancels the job at its next safe point,
        and what it has committed is kept.

        Raises JobCancelledError after a cancel, UserError for what a person can mend, and whatever
        else the job raised.
        """
        ways: dict[type, Told | None] = {
            JobProgress: progress,
            JobMetrics: metrics,
            JobOutput: output and (lambda event: output(event.data)),
            JobLog: log and (lambda event: log(event.message)),
        }
        try:
            while (event := self._events.get()) is not None:
                if isinstance(event, JobProgress):
                    self.progress = event
                told = ways.get(type(event))
                if told is not None:
                    told(event)
        except BaseException:
            self.cancel()
            self._thread.join()
            raise
        self._events.put(None)  # for whoever waits again
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._result

    def _take(self, events: list[Event]) -> None:
        for event in events:
            self._events.put(event)

    def _work(self) -> None:
        try:
            with _locked(self.config), flushing(self._context):
                self._result = run_job(self.config, self._context)
        except BaseException as error:
            self._error = error
        finally:
            self._events.put(None)


@contextlib.contextmanager
def _locked(config: JobConfig) -> Iterator[None]:
    """Hold the project's lock for a job that writes, except for one that takes it itself."""
    path = project_of(config)
    if path is None or job_kind(config).waits:
        yield
        return
    with writing(Project.open(path)):
        yield


def start(config: JobConfig) -> Job:
    """Start a job in a thread of its own and return at once.

    A job that writes holds the project's lock until it ends: it is refused while the window, an
    engine or another program has it. Raises UserError for a config with a value of a wrong type,
    or one that is not a job's.
    """
    if type(config) not in JOB_KINDS:
        raise UserError(
            f"{type(config).__name__} is not the config of a job.",
            next_step="job_kinds() lists the kinds and their configs.",
        )
    prepare_environment()
    whole = {field: getattr(config, field) for field in config.__struct_fields__}
    return Job(checked(type(config), whole))


def run(
    config: JobConfig,
    *,
    progress: Callable[[JobProgress], object] | None = None,
    metrics: Callable[[JobMetrics], object] | None = None,
    output: Callable[[msgspec.Struct], object] | None = None,
    log: Callable[[str], object] | None = None,
) -> Any:
    """Run a job of any kind and return its result struct. See `start` and `Job.wait`.

    `progress`: called with how far it is (`done`, `total`, `unit`, `message`, `rate` in units per
    second, `seconds_left`); `metrics`: with points of its curves; `output`: with parts of its
    result while it runs, such as a steered token; `log`: with lines of its log.
    """
    return start(config).wait(progress=progress, metrics=metrics, output=output, log=log)
