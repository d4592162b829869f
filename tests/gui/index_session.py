"""A session on a project with a small index, and a client whose answers the tests write."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest
from ended_session import end
from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QApplication
from sample_index import write_sample_index

from sae_desktop.client.job import Job
from sae_desktop.engine.protocol import (
    CancelJob,
    Command,
    ErrorInfo,
    JobCancelled,
    JobConfig,
    JobFailed,
    JobFinished,
    JobOutput,
)
from sae_desktop.gui.parts import theme
from sae_desktop.gui.state.session import Session
from sae_desktop.project import Project
from sae_desktop.steering.config import SteeredToken


class FakeClient(QObject):
    """Takes jobs and answers none of them by itself."""

    projectOpened = Signal(object)
    projectRefused = Signal(object)
    jobAdded = Signal(object)
    stateChanged = Signal(object)
    statusReceived = Signal(object)
    keyKept = Signal(object)
    engineCrashed = Signal(object)
    detached = Signal(object)
    state = "ready"
    threads = 0
    status = None

    def __init__(self) -> None:
        super().__init__()
        self.jobs: list[Job] = []
        self.sent: list[Command] = []

    def enter(self, state: str) -> None:
        self.state = state
        self.stateChanged.emit(state)

    def restart(self) -> None:
        self.enter("ready")

    def start(self) -> None:
        self.enter("ready")

    def shutdown(self) -> None:
        self.enter("stopped")

    def detach(self, jobs: list[Job]) -> None:
        del jobs

    def keep_key(self, server: str, key: str) -> None:
        del server, key

    def adopt(self, job: Job) -> None:
        self.jobs.append(job)
        self.jobAdded.emit(job)

    def open_project(self, path: str) -> None:
        del path

    def start_job(self, config: JobConfig) -> Job:
        job = Job(str(len(self.jobs) + 1), config, self.sent.append)
        self.jobs.append(job)
        self.jobAdded.emit(job)
        return job

    def answer(self, job: Job, result: msgspec.Struct) -> None:
        job.receive(JobFinished(job_id=job.id, result=msgspec.Raw(msgspec.json.encode(result))))

    def fail(self, job: Job, what: str) -> None:
        job.receive(JobFailed(job_id=job.id, error=ErrorInfo(what=what)))

    def end_cancelled(self, job: Job) -> None:
        job.receive(JobCancelled(job_id=job.id))

    def stream(self, job: Job, token: SteeredToken) -> None:
        job.receive(JobOutput(job_id=job.id, data=token))

    def asked_to_cancel(self, job: Job) -> bool:
        return CancelJob(job_id=job.id) in self.sent


@dataclass
class Heard:
    """What the session told the window."""

    errors: list[ErrorInfo] = field(default_factory=list)
    workspaces: list[str] = field(default_factory=list)
    steered: list[int] = field(default_factory=list)


@pytest.fixture(autouse=True)
def _light_theme(qapp: QApplication) -> None:
    if theme.manager().palette is not theme.LIGHT or not qapp.styleSheet():
        theme.manager().apply("light")


@pytest.fixture
def client(qapp: QApplication) -> FakeClient:
    return FakeClient()


@pytest.fixture(scope="session")
def index_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sample_index(tmp_path_factory.mktemp("index") / "main.h5")


@pytest.fixture
def empty_session(client: FakeClient) -> Iterator[Session]:
    """A session without a project."""
    session = Session(client)  # type: ignore[arg-type]
    yield session
    end(session)


@pytest.fixture
def session(empty_session: Session, project: Project, index_file: Path) -> Session:
    """A session with the index “main” open."""
    folder = project.path / "features"
    folder.mkdir()
    (folder / "main.h5").write_bytes(index_file.read_bytes())
    assert empty_session.open_project(project.path)
    return empty_session


@pytest.fixture
def heard(session: Session) -> Heard:
    heard = Heard()
    session.errorRaised.connect(heard.errors.append)
    session.workspaceRequested.connect(heard.workspaces.append)
    session.steerRequested.connect(heard.steered.append)
    return heard
