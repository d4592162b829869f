"""One thread per job: starts jobs, passes on what the person asks, and reports how they ended."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from sae_desktop.engine.context import Emit, WorkerContext, flushing
from sae_desktop.engine.explain import explain
from sae_desktop.engine.protocol import (
    Event,
    JobCancelled,
    JobConfig,
    JobFailed,
    JobFinished,
    JobStarted,
)
from sae_desktop.engine.registry import job_kind, job_title, output_name
from sae_desktop.engine.run import run_job
from sae_desktop.errors import JobCancelledError, UserError


@dataclass(frozen=True)
class Worker:
    """A job that is running, in a thread of its own."""

    config: JobConfig
    context: WorkerContext
    thread: threading.Thread


class Workers:
    """All the jobs that are running."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._lock = threading.RLock()
        self._running: dict[str, Worker] = {}
        self._ending = False

    def start(self, job_id: str, config: JobConfig) -> None:
        """Start a job.

        Raises UserError when a running job writes the same thing, the engine is ending, or the
        system has no thread for it.
        """
        context = WorkerContext(job_id, self._emit, job_kind(config).streams)
        thread = threading.Thread(
            target=self._run, args=(config, context), name=f"job {job_id}", daemon=True
        )
        with self._lock:
            self._refuse_clash(job_id, config)
            self._running[job_id] = Worker(config, context, thread)
        try:
            thread.start()
        except RuntimeError as error:
            with self._lock:
                del self._running[job_id]
            raise UserError(
                f"{job_title(config)} could not be started: the system does not allow the engine "
                f"another thread ({error}).",
                kept="Nothing was changed.",
                next_step="Wait for other jobs or close other programs, then start it again.",
            ) from error

    def _refuse_clash(self, job_id: str, config: JobConfig) -> None:
        if self._ending:
            raise UserError("The engine is shutting down and does not accept new jobs.")
        if job_id in self._running:
            raise UserError(f"A job “{job_id}” is running already.")
        name = output_name(config)
        for worker in self._running.values():
            # All of them write to the one project that is open.
            if name and output_name(worker.config) == name:
                raise UserError(
                    f"The {name} is being written by a job that is still running.",
                    kept="That job is still running.",
                    next_step="Wait for it, cancel it, or choose another name.",
                )

    def _run(self, config: JobConfig, context: WorkerContext) -> None:
        context.flush([JobStarted(job_id=context.job_id)])
        with flushing(context):
            outcome = _outcome(config, context)
        with self._lock:
            del self._running[context.job_id]
        context.flush([outcome])

    def ask(self, job_id: str, request: Callable[[WorkerContext], None]) -> None:
        """Hand a request, such as WorkerContext.request_pause, to a job.

        A job that has ended meanwhile is left in peace.
        """
        with self._lock:
            worker = self._running.get(job_id)
        if worker is not None:
            request(worker.context)

    def writing(self) -> list[JobConfig]:
        """Return the configs of the running jobs that write to a project."""
        with self._lock:
            configs = [worker.config for worker in self._running.values()]
        return [config for config in configs if output_name(config)]

    def running(self) -> dict[str, JobConfig]:
        """Return job id → config of the jobs that are running."""
        with self._lock:
            return {job_id: worker.config for job_id, worker in self._running.items()}

    def end(self, seconds: float) -> bool:
        """Cancel every job and wait up to a given number of seconds; true when all have ended."""
        with self._lock:
            self._ending = True
            workers = list(self._running.values())
        for worker in workers:
            worker.context.request_cancel()
        deadline = time.monotonic() + seconds
        for worker in workers:
            if worker.thread.ident is not None:
                worker.thread.join(max(deadline - time.monotonic(), 0.0))
        return not any(worker.thread.is_alive() for worker in workers)


def _outcome(config: JobConfig, context: WorkerContext) -> Event:
    try:
        result = run_job(config, context)
        encoded = msgspec.Raw(msgspec.json.encode(result))
        return JobFinished(job_id=context.job_id, result=encoded)
    except JobCancelledError:
        return JobCancelled(job_id=context.job_id)
    except BaseException as error:  # whatever a job ends with is told, never swallowed
        return JobFailed(job_id=context.job_id, error=explain(error, config))
