"""How a training ends when it is told to: saved first, at once, and nothing left of nothing."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from imported_rows import import_rows, run_config, toy_rows
from job_contexts import RecordingContext

from sae_desktop.errors import JobCancelledError, UserError
from sae_desktop.project import Project
from sae_desktop.training import job as training
from sae_desktop.training.checkpoint import load_checkpoint
from sae_desktop.training.job import train
from sae_desktop.training.measuring.held_out import HeldOut
from sae_desktop.training.rows import stream_feed
from sae_desktop.training.rows.source import StoreSource
from sae_desktop.training.run_group import RunGroup


@pytest.fixture
def filled(project: Project) -> Project:
    torch.set_num_threads(1)
    import_rows(project, toy_rows(3000))
    return project


def _saved_rows(project: Project) -> int:
    found = load_checkpoint(project.dictionary_path("d") / "checkpoint")
    return found.progress.rows if found else 0


@pytest.fixture
def at_close(filled: Project, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Rows of the last checkpoint at the moment at which the feed is told to end."""
    found: list[int] = []
    feed_of = StoreSource.feed

    def watched(source: StoreSource) -> object:
        feed = feed_of(source)
        close = feed.close

        def closed() -> None:
            found.append(_saved_rows(filled))
            close()

        feed.close = closed  # type: ignore[method-assign]
        return feed

    monkeypatch.setattr(StoreSource, "feed", watched)
    return found


def test_cancel__saves_what_was_learned_before_it_ends_the_feed(
    filled: Project, at_close: list[int]
) -> None:
    with pytest.raises(JobCancelledError):
        train(run_config(filled), RecordingContext(cancel_after=8))
    assert at_close == [_saved_rows(filled)]
    assert at_close[0] > 0


def test_fault_between_steps__saves_what_was_learned_before_it_ends_the_feed(
    filled: Project, at_close: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[int] = []

    def failing(*_: object) -> None:
        steps.append(len(steps))
        if len(steps) == 3:
            raise MemoryError

    monkeypatch.setattr(RunGroup, "_adjust", failing)
    with pytest.raises(MemoryError):
        train(run_config(filled), RecordingContext())
    assert at_close == [_saved_rows(filled)]
    assert at_close[0] > 0


def test_cancel__before_anything_was_kept_leaves_no_run(filled: Project) -> None:
    folder = filled.dictionary_path("d")
    for checks in range(7):
        with pytest.raises(JobCancelledError):
            train(run_config(filled), RecordingContext(cancel_after=checks))
        assert folder.exists() == bool(_saved_rows(filled))
        assert (filled.runs() == []) == (not folder.exists())
    assert _saved_rows(filled) > 0


def test_refusal__at_the_beginning_leaves_no_run(
    filled: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Failing:
        def __init__(self, *_: object, **__: object) -> None:
            raise UserError("It cannot begin.")

    monkeypatch.setattr(training, "RunGroup", Failing)
    with pytest.raises(UserError, match="cannot begin"):
        train(run_config(filled), RecordingContext())
    assert not filled.dictionary_path("d").exists()


def test_measurement__is_broken_off_when_somebody_waits(
    filled: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = RecordingContext()
    asked: list[bool] = []

    def losses(_: HeldOut, dictionary: object, limit: float, between: object) -> None:
        context.pause_requested = len(asked) == 1
        try:
            between()  # type: ignore[operator]
            asked.append(False)
        except BaseException:
            asked.append(True)
            raise
        finally:
            context.pause_requested = False

    monkeypatch.setattr(HeldOut, "has_text", True)
    monkeypatch.setattr(HeldOut, "losses", losses)
    monkeypatch.setattr("sae_desktop.training.loss_pace.LossPace.due", lambda *_: True)
    train(run_config(filled), context)
    assert asked[:3] == [False, True, False]


def test_stream__ends_between_two_batches_of_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    reading, go_on = threading.Event(), threading.Event()

    class Reader:
        def __init__(self, plan: object) -> None:
            del plan

        def read(self, group: object, before_batch: object = lambda: None) -> object:
            del group
            for number in range(1000):
                before_batch()  # type: ignore[operator]
                read.append(number)
                reading.set()
                go_on.wait(10)
            raise AssertionError("nothing ended it")

    document = SimpleNamespace(ordinal=0)
    window = SimpleNamespace(spans=[SimpleNamespace(document=document, offset=0)])

    def groups(*_: object) -> object:
        yield SimpleNamespace(windows=[window])

    monkeypatch.setattr(stream_feed, "HarvestReader", Reader)
    monkeypatch.setattr(stream_feed, "window_groups", groups)
    place = stream_feed.StreamPosition()
    feed = stream_feed.StreamFeed(
        None, ["a"], [np.inf], start=place, first=place, seed=0, pool_rows=8, total=8,  # type: ignore[arg-type]
    )  # fmt: skip
    failures: list[BaseException] = []

    def take() -> None:
        try:
            feed.take(0, 8)
        except UserError as error:
            failures.append(error)

    taking = threading.Thread(target=take)
    taking.start()
    assert reading.wait(10)
    closing = threading.Thread(target=feed.close)
    closing.start()
    while not feed._stop.is_set():
        pass
    go_on.set()
    closing.join(10)
    taking.join(10)
    assert read == [0]
    assert "stopped" in str(failures[0])


def test_runs_folder__is_kept_where_there_is_something_to_go_on_from(filled: Project) -> None:
    with pytest.raises(JobCancelledError):
        train(run_config(filled), RecordingContext(cancel_after=10))
    before = _saved_rows(filled)
    with pytest.raises(JobCancelledError):
        train(run_config(filled), RecordingContext(cancel_after=0))
    assert _saved_rows(filled) == before
    assert Path(filled.dictionary_path("d") / "run.h5").is_file()
