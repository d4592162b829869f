"""The window's end of the pipe: starts the engine's process and communicates with it."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import msgspec
from PySide6.QtCore import QObject, QProcess, QTimer, Signal

from sae_desktop.client.engine_exit import EngineExit, EngineState, describe_exit
from sae_desktop.client.engine_log import EngineLog
from sae_desktop.client.engine_process import EngineProcess, engine_command
from sae_desktop.client.job import Job
from sae_desktop.client.lost_files import cut_files, names_file
from sae_desktop.client.patience import DETACH_MS, SHUTDOWN_MS, STARTING_MS, TERMINATE_MS
from sae_desktop.engine.protocol import (
    PROTOCOL_VERSION,
    CancelJob,
    Command,
    Detach,
    Detached,
    EngineStatus,
    ErrorInfo,
    Event,
    JobCancelled,
    JobConfig,
    JobFailed,
    KeepKey,
    KeyKept,
    OpenProject,
    ProjectOpened,
    ProjectRefused,
    ProtocolError,
    Ready,
    Shutdown,
    StartJob,
    StopJob,
)
from sae_desktop.engine.registry import job_kind

_logger = logging.getLogger(__name__)


class EngineClient(QObject):
    """One engine, its project and its jobs.

    Jobs asked for before the engine is started or ready wait for it; after a crash, `restart`
    opens the same project again.
    """

    stateChanged = Signal(object)
    """EngineState."""
    statusReceived = Signal(object)
    """EngineStatus, about once a second."""
    projectOpened = Signal(object)
    """ProjectOpened."""
    projectRefused = Signal(object)
    """ProjectRefused."""
    jobAdded = Signal(object)
    """Job."""
    keyKept = Signal(object)
    """KeyKept."""
    engineCrashed = Signal(object)
    """EngineExit."""
    detached = Signal(object)
    """Whether the engine continues without this window, as it was asked to."""

    def __init__(
        self,
        *,
        command: Sequence[str] | None = None,
        starting_ms: int = STARTING_MS,
    ) -> None:
        """`command` replaces the engine's program and arguments, for tests.

        An engine that has said nothing after `starting_ms` is given up.
        """
        super().__init__()
        # Not started yet is as good as starting: what is asked before that waits.
        self.state = EngineState.STARTING
        self.status: EngineStatus | None = None
        self.jobs: list[Job] = []
        self.threads = 0
        """Processor threads of the next engine; 0: as many as it finds best."""
        self._command = list(command) if command is not None else engine_command()
        self._process: EngineProcess | None = None
        self._ending: QProcess | None = None
        """The engine before, which still writes its jobs' checkpoints."""
        self._to_keep: list[str] | None = None
        """The jobs to be gone on with alone, once the engine is ready to hear it."""
        self._patience = QTimer(self, interval=starting_ms, singleShot=True)
        self._patience.timeout.connect(self._give_up_starting)
        self._log = EngineLog()
        self._input = b""
        self._project = ""
        self._waiting: list[StartJob] = []
        self.interrupted: list[Job] = []
        """The jobs that write and ended with the engine when it crashed last."""
        self._last_id = 0
        self._decoder: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)
        self._encoder = msgspec.json.Encoder()

    @property
    def process_id(self) -> int | None:
        """The engine's process; None while there is none."""
        return int(self._process.processId()) if self._process is not None else None

    # ------------------------------------------------------------------ process
    def start(self) -> None:
        """Start the engine; `stateChanged` says when it is ready."""
        if self._process is not None or self._ending is not None:
            return
        self._enter(EngineState.STARTING)
        self._start_process()

    def _start_process(self) -> None:
        self._input = b""
        self._log.close()
        self._log = EngineLog()
        process = EngineProcess(self, self.threads)
        process.readyReadStandardOutput.connect(self._on_output)
        process.readyReadStandardError.connect(self._on_stderr)
        process.finished.connect(self._on_finished)
        process.errorOccurred.connect(self._on_process_error)
        self._process = process
        process.start(self._command[0], self._command[1:])
        self._patience.start()

    def restart(self) -> None:
        """Start the engine again, after a crash or to free what it holds; returns at once.

        The one before may take some seconds to write its jobs' checkpoints: the next begins
        when it has ended, and jobs asked for meanwhile wait.
        """
        if self._ending is not None:
            return
        process = self._drop_process()
        self._enter(EngineState.STARTING)
        self._fail_jobs("The engine was stopped.")
        if process is None or process.state() is QProcess.ProcessState.NotRunning:
            self._start_process()
            return
        self._ending = process
        process.finished.connect(self._on_ended)
        self._ask_to_end(process)
        QTimer.singleShot(SHUTDOWN_MS, process, process.terminate)
        QTimer.singleShot(SHUTDOWN_MS + TERMINATE_MS, process, process.kill)

    def _on_ended(self) -> None:
        process, self._ending = self._ending, None
        if process is not None:
            self._log.feed(bytes(process.readAllStandardError().data()))
            self._log.end()
            process.deleteLater()
            self._start_process()

    def _ask_to_end(self, process: QProcess) -> None:
        process.write(self._encoder.encode(Shutdown()) + b"\n")
        process.closeWriteChannel()

    def shutdown(self) -> None:
        """End the engine: its jobs checkpoint first. Blocks for some seconds at most."""
        process: QProcess | None = self._drop_process()
        ending, self._ending = self._ending, None
        if ending is not None:
            ending.finished.disconnect(self._on_ended)
            process = ending
        if process is not None and process.state() is not QProcess.ProcessState.NotRunning:
            if process is not ending:
                self._ask_to_end(process)
            if not process.waitForFinished(SHUTDOWN_MS):
                process.terminate()
                if not process.waitForFinished(TERMINATE_MS):
                    process.kill()
                    process.waitForFinished(TERMINATE_MS)
        if process is not None:
            self._log.feed(bytes(process.readAllStandardError().data()))
            process.deleteLater()
        self._log.end()
        self._log.close()
        if self.state is not EngineState.STOPPED:
            self._enter(EngineState.STOPPED)
        self._fail_jobs("The engine was stopped.")

    def detach(self, jobs: Sequence[Job]) -> None:
        """Let the engine continue with these jobs when the window closes; `detached` answers."""
        self._to_keep = [job.id for job in jobs]
        if self.state is EngineState.READY:
            self._write(Detach(jobs=self._to_keep))
        elif self.state is not EngineState.STARTING:
            self._answer_detach(False)
            return
        QTimer.singleShot(DETACH_MS, self, lambda: self._answer_detach(False))

    def _answer_detach(self, alone: bool) -> None:
        if self._to_keep is None:
            return
        self._to_keep = None
        process = self._drop_process() if alone else None
        if process is not None:
            process.closeWriteChannel()
            process.let_go()
            process.setParent(None)
            self._enter(EngineState.STOPPED)
        self.detached.emit(alone)

    def _drop_process(self) -> EngineProcess | None:
        process, self._process = self._process, None
        if process is not None:
            process.silence()
        return process

    # ------------------------------------------------------------------ commands
    def open_project(self, path: str) -> None:
        """Take the project for writing; answered by projectOpened or projectRefused."""
        self._project = path
        if self.state is EngineState.READY:
            self._write(OpenProject(path=path))

    def start_job(self, config: JobConfig) -> Job:
        """Start a job, or queue it until the engine is ready.

        Without an engine the job fails, once control is back in the event loop.
        """
        self._last_id += 1
        job = Job(str(self._last_id), config, self._send)
        self.jobs.append(job)
        command = StartJob(job_id=job.id, config=config)
        if self.state is EngineState.READY:
            self._write(command)
        elif self.state is EngineState.STARTING:
            self._waiting.append(command)
        else:
            QTimer.singleShot(0, lambda: self._fail_without_engine(job))
        self.jobAdded.emit(job)
        return job

    def keep_key(self, server: str, key: str) -> None:
        """Have the engine keep the key of a server, if it is ready; answered by keyKept."""
        self._send(KeepKey(server=server, key=key))

    def adopt(self, job: Job) -> None:
        """Show a job that runs elsewhere among one's own."""
        self.jobs.append(job)
        self.jobAdded.emit(job)

    def _send(self, command: Command) -> None:
        if self.state is EngineState.READY:
            self._write(command)
        elif isinstance(command, CancelJob | StopJob):
            self._waiting = [c for c in self._waiting if c.job_id != command.job_id]
            self._deliver(command.job_id, JobCancelled(job_id=command.job_id))

    def _write(self, command: Command) -> None:
        if self._process is not None:
            self._process.write(self._encoder.encode(command) + b"\n")

    # ------------------------------------------------------------------ events
    def _on_output(self) -> None:
        if self._process is None:
            return
        data = self._input + bytes(self._process.readAllStandardOutput().data())
        *lines, self._input = data.split(b"\n")
        for line in lines:
            try:
                event = self._decoder.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                _logger.error(
                    "The engine sent something that is not an event: %s (%r)", error, line[:200]
                )
            else:
                self._receive(event)

    def _receive(self, event: Event) -> None:
        match event:
            case Ready():
                self._on_ready(event)
            case EngineStatus():
                self.status = event
                self.statusReceived.emit(event)
            case Detached():
                self._answer_detach(True)
            case ProjectOpened():
                self.projectOpened.emit(event)
            case ProjectRefused():
                self.projectRefused.emit(event)
            case KeyKept():
                self.keyKept.emit(event)
            case ProtocolError():
                _logger.error("%s", event.message)
            case _:
                self._deliver(event.job_id, event)

    def _on_ready(self, event: Ready) -> None:
        if event.protocol_version != PROTOCOL_VERSION:
            _logger.error("The engine speaks protocol %s", event.protocol_version)
            self._end_with(
                "The engine and the window are different versions. Reinstall SAE Desktop."
            )
            return
        self._enter(EngineState.READY)
        if self._project:
            self._write(OpenProject(path=self._project))
        waiting, self._waiting = self._waiting, []
        for command in waiting:
            self._write(command)
        if self._to_keep is not None:
            self._write(Detach(jobs=self._to_keep))

    def _deliver(self, job_id: str, event: Event) -> None:
        job = next((job for job in self.jobs if job.id == job_id), None)
        if job is None:
            return
        job.receive(event)
        if isinstance(event, JobFailed):
            told = event.error
            _logger.error("%s failed: %s %s", job.title, told.what, told.details)
        # Probes and the like come by the hundred; whoever asked for one still holds it.
        if job.ended and not job.writes:
            self.jobs.remove(job)

    def _on_stderr(self) -> None:
        if self._process is not None:
            self._log.feed(bytes(self._process.readAllStandardError().data()))

    # ------------------------------------------------------------------ its end
    def _on_finished(self, exit_code: int, status: QProcess.ExitStatus) -> None:
        self._on_output()
        self._on_stderr()
        self._log.end()
        process = self._drop_process()
        if process is not None:
            process.deleteLater()
        crashed = status is QProcess.ExitStatus.CrashExit
        running = [job for job in self.jobs if not job.ended and not job.elsewhere]
        self._crash(
            describe_exit(
                exit_code,
                crashed=crashed,
                stderr_tail=self._log.tail(),
                running_jobs=self._running_titles(),
                find_cut=lambda: [
                    (path, [job.title for job in running if names_file(job.config, path)])
                    for path in cut_files([job.config for job in running])
                ],
            )
        )

    def _on_process_error(self, error: QProcess.ProcessError) -> None:
        if error is not QProcess.ProcessError.FailedToStart:
            return  # a crash is told by `finished`
        process = self._drop_process()
        cause = ""
        if process is not None:
            cause = process.errorString()
            process.deleteLater()
        reason = f"The engine could not be started: {cause}."
        self._crash(EngineExit(reason, None, -1, "", self._running_titles()))

    def _give_up_starting(self) -> None:
        if self.state is EngineState.STARTING:
            seconds = self._patience.interval() // 1000
            self._end_with(f"The engine did not start within {seconds} seconds.")

    def _end_with(self, reason: str) -> None:
        process = self._drop_process()
        if process is not None:
            process.kill()
            process.waitForFinished(TERMINATE_MS)
            process.deleteLater()
        self._crash(EngineExit(reason, None, -1, self._log.tail(), self._running_titles()))

    def _crash(self, exit_: EngineExit) -> None:
        _logger.error("%s", exit_.reason)
        self.interrupted = [
            job for job in self.jobs if not (job.ended or job.elsewhere) and job.writes
        ]
        self._enter(EngineState.CRASHED)
        self._answer_detach(False)
        self._fail_jobs(exit_.reason, exit_.stderr_tail)
        self.engineCrashed.emit(exit_)

    def _running_titles(self) -> list[str]:
        return [job.title for job in self.jobs if not job.ended and not job.elsewhere]

    def _fail_jobs(self, reason: str, details: str = "") -> None:
        self._waiting = []
        for job in list(self.jobs):
            if not job.ended and not job.elsewhere:
                self._fail(job, reason, "Restart the engine, then start the job again.", details)

    def _fail_without_engine(self, job: Job) -> None:
        if not job.ended:
            self._fail(job, f"{job.title} needs the engine, which is not running.", "Restart it.")

    def _fail(self, job: Job, reason: str, next_step: str, details: str = "") -> None:
        kept = job_kind(job.config).kept
        job.fail(ErrorInfo(what=reason, kept=kept, next_step=next_step, details=details))
        if not job.writes and job in self.jobs:
            self.jobs.remove(job)

    def _enter(self, state: EngineState) -> None:
        self.state = state
        if state is not EngineState.STARTING:
            self._patience.stop()
        self.stateChanged.emit(state)
