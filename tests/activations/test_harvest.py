"""A harvest stores the model's own activations, exactly as many, and resumes to the same bits."""

from __future__ import annotations

import json
import threading
from contextlib import closing
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from job_contexts import RecordingContext
from stored import opened, same_stores
from toy_models import TEXT

from sae_desktop.activations import batch_size, harvest_rows, store_filler
from sae_desktop.activations.batch_size import FoundBatch, find_batch
from sae_desktop.activations.config import EstimateHarvestConfig
from sae_desktop.activations.estimate import estimate_harvest
from sae_desktop.activations.harvest import harvest
from sae_desktop.activations.harvest_plan import plan_harvest
from sae_desktop.activations.prefetch import prefetch
from sae_desktop.errors import JobCancelledError, UserError
from sae_desktop.interruption import check_interrupted, interrupted_by
from sae_desktop.language_model.load import load_model
from sae_desktop.project import Project

SITE = "blocks.2.hook_resid_post"


@pytest.mark.parametrize("bos", ["auto", "never"])
@pytest.mark.parametrize("keep_first", [False, True])
def test_rows__are_the_models_own_hidden_states(make: Any, bos: str, keep_first: bool) -> None:
    config = make(bos=bos, keep_first=keep_first, dtype="float32")
    result = harvest(config, RecordingContext())
    store, lm = opened(config), load_model(config.model)
    assert result.rows == store.rows == 700
    assert store.info.bos_prepended == (bos == "auto")
    texts = [json.loads(line)["text"] for line in Path(config.corpus).read_text().splitlines()]
    covered = 0
    for window in store.windows:
        first, rows = int(window["first_row"]), int(window["length"])
        assert first == covered
        covered += rows
        document = store.documents[window["document"]]
        assert document["title"].decode() == f"T{document['ordinal']}"
        ids = lm.encode(texts[document["ordinal"]])[window["offset"] :]
        whole = ([lm.bos_id] if bos == "auto" else []) + ids
        dropped = 0 if keep_first else 1
        used = whole[: dropped + rows]
        assert store.tokens[first : first + rows].tolist() == used[dropped:]
        assert store.positions[first : first + rows].tolist() == list(range(dropped, len(used)))
        with torch.no_grad():
            hidden = lm.model(torch.tensor([used]), output_hidden_states=True).hidden_states[3]
        np.testing.assert_allclose(
            store.read(first, first + rows), hidden[0, dropped:], rtol=1e-4, atol=1e-5
        )
    assert covered == store.rows


MLP_SITES = ("blocks.1.mlp.hook_in", "blocks.1.hook_mlp_out")


def test_several_sites__hold_the_rows_of_a_harvest_each(make: Any) -> None:
    config = make(sites=MLP_SITES)
    harvest(config, RecordingContext())
    store = opened(config)
    assert store.info.sites == [SITE, *MLP_SITES]
    for number, site in enumerate(store.info.sites):
        alone = make(name=f"alone-{number}", site=site)
        harvest(alone, RecordingContext())
        assert np.array_equal(opened(alone).read(0, 700), store.read(0, 700, site))
        assert np.array_equal(opened(alone).norms(), store.norms(site))
        assert np.array_equal(opened(alone).tokens, store.tokens)


def test_several_sites__are_resumed_after_a_cancel(make: Any) -> None:
    whole, broken = make(name="whole", sites=MLP_SITES), make(name="broken", sites=MLP_SITES)
    harvest(whole, RecordingContext())
    with pytest.raises(JobCancelledError):
        harvest(broken, RecordingContext(cancel_after=6))
    assert 0 < opened(broken).rows < 700
    harvest(broken, RecordingContext())
    for site in MLP_SITES:
        assert np.array_equal(opened(whole).read(0, 700, site), opened(broken).read(0, 700, site))
    with pytest.raises(UserError, match="sites is"):
        harvest(make(name="whole"), RecordingContext())


