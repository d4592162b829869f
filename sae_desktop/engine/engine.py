"""The engine's core: takes commands, holds the project's lock, reports its state."""

from __future__ import annotations

import contextlib
import functools
import importlib
import sqlite3
import sys
import threading
import traceback
from collections.abc import Callable

import msgspec
import psutil

from sae_desktop.engine.alone import REQUESTS, Alone
from sae_desktop.engine.explain import explain
from sae_desktop.engine.pipe import EventWriter
from sae_desktop.engine.protocol import (
    AdjustJob,
    Command,
    Detach,
    EngineStatus,
    ErrorInfo,
    JobConfig,
    JobFailed,
    KeepKey,
    KeyKept,
    OpenProject,
    ProjectOpened,
    ProjectRefused,
    ProtocolError,
    Shutdown,
    StartJob,
)
from sae_desktop.engine.registry import job_title, project_of
from sae_desktop.engine.run import import_lock
from sae_desktop.engine.worker import Workers
from sae_desktop.errors import UserError
from sae_desktop.notes_copies import keep_copy
from sae_desktop.project import Project
from sae_desktop.storage.lock import ProjectLock
from sae_desktop.storage.moves import empty_gone
from sae_desktop.upkeep import put_in_order

UNKNOWN_DEVICE = "…"
"""The device before torch has been imported."""


class _Addressed(msgspec.Struct, tag="start_job"):
    """What can still be read of a start_job whose config cannot."""

    job_id: str


class Engine:
    """Answers each command; never raises."""

    def __init__(self, writer: EventWriter) -> None:
        self._writer = writer
        self._decoder: msgspec.json.Decoder[Command] = msgspec.json.Decoder(Command)
        self._workers = Workers(writer.send)
        self._process = psutil.Process()
        self._project: Project | None = None
        self._lock: ProjectLock | None = None
        self._device = UNKNOWN_DEVICE
        self.alone: Alone | None = None
        """Set once the engine continues without a window."""

    def handle(self, line: bytes) -> bool:
        """Do what a line asks; false when it asks the engine to end."""
        try:
            command = self._decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            self._refuse_line(line, error)
            return True
        if isinstance(command, Shutdown):
            return False
        if isinstance(command, Detach):
            self._detach(command.jobs)
        elif isinstance(command, OpenProject):
            self._open_project(command.path)
        elif isinstance(command, StartJob):
            self._start_job(command)
        elif isinstance(command, KeepKey):
            start_thread("key", lambda: self._keep_key(command))
        elif isinstance(command, AdjustJob):
            values = command.values
            self._workers.ask(command.job_id, lambda job: job.request_adjustment(values))
        else:
            self._workers.ask(command.job_id, REQUESTS[type(command)])
        return True

    def _refuse_line(self, line: bytes, error: Exception) -> None:
        # A line may hold a key, which must not be repeated.
        said = "…" if b"keep_key" in line else _shortened(line)
        message = f"The engine does not understand “{said}”: {error}."
        try:
            job_id = msgspec.json.decode(line, type=_Addressed).job_id
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            self._writer.send([ProtocolError(message=message)])
            return
        failed = JobFailed(job_id=job_id, error=explain(UserError(message)))
        self._writer.send([ProtocolError(message=message), failed])

    def _detach(self, jobs: list[str]) -> None:
        """Get ready to go on without the window, if there is a project to tell of it."""
        if self._project is None:
            self._writer.send(
                [ProtocolError(message="No project is open, so there is nothing to continue.")]
            )
            return
        self.alone = Alone(self._project.path, self._workers)
        self._writer.divert(self.alone.take)
        self.alone.begin(jobs)

    def _open_project(self, path: str) -> None:
        try:
            self._take_project(Project.open(path))
        except Exception as error:
            self._writer.send([ProjectRefused(path=path, error=explain(error))])
        else:
            self._writer.send([ProjectOpened(path=path)])

    def _take_project(self, project: Project) -> None:
        if self._project is not None and self._project.path == project.path:
            return
        writing = self._workers.writing()
        if writing:
            titles = ", ".join(job_title(config) for config in writing)
            raise UserError(
                f"Jobs are still writing to the open project: {titles}.",
                kept="They are still running.",
                next_step="Wait for them or cancel them, then open the other project.",
            )
        lock = project.lock()
        lock.acquire()
        put_in_order(project)
        with contextlib.suppress(OSError, UserError, sqlite3.Error):  # tomorrow is another day
            keep_copy(project)
        start_thread("upkeep", lambda: empty_gone(project.path))
        self.release()
        self._project, self._lock = project, lock

    def _start_job(self, command: StartJob) -> None:
        try:
            self._require_lock(command.config)
            self._workers.start(command.job_id, command.config)
        except Exception as error:
            failed = JobFailed(job_id=command.job_id, error=explain(error, command.config))
            self._writer.send([failed])

    def _require_lock(self, config: JobConfig) -> None:
        path = project_of(config)
        if path is None:
            return
        if self._project is None or self._project.path != path:
            raise UserError(
                f"{job_title(config)} would write to the project “{path.name}”, which is not open "
                "for writing.",
                kept="Nothing was changed.",
                next_step="Open that project first.",
            )

    def _keep_key(self, command: KeepKey) -> None:
        """Keep a key and say where; the keyring may ask the person first, so in a thread."""
        from sae_desktop.labels.models.address import server_address
        from sae_desktop.labels.models.keys import keep_key

        try:
            kept = KeyKept(
                server=command.server, place=keep_key(server_address(command.server), command.key)
            )
        except UserError as error:
            told = ErrorInfo(what=error.what, kept=error.kept, next_step=error.next_step)
            kept = KeyKept(server=command.server, error=told)
        self._writer.send([kept])

    def resolve_device(self) -> None:
        """Find out where jobs run, and import what the first job would wait for.

        Takes some seconds: it imports torch and transformers.
        """
        try:
            with import_lock:
                from sae_desktop.language_model.device import resolve_device

            self._device = str(resolve_device("auto"))
        except Exception:
            traceback.print_exc()
            self._device = "none"
        self.send_status()
        with import_lock, contextlib.suppress(Exception):  # a job that needs it tells what is wrong
            importlib.import_module("sae_desktop.language_model.load")

    def send_status(self) -> None:
        """Say what the engine holds."""
        try:
            used = self._process.memory_info().rss
        except psutil.Error:
            used = 0
        status = EngineStatus(
            device=self._device,
            memory_used=used,
            memory_total=_total_memory(),
            model=_held_model(),
        )
        self._writer.send([status])

    def end(self, seconds: float) -> bool:
        """Cancel every job so that it checkpoints; true when all ended within the time."""
        ended = self._workers.end(seconds)
        if ended:
            self.release()
        return ended

    def release(self) -> None:
        """Give the project's lock back."""
        if self._lock is not None:
            self._lock.release()
        self._lock = self._project = None


@functools.cache
def _total_memory() -> int:
    return int(psutil.virtual_memory().total)


def _held_model() -> str:
    # Asked of the module only once a job has imported it: the engine starts without torch.
    module = sys.modules.get("sae_desktop.language_model.load")
    held = getattr(module, "held_model", None)
    return str(held() or "") if callable(held) else ""


def _shortened(line: bytes) -> str:
    text = line.decode("utf-8", "replace").strip()
    return text if len(text) <= 200 else f"{text[:200]}…"


def start_thread(name: str, function: Callable[[], None]) -> threading.Thread:
    """Start a thread that does not keep the process alive."""
    thread = threading.Thread(target=function, name=name, daemon=True)
    thread.start()
    return thread
