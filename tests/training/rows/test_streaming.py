"""Training while harvesting: the harvest's own rows, no store, and the same end after a resume."""

from __future__ import annotations

import json
import shutil
import threading
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from imported_rows import assert_same_weights
from job_contexts import RecordingContext

from sae_desktop.activations.config import HarvestConfig
from sae_desktop.activations.harvest import harvest
from sae_desktop.activations.store import ActivationStore
from sae_desktop.dictionary import load
from sae_desktop.engine.run import run_job
from sae_desktop.errors import JobCancelledError, UserError
from sae_desktop.jobs import SilentContext
from sae_desktop.language_model.text import chat_template
from sae_desktop.project import Project
from sae_desktop.training import loss_pace
from sae_desktop.training.checkpoint import StreamPosition, load_checkpoint
from sae_desktop.training.config import TrainConfig, TrainResult
from sae_desktop.training.job import train, train_together
from sae_desktop.training.rows import streaming
from sae_desktop.training.rows.stream_feed import StreamFeed
from sae_desktop.training.rows.streaming import StreamSource
from sae_desktop.training.run_log import read_run

SITE, OTHER = "blocks.1.hook_resid_post", "blocks.2.hook_resid_post"
TOKENS = 40 * 128


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few rows held out and measured, and pools of 700 rows: several, none whole batches."""
    torch.set_num_threads(1)
    monkeypatch.setattr(streaming, "HELD_OUT_ROWS", 300)
    monkeypatch.setattr(streaming, "MEASURED_ROWS", 500)
    monkeypatch.setattr(streaming, "_POOL_ROWS", 700)


@pytest.fixture
def stream(project: Project, toy_model_folder: Path, tmp_path: Path) -> HarvestConfig:
    """A corpus of about 5,200 rows: the run passes over those not held out more than once."""
    for number in range(30):
        words = [f"word{(number * 7 + n * n) % 61}" for n in range(22)]
        (tmp_path / "texts").mkdir(exist_ok=True)
        (tmp_path / "texts" / f"{number:02}.txt").write_text(" ".join(words))
    return HarvestConfig(
        project=str(project.path), name="", model=str(toy_model_folder), site=SITE,
        corpus=str(tmp_path / "texts"), tokens=1, context_size=24, batch_tokens=24, dtype="float32",
        order="files",
    )  # fmt: skip


def _config(project: Project, stream: HarvestConfig, **changes: object) -> TrainConfig:
    config = TrainConfig(
        project=str(project.path), name="d", stream=stream, architecture="batchtopk", features=48,
        k=4, tokens=TOKENS, batch=128, checkpoint_seconds=1e9, device="cpu", metric_rows=200,
    )  # fmt: skip
    return msgspec.structs.replace(config, **changes)


def _store(project: Project, stream: HarvestConfig) -> ActivationStore:
    """The rows the stream gives, harvested into a store."""
    harvest(msgspec.structs.replace(stream, name="all", tokens=10**6), SilentContext())
    return ActivationStore.open(project.store_path("all"))


def test_stream__gives_each_row_of_the_harvest_once_a_pass(
    project: Project, stream: HarvestConfig, small_parts: None
) -> None:
    store = _store(project, stream)
    config = _config(project, stream, tokens=20_000)
    source = StreamSource(config, None, SilentContext())
    held_out = source.held_out_parts(10**6)[0]
    assert 300 <= len(held_out) < 500
    training = store.rows - len(held_out)
    assert np.array_equal(held_out, store.read(0, len(held_out)))
    feed = source.feed()
    rows = feed.take(0, 2 * training)[0]
    feed.close()
    # The harvest's very rows; each pool of 700 rows is shuffled by itself.
    wanted = store.read(len(held_out), store.rows)
    assert source.pool_rows == 700
    twice = np.concatenate([wanted, wanted])
    for begin in range(0, 2 * training - 700, 700):
        found, right = rows[begin : begin + 700], twice[begin : begin + 700]
        assert not np.array_equal(found, right)
        assert np.array_equal(found[np.lexsort(found.T)], right[np.lexsort(right.T)])


def test_stream__goes_on_anywhere_with_the_same_rows(
    project: Project, stream: HarvestConfig, small_parts: None
) -> None:
    config = _config(project, stream)
    source = StreamSource(config, None, SilentContext())
    feed = source.feed()
    assert isinstance(feed, StreamFeed)
    places = {}
    rows = np.concatenate([feed.take(begin, 128)[0] for begin in range(0, TOKENS, 128)])
    places = {begin: source.place(begin) for begin in (2500, 4000, 5000)}
    feed.close()
    for begin, place in places.items():
        assert place.pool == begin // 700
        again = StreamSource(config, place, SilentContext()).feed()
        assert np.array_equal(again.take(begin, 100)[0], rows[begin : begin + 100])
        again.close()
    windows = [place.windows for place in places.values()]
    assert windows == sorted(set(windows))
    assert places[5000].passes >= 1


@pytest.mark.parametrize(("measures", "times"), [(True, 1), (False, 0)])
def test_loss_recovered__is_measured_once_where_there_is_no_time_and_not_at_all_if_not_asked(
    project: Project,
    stream: HarvestConfig,
    small_parts: None,
    monkeypatch: pytest.MonkeyPatch,
    measures: bool,
    times: int,
) -> None:
    monkeypatch.setattr(loss_pace, "SHARE", 0.0)
    train(_config(project, stream, measure_loss=measures), SilentContext())
    run = read_run(project.dictionary_path("d") / "run.h5")
    assert len(run.measured("loss_recovered")[1]) == times
    assert len(run.measured("fvu")[1]) > 5


def test_training_on_a_stream__writes_no_store_and_measures_on_rows_held_out(
    project: Project, stream: HarvestConfig, small_parts: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = RecordingContext()
    monkeypatch.setattr(loss_pace, "SHARE", 1e9)
    result = train(_config(project, stream), context)
    assert result.rows == TOKENS
    told = ["Opening the rows", "Loading the model for measuring the loss", "Preparing “d”"]
    assert [doing for doing in context.doing if doing in told] == told
    assert "Measuring the loss recovered of “d”" in context.doing
    assert project.stores() == []
    assert 0 < result.fvu < 1
    dictionary = load(project.dictionary_path("d"))
    assert dictionary.metadata["hook_name"] == SITE
    assert dictionary.metadata["model_name"] == stream.model
    run = read_run(project.dictionary_path("d") / "run.h5")
    assert len(run.measured("loss_recovered")[1]) > 5
    assert run.samples[-1]
    assert np.isfinite(run.columns["waited_share"]).all()
    # The same figure by a plain formula, on the first rows of the harvest.
    store = _store(project, stream)
    held_out = torch.tensor(store.read(0, 10**6))[: len(_held_out(project, stream))]
    x = held_out[np.linspace(0, len(held_out) - 1, 200).astype(np.int64)]
    error = (x - dictionary.apply(x)).square().sum()
    assert result.fvu == pytest.approx(float(error / (x - x.mean(0)).square().sum()), rel=1e-3)


def _held_out(project: Project, stream: HarvestConfig) -> np.ndarray:
    return StreamSource(_config(project, stream), None, SilentContext()).held_out_parts(10**6)[0]


def test_training_on_a_stream__cancelled_twice_ends_with_the_same_weights(
    project: Project, stream: HarvestConfig, small_parts: None
) -> None:
    train(_config(project, stream, name="whole", resample=True), SilentContext())
    found: list[StreamPosition] = []
    for steps in (14, 12):
        context = _CancelsAfter(steps * 128)
        with pytest.raises(JobCancelledError):
            train(_config(project, stream, resample=True), context)
        checkpoint = load_checkpoint(project.dictionary_path("d") / "checkpoint")
        assert checkpoint is not None
        assert isinstance(checkpoint.progress.position, StreamPosition)
        found.append(checkpoint.progress.position)
    assert 0 < found[0].windows < found[1].windows
    train(_config(project, stream, resample=True), SilentContext())
    assert_same_weights(project, "d", "whole")


class _CancelsAfter(RecordingContext):
    """Cancels once a session has taken so many rows."""

    def __init__(self, rows: int) -> None:
        super().__init__()
        self.rows, self.first = rows, -1.0

    def progress(self, done: float, total: float, unit: str, message: str = "") -> None:
        super().progress(done, total, unit, message)
        if done and self.first < 0:
            self.first = done
        if done and done - self.first >= self.rows:
            self.cancel_after = 0


def test_training_on_a_stream__of_several_sites_and_dictionaries_in_one_pass(
    project: Project, stream: HarvestConfig, small_parts: None
) -> None:
    both = msgspec.structs.replace(stream, sites=(OTHER,))
    configs = [
        _config(project, both, name="a"),
        _config(project, both, name="b", k=8),
        _config(project, both, name="t", target="transcoder", sites=(SITE,), output_sites=(OTHER,)),
        _config(project, both, name="x", target="crosscoder", architecture="standard"),
    ]
    outcomes = train_together(configs, SilentContext())
    assert all(isinstance(outcome, TrainResult) for outcome in outcomes), outcomes
    assert [load(project.dictionary_path(n)).out_width for n in "abtx"] == [32, 32, 32, 64]
    train(_config(project, both, name="alone"), SilentContext())
    assert_same_weights(project, "a", "alone")


def test_training_on_a_stream__can_be_cancelled_while_it_waits_for_rows(
    project: Project, stream: HarvestConfig
) -> None:
    with pytest.raises(JobCancelledError):
        train(_config(project, stream), RecordingContext(cancel_after=2))
    assert project.dictionaries() == []


def test_training_on_a_stream__leaves_a_template_without_end_at_a_cancel(
    project: Project,
    stream: HarvestConfig,
    toy_model_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The template is at work in the thread that reads ahead."""
    monkeypatch.setattr(chat_template, "SECONDS", 120.0)
    shutil.copytree(toy_model_folder, tmp_path / "model")
    (tmp_path / "model" / "chat_template.jinja").write_text(
        "{% if 'long' in messages[0]['content'] %}{% for a in range(99999) %}"
        "{% for b in range(99999) %}{% endfor %}{% endfor %}{% endif %}"
    )
    said = [{"role": "user", "content": "a long question"}]
    (tmp_path / "chats.jsonl").write_text(json.dumps({"messages": said}) + "\n")
    chats = msgspec.structs.replace(
        stream, model=str(tmp_path / "model"), corpus=str(tmp_path / "chats.jsonl")
    )
    waited: list[int] = []

    def look(number: int) -> None:
        if any(thread.name.startswith("prefetch") for thread in threading.enumerate()):
            waited.append(number)
        if len(waited) > 5:
            raise JobCancelledError

    with pytest.raises(JobCancelledError):
        run_job(_config(project, chats), RecordingContext(on_check=look))
    assert chat_template._child is None