def test_dtypes__are_the_nearest_and_norms_are_those_of_the_model(make: Any) -> None:
    exact = make(name="exact", dtype="float32")
    harvest(exact, RecordingContext())
    rows = opened(exact).read(0, 700)
    norms = np.linalg.norm(rows, axis=1)
    spread = np.square(rows - rows.mean(axis=0)).sum()
    nearest = {
        "float16": rows.astype(np.float16),
        "bfloat16": torch.tensor(rows).bfloat16().float().numpy(),
    }
    for dtype in ("float16", "bfloat16", "int8"):
        rounded = make(name=dtype, dtype=dtype)
        harvest(rounded, RecordingContext())
        store = opened(rounded)
        stored = store.read(0, 700)
        if dtype in nearest:
            assert np.array_equal(stored, nearest[dtype])
            assert stored.dtype == nearest[dtype].dtype
        else:
            limit = np.abs(rows).max(axis=1, keepdims=True) / 254
            assert (np.abs(stored - rows) <= limit * 1.001).all()
        np.testing.assert_allclose(store.norms(), norms, rtol=1e-5)
        statistics = store.statistics()
        assert statistics is not None
        lost = np.square(rows - stored.astype(np.float32), dtype="f8").sum() / 700
        told = statistics.figures(SITE).storage_fvu
        assert told == pytest.approx(lost / (spread / 700), rel=1e-3), dtype
        assert 0 < told < 1e-3


_EVERY_DAY = {(8, "auto", True), (9, "never", False), (14, "auto", False)}


@pytest.mark.parametrize(
    ("stop", "bos", "keep_first"),
    [
        pytest.param(*one, marks=() if one in _EVERY_DAY else pytest.mark.nightly)
        for one in product((8, 9, 14), ("auto", "never"), (False, True))
    ],
)
def test_resume__after_a_cancel_gives_the_same_store(
    make: Any, stop: int, bos: str, keep_first: bool
) -> None:
    whole = make(name="whole", bos=bos, keep_first=keep_first)
    harvest(whole, RecordingContext())
    broken = make(name="broken", bos=bos, keep_first=keep_first)
    for _ in range(3):
        try:
            harvest(broken, RecordingContext(cancel_after=stop))
        except JobCancelledError:
            assert 0 < opened(broken).rows < 700
    context = RecordingContext()
    result = harvest(broken, context)
    assert any("Resuming at" in line for line in context.lines)
    assert result.rows == 700
    assert same_stores(opened(whole), opened(broken))


