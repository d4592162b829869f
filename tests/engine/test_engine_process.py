"""The engine's process as the other end of its pipe sees it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psutil
import pytest
from engine_driver import EngineDriver, engine_environment
from toy_jobs import TOY_ENGINE

from sae_desktop.activations.config import HarvestConfig, HarvestResult
from sae_desktop.engine.protocol import (
    PROTOCOL_VERSION,
    AdjustJob,
    CancelJob,
    EngineStatus,
    ErrorInfo,
    JobCancelled,
    JobFailed,
    JobFinished,
    JobLog,
    JobMetrics,
    JobOutput,
    JobPaused,
    JobProgress,
    JobResumed,
    JobStarted,
    OpenProject,
    PauseJob,
    ProjectOpened,
    ProjectRefused,
    ProtocolError,
    ResumeJob,
    Shutdown,
    StopJob,
)
from sae_desktop.language_model.config import DescribeModelConfig, GetModelConfig, ModelDescription
from sae_desktop.project import Project
from sae_desktop.steering.config import SteerConfig

FOREVER = 10**9


@pytest.fixture
def engine() -> Iterator[EngineDriver]:
    with EngineDriver(TOY_ENGINE[1:]) as driver:
        yield driver


@pytest.fixture
def opened(engine: EngineDriver, project: Project) -> EngineDriver:
    engine.open_project(project.path)
    return engine


def harvest(project: Project, tokens: int = FOREVER, name: str = "acts") -> HarvestConfig:
    return HarvestConfig(project=str(project.path), name=name, tokens=tokens)


def failure(engine: EngineDriver, model: str) -> ErrorInfo:
    engine.start("1", DescribeModelConfig(model=model))
    ended = engine.wait_end("1")
    assert isinstance(ended, JobFailed)
    return ended.error


def saved(project: Project, name: str = "acts") -> str:
    return (project.path / f"{name}.count").read_text()


# ---------------------------------------------------------------- the pipe
def test_engine__says_its_protocol_version_first(engine: EngineDriver) -> None:
    ready = engine.wait_ready()
    assert ready.protocol_version == PROTOCOL_VERSION
    assert ready.pid == engine.process.pid
    assert engine.seen == [ready]


def test_engine__names_its_device_once_torch_is_there(engine: EngineDriver) -> None:
    status = engine.wait(EngineStatus, lambda s: s.device != "…")
    assert status.device.split(":")[0] in {"cpu", "cuda", "mps"}
    assert 0 < status.memory_used < status.memory_total
    assert status.model == ""


@pytest.mark.parametrize(
    "line",
    [
        b"hello",
        b'{"type": "make_coffee"}',
        b'{"no": "type"}',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"type": "pause_job"}',
    ],
    ids=["no JSON", "unknown message", "no type", "no UTF-8", "deep nesting", "field missing"],
)
def test_engine__answers_a_bad_line_and_reads_on(engine: EngineDriver, line: bytes) -> None:
    engine.send_line(line)
    assert "does not understand" in engine.wait(ProtocolError).message
    engine.start("1", DescribeModelConfig(model="fine"))
    assert isinstance(engine.wait_end("1"), JobFinished)


def test_engine__fails_a_job_whose_config_it_cannot_read(engine: EngineDriver) -> None:
    engine.send_line(b'{"type": "start_job", "job_id": "7", "config": {"type": "unheard_of"}}')
    ended = engine.wait_end("7")
    assert isinstance(ended, JobFailed)
    assert "unheard_of" in ended.error.what


def test_engine__keeps_what_jobs_print_out_of_the_protocol(engine: EngineDriver) -> None:
    engine.start("1", DescribeModelConfig(model="print"))
    ended = engine.wait_end("1")
    assert isinstance(ended, JobFinished)
    assert msgspec.json.decode(ended.result, type=ModelDescription).name == "print"
    assert [log.message for log in engine.of(JobLog)] == ["it printed"]
    engine.close_pipe()
    engine.process.wait(30)
    engine.kill()
    assert b"a library prints" in engine.stderr
    assert b"a library in C prints" in engine.stderr


# ---------------------------------------------------------------- jobs
def test_engine__streams_outputs_in_order_before_the_result(engine: EngineDriver) -> None:
    engine.start("1", SteerConfig(project="", index="", prompt="steering", variants=[]))
    assert isinstance(engine.wait_end("1"), JobFinished)
    tokens = [output.data for output in engine.of(JobOutput)]
    assert [t.position for t in tokens] == list(range(8))
    assert "".join(t.texts[1] for t in tokens) == "STEERING"


def test_engine__sends_progress_at_most_30_times_a_second_and_always_the_last(
    opened: EngineDriver, project: Project
) -> None:
    opened.start("1", harvest(project, tokens=400))
    assert isinstance(opened.wait_end("1"), JobFinished)
    sent = [
        (event, at)
        for event, at in zip(opened.seen, opened.times, strict=True)
        if isinstance(event, JobProgress)
    ]
    seconds = sent[-1][1] - sent[0][1]
    assert len(sent) <= 30 * seconds + 2
    assert sent[-1][0].done == sent[-1][0].total == 400
    assert sent[-1][0].seconds_left == 0


def test_engine__sends_every_metric_and_leaves_out_what_is_no_number(
    opened: EngineDriver, project: Project
) -> None:
    opened.start("1", harvest(project, tokens=100))
    opened.wait_end("1")
    batches = opened.of(JobMetrics)
    assert len(batches) < 100
    assert [step for batch in batches for step in batch.steps] == list(range(1, 101))
    assert all(set(values) == {"loss"} for batch in batches for values in batch.values)


def test_engine__pauses_resumes_and_cancels(opened: EngineDriver, project: Project) -> None:
    opened.start("1", harvest(project))
    opened.wait(JobStarted)
    opened.wait(JobProgress)
    opened.send(PauseJob(job_id="1"))
    opened.wait(JobPaused)
    paused_at = opened.of(JobProgress)[-1].done
    assert saved(project) == f"paused {paused_at:.0f}"
    opened.wait(EngineStatus)
    opened.wait(EngineStatus)
    assert opened.of(JobProgress)[-1].done == paused_at

    opened.send(ResumeJob(job_id="1"))
    opened.wait(JobResumed)
    opened.wait(JobProgress, lambda p: p.done > paused_at)
    opened.send(CancelJob(job_id="1"))
    assert isinstance(opened.wait_end("1"), JobCancelled)
    assert saved(project).startswith("cancelled")


@pytest.mark.parametrize("command", [CancelJob, StopJob])
def test_engine__ends_a_paused_job(
    opened: EngineDriver, project: Project, command: type[CancelJob | StopJob]
) -> None:
    opened.start("1", harvest(project))
    opened.wait(JobProgress)
    opened.send(PauseJob(job_id="1"))
    opened.wait(JobPaused)
    opened.send(command(job_id="1"))
    ended = opened.wait_end("1")
    assert isinstance(ended, JobCancelled if command is CancelJob else JobFinished)


def test_engine__keeps_what_a_stopped_job_made(opened: EngineDriver, project: Project) -> None:
    opened.start("1", harvest(project))
    opened.wait(JobProgress)
    opened.send(StopJob(job_id="1"))
    ended = opened.wait_end("1")
    assert isinstance(ended, JobFinished)
    rows = msgspec.json.decode(ended.result, type=HarvestResult).rows
    assert 0 < rows < FOREVER
    assert saved(project) == f"ended {rows}"


def test_engine__hands_changed_settings_to_the_job(opened: EngineDriver, project: Project) -> None:
    opened.start("1", harvest(project))
    opened.wait(JobProgress)
    opened.send(AdjustJob(job_id="1", values={"lr": 0.5, "sparsity": 2.0}))
    opened.wait(JobLog, lambda line: line.message == "lr is now 0.5")
    opened.wait(JobLog, lambda line: line.message == "sparsity is now 2.0")
    opened.send(AdjustJob(job_id="gone", values={"lr": 0.5}))
    opened.send(CancelJob(job_id="1"))
    assert isinstance(opened.wait_end("1"), JobCancelled)


def test_engine__runs_jobs_side_by_side(opened: EngineDriver, project: Project) -> None:
    opened.start("1", harvest(project, name="one"))
    opened.start("2", harvest(project, name="two"))
    opened.wait(JobProgress, lambda p: p.job_id == "1")
    opened.wait(JobProgress, lambda p: p.job_id == "2")
    opened.wait(JobProgress, lambda p: p.job_id == "1")


def test_engine__refuses_two_jobs_that_write_the_same_thing(
    opened: EngineDriver, project: Project
) -> None:
    opened.start("1", harvest(project))
    opened.start("2", harvest(project))
    refused = opened.wait_end("2")
    assert isinstance(refused, JobFailed)
    assert "store “acts” is being written" in refused.error.what
    opened.send(CancelJob(job_id="1"))
    opened.wait_end("1")
    opened.start("3", harvest(project, tokens=1))
    assert isinstance(opened.wait_end("3"), JobFinished)


def test_engine__ignores_requests_to_jobs_that_have_ended(engine: EngineDriver) -> None:
    engine.send(CancelJob(job_id="long gone"))
    engine.start("1", DescribeModelConfig(model="fine"))
    assert isinstance(engine.wait_end("1"), JobFinished)
    assert not engine.of(ProtocolError)


# ---------------------------------------------------------------- errors
def test_engine__tells_a_users_error_in_its_three_parts(engine: EngineDriver) -> None:
    error = failure(engine, "user error")
    assert (error.what, error.kept, error.next_step) == ("It broke.", "All is kept.", "Mend it.")


def test_engine__tells_a_bug_with_its_traceback(engine: EngineDriver) -> None:
    error = failure(engine, "bug")
    assert (
        "Describe model “bug” failed because of a bug in the program: ValueError: of no "
        "use" in error.what
    )
    assert "toy_jobs.py" in error.details
    engine.start("2", DescribeModelConfig(model="fine"))
    assert isinstance(engine.wait_end("2"), JobFinished)


def test_engine__explains_that_memory_ran_out(engine: EngineDriver) -> None:
    assert failure(engine, "memory").what == "The machine ran out of memory."


def test_engine__explains_a_full_disk(engine: EngineDriver) -> None:
    assert failure(engine, "disk").what.startswith("The disk is full: “some.file”")


# ---------------------------------------------------------------- the project
def test_engine__writes_only_to_the_project_it_has_open(
    opened: EngineDriver, tmp_path: Path
) -> None:
    other = Project.open_or_create(tmp_path / "other.saeproj")
    opened.start("1", harvest(other))
    refused = opened.wait_end("1")
    assert isinstance(refused, JobFailed)
    assert "“other.saeproj”, which is not open" in refused.error.what


def test_engine__refuses_a_project_that_another_process_writes_to(
    engine: EngineDriver, project: Project
) -> None:
    with project.lock():
        engine.send(OpenProject(path=str(project.path)))
        refused = engine.wait(ProjectRefused)
    assert "already open" in refused.error.what
    engine.open_project(project.path)


def test_engine__does_not_leave_a_project_that_jobs_write_to(
    opened: EngineDriver, project: Project, tmp_path: Path
) -> None:
    other = Project.open_or_create(tmp_path / "other.saeproj")
    opened.start("1", harvest(project))
    opened.send(OpenProject(path=str(other.path)))
    assert "Harvest “acts”" in opened.wait(ProjectRefused).error.what
    opened.send(CancelJob(job_id="1"))
    opened.wait_end("1")
    opened.send(OpenProject(path=str(other.path)))
    opened.wait(ProjectOpened)
    with project.lock():
        pass


# ---------------------------------------------------------------- its end
@pytest.mark.parametrize("how", ["shutdown", "end of pipe", "SIGTERM"])
def test_engine__lets_jobs_checkpoint_before_it_ends(
    opened: EngineDriver, project: Project, how: str
) -> None:
    opened.start("1", harvest(project))
    opened.wait(JobProgress)
    if how == "shutdown":
        opened.send(Shutdown())
    elif how == "SIGTERM":
        opened.process.terminate()
    else:
        opened.close_pipe()
    assert opened.process.wait(30) == 0
    assert saved(project).startswith("cancelled")
    with project.lock():
        pass


def test_engine__ends_although_a_job_does_not_listen(engine: EngineDriver) -> None:
    engine.start("1", DescribeModelConfig(model="hog"))
    engine.wait(JobStarted)
    engine.close_pipe()
    assert engine.process.wait(60) == 0


@pytest.mark.skipif(os.name != "posix", reason="kill -9")
def test_engine__ends_when_its_parent_is_killed(project: Project) -> None:
    """The pipe stays open in a third process, so only the parent's death can be the reason."""
    middle = subprocess.Popen(
        [sys.executable, "-c", _PARENT, *TOY_ENGINE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=engine_environment(),
    )
    assert middle.stdin is not None
    assert middle.stdout is not None
    engine = psutil.Process(int(middle.stdout.readline()))
    for command in (
        OpenProject(path=str(project.path)),
        msgspec.Raw(
            b'{"type":"start_job","job_id":"1","config":'
            + msgspec.json.encode(harvest(project))
            + b"}"
        ),
    ):
        middle.stdin.write(msgspec.json.encode(command) + b"\n")
    middle.stdin.flush()
    while b"job_progress" not in middle.stdout.readline():
        pass
    middle.kill()
    middle.wait()
    psutil.wait_procs([engine], timeout=60)
    assert not engine.is_running() or engine.status() == psutil.STATUS_ZOMBIE
    assert saved(project).startswith("cancelled")
    middle.stdin.close()
    middle.stdout.close()


_PARENT = """
import subprocess, sys, time
child = subprocess.Popen(sys.argv[1:])
print(child.pid, flush=True)
time.sleep(600)
"""


def test_engine__needs_no_lock_for_jobs_that_only_read(engine: EngineDriver) -> None:
    engine.start("1", GetModelConfig(name="unheard-of"))
    ended = engine.wait_end("1")
    assert isinstance(ended, JobFailed)
    assert "project" not in ended.error.what