def test_training_on_a_stream__refuses_a_corpus_too_small(
    project: Project, stream: HarvestConfig, tmp_path: Path
) -> None:
    (tmp_path / "short.txt").write_text("a few words only")
    with pytest.raises(UserError, match="needs at least 100 to learn from"):
        train(
            _config(project, msgspec.structs.replace(stream, corpus=str(tmp_path / "short.txt"))),
            SilentContext(),
        )


def _documents(windows: list[Any]) -> set[str]:
    return {span.document.title for window in windows for span in window.spans}


def test_shuffled_stream__holds_whole_documents_out_and_goes_on_anywhere(
    project: Project, stream: HarvestConfig, small_parts: None
) -> None:
    mixed = msgspec.structs.replace(stream, order="shuffled")
    config = _config(project, mixed)
    source = StreamSource(config, None, SilentContext())
    held = _documents(source._held_out_windows)
    assert held
    assert source._texts is not None
    others = {document.title for document in source._texts.others()}
    assert not held & others
    assert len(held | others) == 30
    held_out = {row.tobytes() for row in source.held_out_parts(10**6)[0]}
    feed = source.feed()
    rows = np.concatenate([feed.take(begin, 128)[0] for begin in range(0, TOKENS, 128)])
    place = source.place(4000)
    feed.close()
    # Texts that begin alike have their first rows in common, and no more.
    assert len(held_out & {row.tobytes() for row in rows}) < len(held_out) / 3
    resumed = StreamSource(config, place, SilentContext())
    assert np.array_equal(resumed.held_out_parts(10**6)[0], source.held_out_parts(10**6)[0])
    again = resumed.feed()
    assert np.array_equal(again.take(4000, 200)[0], rows[4000:4200])
    again.close()