def test_resume__after_uncommitted_rows_gives_the_same_store(
    make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, killed = make(name="whole"), make(name="killed")
    harvest(whole, RecordingContext())

    def die(number: int) -> None:
        if number == 12:  # as if killed: nothing more is committed
            monkeypatch.setattr(store_filler.SegmentWriter, "commit", lambda self: None)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        harvest(killed, RecordingContext(on_check=die))
    monkeypatch.undo()
    assert opened(killed).rows == 0
    harvest(killed, RecordingContext())
    assert same_stores(opened(whole), opened(killed))


def test_commits__come_while_it_runs_and_at_a_pause(make: Any) -> None:
    config = make()
    seen: list[int] = []
    context = RecordingContext()

    def look(number: int) -> None:
        seen.append(opened(config).rows)
        context.pause_requested = number == 8

    context.on_check = look
    harvest(config, context)
    assert seen[:8] == [0] * 8
    assert 0 < seen[8] < 700
    assert opened(config).rows == 700
    seen.clear()
    often = make(name="often", commit_seconds=0.0)
    harvest(often, RecordingContext(on_check=lambda _: seen.append(opened(often).rows)))
    assert seen == sorted(seen)
    assert len(set(seen)) > 4


def test_stop__keeps_what_there_is(make: Any) -> None:
    context = RecordingContext(stop_after=2)
    result = harvest(make(), context)
    assert 0 < result.rows < 700
    assert opened(make()).rows == result.rows
    assert "Stopped at" in context.lines[-1]


def test_complete_store__is_returned_at_once(make: Any) -> None:
    first = harvest(make(), RecordingContext())
    context = RecordingContext()
    again = harvest(make(batch_tokens=128, device="cpu", tokens=600), context)
    assert (again.rows, again.windows, again.bytes) == (first.rows, first.windows, first.bytes)
    assert context.checks == 0
    assert "complete" in context.lines[0]


def test_other_settings__are_refused_by_name(make: Any) -> None:
    harvest(make(), RecordingContext())
    for changes in ({"seed": 3}, {"site": "blocks.1.hook_mlp_out"}, {"dtype": "int8"}):
        with pytest.raises(UserError, match="other settings") as caught:
            harvest(make(**changes), RecordingContext())
        assert next(iter(changes)) in caught.value.what
        assert "700 tokens" in caught.value.kept
        assert opened(make()).rows == 700


def test_corpus_that_ends_early__gives_what_there_is(make: Any) -> None:
    context = RecordingContext()
    result = harvest(make(tokens=100_000), context)
    assert 700 < result.rows < 100_000
    assert f"ended after {result.rows:,} of the" in context.lines[-1]
    assert result.documents == 40
    again = harvest(make(tokens=100_000), RecordingContext())
    assert again.rows == result.rows


def test_bad_settings__are_refused_before_anything_is_written(make: Any, tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text("")
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    for changes, message in (
        ({"site": "blocks.9.hook_resid_post"}, "no site"),
        ({"sites": ("blocks.9.hook_mlp_out",)}, "no site"),
        ({"sites": (SITE,)}, "named twice"),
        ({"corpus": str(tmp_path / "empty.txt")}, "is empty"),
        ({"corpus": str(tmp_path / "latin.txt")}, "not UTF-8"),
        ({"corpus": str(tmp_path / "none")}, "no corpus"),
        ({"context_size": 65}, "longer than"),
        ({"tokens": 0}, "tokens = 0"),
        ({"tokens": 10**14, "dtype": "float32", "corpus": "builtin"}, "are free"),
        ({"model": str(tmp_path)}, "no config.json"),
    ):
        (tmp_path / "ok.txt").write_text(TEXT)
        with pytest.raises(UserError, match=message):
            harvest(make(name="refused", **changes), RecordingContext())
    project = Project.open(make().project)
    assert project.stores() == []
    assert not project.store_path("refused").exists()


def test_values_beyond_float16__are_refused(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    lm = load_model(make().model)
    hook = lm.model.model.layers[2].register_forward_hook(lambda m, a, out: out * 1e6)
    try:
        with pytest.raises(UserError, match="float16") as caught:
            harvest(make(), RecordingContext())
    finally:
        hook.remove()
    assert "float32" in caught.value.next_step


@pytest.mark.parametrize("sites", [(), MLP_SITES])
def test_estimate__sizes_the_store_that_comes(make: Any, sites: tuple[str, ...]) -> None:
    config = make(sites=sites)
    estimate = estimate_harvest(EstimateHarvestConfig(harvest=config), RecordingContext())
    result = harvest(config, RecordingContext())
    assert abs(estimate.bytes - result.bytes) < 40_000
    assert estimate.tokens_per_second > 0
    assert estimate.seconds == pytest.approx(700 / estimate.tokens_per_second)
    assert estimate.free_bytes > 0


def test_prefetch__hands_on_errors_and_ends_its_thread() -> None:
    def numbers() -> Any:
        yield 1
        raise UserError("broken")

    items = prefetch(numbers())
    assert next(items) == 1
    with pytest.raises(UserError, match="broken"):
        next(items)
    endless = prefetch(iter(range(10**9)))
    assert next(endless) == 0
    endless.close()


def test_prefetch__ends_in_the_middle_of_reading() -> None:
    """Where nothing comes, closing it and a cancel of its consumer end the wait at once."""
    reading = threading.Event()
    ended: list[str] = []

    def nothing() -> Any:
        yield 1
        try:
            while True:
                reading.set()
                check_interrupted()
        finally:
            ended.append("reading")

    items = prefetch(nothing())
    assert next(items) == 1
    assert reading.wait(30)
    items.close()
    assert ended == ["reading"]

    def cancelled() -> None:
        raise JobCancelledError

    with (
        interrupted_by(cancelled),
        closing(prefetch(nothing())) as items,
        pytest.raises(JobCancelledError),
    ):
        for _ in items:
            pass
    assert ended == ["reading", "reading"]


def test_batches_that_do_not_fit__are_halved(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = make(name="whole", dtype="float32")
    harvest(whole, RecordingContext())
    visit, sizes = harvest_rows.visit_sites, []

    def narrow(lm: Any, ids: torch.Tensor, *others: Any) -> None:
        sizes.append(len(ids))
        if len(ids) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        visit(lm, ids, *others)

    monkeypatch.setattr(harvest_rows, "visit_sites", narrow)
    halved = make(name="halved", dtype="float32", batch_tokens=112)
    harvest(halved, RecordingContext())
    assert max(sizes) > 4  # it was tried
    assert sum(size > 2 for size in sizes) <= 3  # and then not again
    first, second = opened(whole), opened(halved)
    assert np.array_equal(first.tokens, second.tokens)
    assert np.array_equal(first.windows, second.windows)
    np.testing.assert_allclose(first.read(0, 700), second.read(0, 700), rtol=1e-4, atol=1e-5)


def test_window_that_does_not_fit__ends_the_harvest_with_what_was_committed(
    make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    visit, calls = harvest_rows.visit_sites, []

    def narrow(*given: Any) -> None:
        calls.append(1)
        if len(calls) > 20:
            raise torch.OutOfMemoryError("CUDA out of memory")
        visit(*given)

    monkeypatch.setattr(harvest_rows, "visit_sites", narrow)
    with pytest.raises(torch.OutOfMemoryError):
        harvest(make(), RecordingContext())
    assert 0 < opened(make()).rows < 700


def test_batch__grows_while_that_makes_it_faster(
    make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    speeds = {512: 100.0, 1024: 150.0, 2048: 151.0, 4096: 900.0}
    plan = plan_harvest(make(batch_tokens=0))
    monkeypatch.setattr(batch_size, "_timed", lambda plan, *_: speeds.get(plan.batch_tokens, 1.0))
    assert find_batch(plan, RecordingContext()) == FoundBatch(1024, 150.0)
    monkeypatch.setattr(batch_size, "free_device_memory", lambda device: 10_000)
    assert find_batch(plan, RecordingContext()) == FoundBatch(512, 100.0)
    given = plan_harvest(make(batch_tokens=4096))
    assert find_batch(given, RecordingContext()) == FoundBatch(4096, 900.0)


def test_batch_that_was_found__is_the_stores_and_is_used_again(make: Any) -> None:
    context = RecordingContext()
    harvest(make(batch_tokens=0, tokens=500), context)
    found = opened(make()).info.batch_tokens
    assert any(f"Batches of {found:,} tokens" in line for line in context.lines)
    harvest(make(batch_tokens=0, tokens=700), RecordingContext())
    assert opened(make()).last_info.batch_tokens == found


def test_corpus_of_single_tokens__gives_no_rows_and_leaves_nothing(
    make: Any, tmp_path: Path
) -> None:
    (tmp_path / "short.jsonl").write_text('{"text": "e"}\n{"text": "a"}\n')
    config = make(corpus=str(tmp_path / "short.jsonl"), bos="never")
    with pytest.raises(UserError, match="gives no rows") as caught:
        harvest(config, RecordingContext())
    assert "short.jsonl" in caught.value.what
    assert not Project.open(config.project).store_path(config.name).exists()
    kept = make(corpus=config.corpus, bos="never", keep_first=True)
    assert harvest(kept, RecordingContext()).rows == 2
