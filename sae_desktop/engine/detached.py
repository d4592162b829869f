"""An engine without a window: what it records about its jobs in the project, and how it gets
requests.

Whoever closes the window may leave the engine at work. It then writes what its jobs do into a small
file of the project, in one step each time, and looks into a folder for requests to stop or cancel
one. A window or a command that opens the project finds both. The project's lock stays with the
engine until its last job has ended.
"""

from __future__ import annotations

import contextlib
import os
import socket
import uuid
from pathlib import Path

import msgspec
import psutil

from sae_desktop.engine.protocol import (
    AdjustJob,
    CancelJob,
    ErrorInfo,
    JobCancelled,
    JobConfig,
    JobFailed,
    JobFinished,
    JobProgress,
    PauseJob,
    ResumeJob,
    StopJob,
)

FOLDER = ".engine"
"""Of its own: whoever watches the project for new stores is not woken twice a second."""
STATE_FILE = f"{FOLDER}/state.json"
REQUESTS_FOLDER = f"{FOLDER}/requests"
LOG_FILE = f"{FOLDER}/log"
_LOG_LINES = 200
_MOST_BYTES = 4_000_000
"""A longer file was not written by an engine."""
_CLOCK_SECONDS = 2.0
"""Two readings of when a process began differ by less."""

Outcome = JobFinished | JobFailed | JobCancelled
Request = PauseJob | ResumeJob | CancelJob | StopJob | AdjustJob


class DetachedJob(msgspec.Struct, kw_only=True):
    """What is known of one job."""

    id: str
    config: JobConfig
    started: bool = False
    paused: bool = False
    progress: JobProgress | None = None
    log: list[str] = []
    """The last lines it said."""
    said: int = 0
    """How many lines it has said in all."""
    outcome: Outcome | None = None

    def add_log(self, line: str) -> None:
        self.log = [*self.log, line][-_LOG_LINES:]
        self.said += 1


class DetachedState(msgspec.Struct, kw_only=True):
    """An engine and its jobs."""

    pid: int
    host: str
    began: float
    """When its process began, in seconds since 1970: another with the same number began later."""
    jobs: list[DetachedJob]

    @property
    def alive(self) -> bool:
        """Whether the engine still runs; of another machine's nothing is known: false."""
        if self.host != socket.gethostname():
            return False
        try:
            process = psutil.Process(self.pid)
            if process.status() == psutil.STATUS_ZOMBIE:
                return False  # it has ended, and nobody has collected it
            return bool(abs(process.create_time() - self.began) < _CLOCK_SECONDS)
        except psutil.Error:
            return False

    @property
    def at_work(self) -> list[DetachedJob]:
        """The jobs that have not ended."""
        return [job for job in self.jobs if job.outcome is None]


def own_state(jobs: list[DetachedJob]) -> DetachedState:
    """Return the state of this process."""
    process = psutil.Process()
    return DetachedState(
        pid=os.getpid(), host=socket.gethostname(), began=process.create_time(), jobs=jobs
    )


def write_state(project: Path, state: DetachedState) -> None:
    """Put the state in the project in one step. A disk that is full is no reason to end."""
    part = project / f"{STATE_FILE}.part"
    # Not synced: it tells of a living process, which does not outlive a power failure.
    with contextlib.suppress(OSError):
        part.parent.mkdir(exist_ok=True)
        part.write_bytes(msgspec.json.encode(state))
        os.replace(part, project / STATE_FILE)


def read_state(project: Path) -> DetachedState | None:
    """Return what an engine without a window has left here; None: nothing that can be read."""
    path = project / STATE_FILE
    try:
        if path.stat().st_size > _MOST_BYTES:
            return None
        return msgspec.json.decode(path.read_bytes(), type=DetachedState)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def forget_state(project: Path) -> None:
    """Remove what an engine that has ended left, once somebody has seen it."""
    for name in (STATE_FILE, LOG_FILE, f"{LOG_FILE}.1"):
        with contextlib.suppress(OSError):
            (project / name).unlink(missing_ok=True)
    for path in _requests(project):
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
    for folder in (REQUESTS_FOLDER, FOLDER):
        with contextlib.suppress(OSError):
            (project / folder).rmdir()


def ask(project: Path, request: Request) -> None:
    """Ask the engine at work on the project to do something with a job. Raises OSError."""
    folder = project / REQUESTS_FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    name = uuid.uuid4().hex
    part = folder / f"{name}.part"
    part.write_bytes(msgspec.json.encode(request))
    os.replace(part, folder / f"{name}.json")


def take_requests(project: Path) -> list[Request]:
    """Return the requests there are, oldest first, and remove them."""
    found: list[Request] = []
    for path in _requests(project):
        with contextlib.suppress(OSError, msgspec.DecodeError, UnicodeDecodeError):
            if path.stat().st_size < _MOST_BYTES:
                found.append(msgspec.json.decode(path.read_bytes(), type=Request))
        with contextlib.suppress(OSError):
            path.unlink()
    return found


def _requests(project: Path) -> list[Path]:
    try:
        paths = list((project / REQUESTS_FOLDER).glob("*.json"))
        return sorted(paths, key=lambda path: path.stat().st_mtime_ns)
    except OSError:
        return []


def cancelled_by_end(job: DetachedJob) -> JobFailed:
    """Return the outcome of a job whose engine ended in the middle of it."""
    error = ErrorInfo(
        what="The engine that was working without a window ended in the middle of this job.",
        next_step="Start the job again: it resumes if it can.",
    )
    return JobFailed(job_id=job.id, error=error)