def test_stream__trains_on_no_text_that_is_alike_to_one_held_out(
    project: Project, stream: HarvestConfig, small_parts: None, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    folder = tmp_path / "alike"
    folder.mkdir()
    for number in range(30):
        words = [f"word{n}" for n in rng.integers(0, 900, 40)]
        (folder / f"{number:02}.txt").write_text(" ".join(words))
        words[17] = "another"
        (folder / f"{number:02} again.txt").write_text(" ".join(words))
    mixed = msgspec.structs.replace(stream, order="shuffled", corpus=str(folder))
    source = StreamSource(_config(project, mixed), None, SilentContext())
    held = _documents(source._held_out_windows)
    assert source._texts is not None
    others = {document.title for document in source._texts.others()}
    assert held
    assert {title[:2] for title in held}.isdisjoint({title[:2] for title in others})
    assert len(others) >= 40
    # Read file after file: nothing after the text that is cut where training begins.
    in_order = msgspec.structs.replace(mixed, order="files")
    ordered = StreamSource(_config(project, in_order), None, SilentContext())
    first = ordered._first.ordinal
    spans = [span for window in ordered._held_out_windows for span in window.spans]
    whole = {s.document.title[:2] for s in spans if s.document.ordinal < first}
    assert whole
    assert ordered._others is not None
    trained = {d.title[:2] for d in ordered._others() if d.ordinal > first}
    assert whole.isdisjoint(trained)
    assert len(trained) > 25
