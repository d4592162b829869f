"""The engine's threads and what a job's context makes of its progress, without a process."""

from __future__ import annotations

import ast
import threading
import time
from pathlib import Path

import pytest

import sae_desktop
from sae_desktop.activations.config import HarvestConfig, VerifyStoreConfig
from sae_desktop.engine import worker
from sae_desktop.engine.context import RATE_SECONDS, RateMeter, WorkerContext
from sae_desktop.engine.protocol import Event, JobConfig, JobOutput
from sae_desktop.engine.registry import JOB_KINDS, job_kind
from sae_desktop.engine.worker import Workers
from sae_desktop.errors import UserError
from sae_desktop.jobs import JobContext
from sae_desktop.steering.config import PLAIN, SteerConfig, SteeredToken


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Jobs run until this is set."""
    go_on = threading.Event()

    def run(config: JobConfig, context: JobContext) -> JobConfig:
        del context
        go_on.wait(30)
        return config

    monkeypatch.setattr(worker, "run_job", run)
    return go_on


def _harvest(name: str, project: str = "/p") -> HarvestConfig:
    return HarvestConfig(project=project, name=name)


def test_workers__refuse_two_jobs_that_write_the_same_thing(held: threading.Event) -> None:
    events: list[Event] = []
    workers = Workers(events.extend)
    workers.start("1", _harvest("acts"))
    with pytest.raises(UserError, match="The store “acts” is being written"):
        workers.start("2", _harvest("acts"))
    workers.start("3", _harvest("other"))
    # What only reads has nothing that could clash.
    for number in (4, 5):
        workers.start(str(number), VerifyStoreConfig(project="/p", name="acts"))
    held.set()
    assert workers.end(30)


def test_workers__give_a_name_back_when_no_thread_could_be_started(
    held: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    workers = Workers(lambda events: None)

    def refused(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as few:
        few.setattr(threading.Thread, "start", refused)
        with pytest.raises(UserError, match="Harvest “acts” could not be started"):
            workers.start("1", _harvest("acts"))
    assert workers.writing() == []
    workers.start("1", _harvest("acts"))
    held.set()
    deadline = time.monotonic() + 30
    while workers.writing() and time.monotonic() < deadline:
        time.sleep(0.01)
    workers.start("1", _harvest("acts"))
    assert workers.end(30)


def test_rate__forgets_how_fast_it_was_long_ago() -> None:
    meter, done, now = RateMeter(), 0.0, 0.0
    rate = 0.0
    for pace, seconds in ((1000.0, 10 * RATE_SECONDS), (10.0, 10 * RATE_SECONDS)):
        for _ in range(int(seconds * 10)):
            now += 0.1
            done += pace / 10
            rate = meter.add(done, 1e9, "rows", now)
        assert rate == pytest.approx(pace, rel=0.01)


def test_rate__is_that_of_the_last_seconds_just_after_a_change() -> None:
    meter, done, now = RateMeter(), 0.0, 0.0
    for pace, seconds in ((1000.0, 10 * RATE_SECONDS), (10.0, RATE_SECONDS)):
        for _ in range(int(seconds * 10)):
            now += 0.1
            done += pace / 10
            rate = meter.add(done, 1e9, "rows", now)
    # One time constant later 1/e of the weight is still on the past.
    assert rate == pytest.approx(10 + 990 / 2.71828, rel=0.03)


def test_rate__begins_anew_with_another_phase() -> None:
    meter = RateMeter()
    meter.add(0, 100, "rows", 0.0)
    assert meter.add(50, 100, "rows", 1.0) == pytest.approx(50)
    assert meter.add(10, 100, "rows", 2.0) == 0
    assert meter.add(20, 100, "rows", 3.0) == pytest.approx(10)
    assert meter.add(20, 100, "features", 4.0) == 0


# ---------------------------------------------------------------- what kinds say of themselves
def test_output__is_only_handed_on_by_a_kind_that_says_it_streams() -> None:
    token = SteeredToken(position=0, texts=["a"])
    events: list[Event] = []
    steered = WorkerContext("1", events.extend, job_kind(steer_config()).streams)
    steered.output(token)
    steered.flush([])
    (output,) = events
    assert isinstance(output, JobOutput)
    assert output.data == token
    silent = WorkerContext("2", events.extend, job_kind(_harvest("acts")).streams)
    with pytest.raises(TypeError, match="SteeredToken"):
        silent.output(token)


@pytest.mark.parametrize(("asked", "said"), [("output", "streams"), ("stop_requested", "stops")])
def test_kinds__say_what_their_functions_do(asked: str, said: str) -> None:
    """Functions that hand on parts, or end early as asked, belong to kinds that say so."""
    package = Path(sae_desktop.__file__).parent
    rooms = {
        path.relative_to(package).parts[0]
        for path in package.rglob("*.py")
        if path.parts[-2] not in ("engine", "client", "cli") and path.name != "jobs.py"
        if any(_asks(node, asked) for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    }
    told = {kind.function.split(".")[1] for kind in JOB_KINDS.values() if getattr(kind, said)}
    assert told == rooms


def _asks(node: ast.AST, name: str) -> bool:
    return (
        isinstance(node, ast.Attribute)
        and node.attr == name
        and isinstance(node.value, ast.Name)
        and node.value.id == "context"
    ) or (
        isinstance(node, ast.Attribute)
        and node.attr == name
        and isinstance(node.value, ast.Attribute)
        and node.value.attr == "_context"
    )


def steer_config() -> SteerConfig:
    return SteerConfig(project="/p", index="i", prompt="", variants=[PLAIN])
