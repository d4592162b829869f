"""What a store keeps beside its rows, and that nothing committed is ever lost or wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from job_contexts import RecordingContext
from store_checks import DTYPES, verified
from stored import opened, same_stores

from sae_desktop.activations import harvest_plan
from sae_desktop.activations.config import DescribeStoreConfig
from sae_desktop.activations.describe_store import describe_store
from sae_desktop.activations.harvest import harvest
from sae_desktop.activations.layout import (
    METADATA_BYTES,
    metadata_bytes,
)
from sae_desktop.errors import JobCancelledError
from sae_desktop.language_model.load import load_model


def described(config: Any) -> Any:
    return describe_store(
        DescribeStoreConfig(project=config.project, name=config.name), RecordingContext()
    )


# ---------------------------------------------------------------- statistics
@pytest.mark.parametrize("keep_first", [False, True])
def test_statistics__are_those_of_the_rows(make: Any, keep_first: bool) -> None:
    config = make(dtype="float32", keep_first=keep_first)
    harvest(config, RecordingContext())
    store = opened(config)
    rows = store.read(0, store.rows).astype(np.float64)
    statistics = store.statistics()
    assert statistics is not None
    assert statistics.rows == 700
    np.testing.assert_allclose(statistics.mean_D, rows.mean(axis=0), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(statistics.variance_D, rows.var(axis=0), rtol=1e-4)
    square = np.square(rows).sum(axis=1).mean()
    assert statistics.scalar == pytest.approx((store.width() / square) ** 0.5, rel=1e-6)
    assert abs(np.mean((rows * statistics.scalar) ** 2) - 1) < 1e-5
    figures = described(config).sites[0]
    norms = np.linalg.norm(rows, axis=1)
    assert figures.median_norm == pytest.approx(np.median(norms), rel=0.05)
    counts, _ = np.histogram(norms, figures.norm_edges)
    assert figures.norm_counts == counts.tolist()
    assert sum(figures.norm_counts) == 700
    assert figures.storage_fvu == 0.0
    assert figures.first_rows == len(store.windows)


def test_statistics__count_massive_first_rows_that_are_left_out(make: Any) -> None:
    lm = load_model(make().model)

    def swell(module: Any, args: Any, output: torch.Tensor) -> torch.Tensor:
        output = output.clone()
        output[:, 0] *= 50
        output[:, :, 5] += 20
        return output

    hook = lm.model.model.layers[2].register_forward_hook(swell)
    try:
        harvest(make(dtype="float32"), RecordingContext())
        harvest(make(dtype="float32", name="kept", keep_first=True), RecordingContext())
    finally:
        hook.remove()
    left_out, kept = described(make()).sites[0], described(make(name="kept")).sites[0]
    windows = len(opened(make()).windows)
    assert (left_out.massive_rows, left_out.massive_first_rows) == (0, windows)
    assert kept.massive_rows == kept.massive_first_rows == len(opened(make(name="kept")).windows)
    assert left_out.first_norm > 10 * left_out.median_norm
    assert [outlier.dimension for outlier in left_out.outliers] == [5]


def test_description__counts_tokens_languages_and_windows(make: Any, tmp_path: Path) -> None:
    corpus = tmp_path / "two.jsonl"
    rows = [{"text": "e" * 30, "language": "fr"}, {"text": "a b a b " * 8, "language": "de"}]
    corpus.write_text("\n".join(json.dumps(row) for row in rows))
    config = make(corpus=str(corpus), tokens=60)
    harvest(config, RecordingContext())
    store, found = opened(config), described(config)
    ids, counts = np.unique(store.tokens, return_counts=True)
    names = load_model(config.model).token_bytes()
    best = int(np.argmax(counts))
    assert found.tokens[0].name == names[ids[best]].decode()
    assert found.tokens[0].rows == counts[best]
    assert found.distinct_tokens == len(ids)
    languages = {share.name: share.rows for share in found.languages}
    by_document = np.zeros(2)
    for window in store.windows:
        by_document[window["document"]] += window["length"]
    assert languages == {"fr": by_document[0], "de": by_document[1]}
    assert sum(share.rows for share in found.window_lengths) == len(store.windows)


# ---------------------------------------------------------------- documents
@pytest.mark.parametrize("keep_first", [False, True])
@pytest.mark.parametrize("bos", ["auto", "never"])
def test_packed_windows__are_full_and_spans_tell_whose_rows_are_whose(
    make: Any, corpus: Path, bos: str, keep_first: bool
) -> None:
    config = make(packing="packed", bos=bos, keep_first=keep_first, deduplicate=False)
    harvest(config, RecordingContext())
    store, lm = opened(config), load_model(config.model)
    assert set(store.windows["length"][:-1]) == {16 - (not keep_first)}
    texts = [json.loads(line)["text"] for line in corpus.read_text().splitlines()]
    covered = np.zeros(store.rows, dtype=bool)
    for span in store.spans:
        ordinal = int(store.documents[span["document"]]["ordinal"])
        whole = [*lm.encode(texts[ordinal]), lm.tokenizer.eos_token_id]
        first, length, offset = (int(span[name]) for name in ("first_row", "length", "offset"))
        assert store.tokens[first : first + length].tolist() == whole[offset : offset + length]
        assert not covered[first : first + length].any()
        covered[first : first + length] = True
    special = store.tokens == lm.bos_id
    assert (covered | special).all()
    for number in range(len(store.windows)):
        ids = store.window_ids(store.windows[number])
        assert len(ids) <= 16
        assert (ids[0] == lm.bos_id) == (bos == "auto")


@pytest.mark.parametrize("stop", [8, 9, 14])
def test_packed_stores__are_resumed_to_the_same_bits(make: Any, stop: int) -> None:
    whole, broken = (make(name=name, packing="packed") for name in ("whole", "broken"))
    harvest(whole, RecordingContext())
    with pytest.raises(JobCancelledError):
        harvest(broken, RecordingContext(cancel_after=stop))
    assert 0 < opened(broken).rows < 700
    harvest(broken, RecordingContext())
    assert same_stores(opened(whole), opened(broken))


def test_window_ids__give_the_rows_again(make: Any) -> None:
    config = make(dtype="float32", bos="never")
    harvest(config, RecordingContext())
    store, lm = opened(config), load_model(config.model)
    for number, window in enumerate(store.windows):
        ids = torch.tensor([store.window_ids(store.windows[number])])
        with torch.no_grad():
            hidden = lm.model(ids, output_hidden_states=True).hidden_states[3][0, 1:]
        first = int(window["first_row"])
        stored = store.read(first, first + int(window["length"]))
        np.testing.assert_allclose(stored, hidden, rtol=1e-4, atol=1e-5)


def test_metadata__is_cut_by_whole_columns_and_roles_come_first() -> None:
    columns = {"a": "x" * 10, "b": "y" * METADATA_BYTES, "c": "z"}
    kept = json.loads(metadata_bytes(columns, [("user", 0, 5)]))
    assert kept == {"roles": [["user", 0, 5]], "a": "x" * 10}
    assert metadata_bytes({}, ()) == b""
    fits = {"k": "v" * (METADATA_BYTES - 8)}
    assert json.loads(metadata_bytes(fits, ())) == fits
    assert metadata_bytes({"k": "v" * (METADATA_BYTES - 7)}, ()) == b""


# ---------------------------------------------------------------- segments
@pytest.mark.parametrize("dtype", DTYPES)
def test_extension__adds_a_file_and_touches_none(make: Any, dtype: str) -> None:
    config, longer = make(dtype=dtype), make(dtype=dtype, tokens=1100)
    harvest(config, RecordingContext())
    folder = opened(config).folder
    before = (folder / "000.h5").read_bytes()
    harvest(longer, RecordingContext())
    assert (folder / "000.h5").read_bytes() == before
    store = opened(config)
    assert (store.rows, store.rows_wanted, store.segments) == (1100, 1100, 2)
    assert not verified(config).damaged
    exact = make(name="exact", dtype="float32")
    harvest(exact, RecordingContext())
    harvest(make(name="exact", dtype="float32", tokens=1100), RecordingContext())
    right = opened(exact)
    assert np.array_equal(store.tokens, right.tokens)
    scale = np.abs(right.read(0, 1100)).max(axis=1, keepdims=True)
    error = np.abs(store.read(0, 1100).astype(np.float32) - right.read(0, 1100)) / scale
    assert (
        error.max() <= {"float32": 0, "float16": 2**-11, "bfloat16": 2**-8, "int8": 1 / 253}[dtype]
    )
    rows = np.array([1099, 3, 700, 699, 3, 0])
    assert np.array_equal(store.gather(rows), store.read(0, 1100)[rows])
    assert store.windows["first_row"].tolist() == [
        0,
        *np.cumsum(store.windows["length"])[:-1].tolist(),
    ]
    assert store.spans["document"].max() == len(store.documents) - 1
    assert store.statistics().rows == 1100


def test_extension__continues_in_the_text_where_the_store_ends(make: Any, corpus: Path) -> None:
    harvest(make(), RecordingContext())
    harvest(make(tokens=1100), RecordingContext())
    store, lm = opened(make()), load_model(make().model)
    texts = [json.loads(line)["text"] for line in corpus.read_text().splitlines()]
    wanted: list[int] = []
    for text in dict.fromkeys(texts):
        wanted += lm.encode(text)
    assert store.tokens.tolist() == wanted[:1100]


def test_extension__of_an_ended_corpus_makes_no_file(make: Any) -> None:
    result = harvest(make(tokens=100_000), RecordingContext())
    context = RecordingContext()
    harvest(make(tokens=200_000), context)
    assert opened(make()).segments == 1
    assert f"ended after {result.rows:,} of" in context.lines[-1]


def test_tables_that_are_too_small__are_continued_in_another_file(
    make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, parted = make(name="whole"), make(name="parted")
    harvest(whole, RecordingContext())
    room = harvest_plan._room

    def narrow(plan: Any, rows: int, documents: int, metadata: int) -> Any:
        return room(plan, rows, 9 if documents < 60 else documents, metadata)

    monkeypatch.setattr(harvest_plan, "_room", narrow)
    context = RecordingContext()
    harvest(parted, context)
    store = opened(parted)
    assert store.segments > 1
    assert any("another file" in line for line in context.lines)
    right = opened(whole)
    assert np.array_equal(store.tokens, right.tokens)
    assert np.array_equal(store.read(0, 700), right.read(0, 700))
    assert [store.window_ids(w) for w in store.windows] == [
        right.window_ids(w) for w in right.windows
    ]
    assert not verified(parted).damaged
