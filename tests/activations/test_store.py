"""What a store keeps beside its rows, and that nothing committed is ever lost or wrong."""

from __future__ import annotations

import itertools
import json
import multiprocessing
import os
import zlib
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from job_contexts import RecordingContext
from stored import batch_of, opened, same_stores, write_store
from toy_models import TEXT

from sae_desktop.activations import harvest_plan
from sae_desktop.activations.config import DescribeStoreConfig, VerifyStoreConfig
from sae_desktop.activations.describe_store import describe_store
from sae_desktop.activations.harvest import harvest
from sae_desktop.activations.layout import (
    BLOCK_ROWS,
    METADATA_BYTES,
    StoreInfo,
    metadata_bytes,
)
from sae_desktop.activations.store import ActivationStore
from sae_desktop.activations.store_writer import SegmentWriter, segment_path
from sae_desktop.activations.verify import verify_store
from sae_desktop.errors import JobCancelledError, UserError
from sae_desktop.language_model.load import load_model
from sae_desktop.project import Project

SITE = "blocks.2.hook_resid_post"
DTYPES = ("float32", "float16", "bfloat16", "int8")


def verified(config: Any) -> Any:
    return verify_store(
        VerifyStoreConfig(project=config.project, name=config.name), RecordingContext()
    )


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


# ---------------------------------------------------------------- checksums
@pytest.mark.parametrize("dtype", ["float16", "int8"])
def test_verify__names_the_block_of_a_flipped_bit(make: Any, dtype: str) -> None:
    config = make(dtype=dtype)
    harvest(config, RecordingContext())
    found = verified(config)
    assert found.damaged == []
    assert found.blocks >= 6
    path = opened(config).folder / "000.h5"
    with h5py.File(path) as file:
        places = {
            name: file[name].id.get_offset()
            for name in (f"activations/{SITE}", f"norms/{SITE}", "tokens", "windows", "documents")
        }
    for name, offset in places.items():
        with path.open("r+b") as raw:
            raw.seek(offset + 5)
            byte = raw.read(1)[0]
            raw.seek(offset + 5)
            raw.write(bytes([byte ^ 4]))
        damaged = verified(config).damaged
        assert len(damaged) == 1
        assert name in damaged[0]
        with path.open("r+b") as raw:
            raw.seek(offset + 5)
            raw.write(bytes([byte]))
    assert verified(config).damaged == []


def test_verify__holds_over_blocks_and_writers(tmp_path: Path) -> None:
    project = Project.open_or_create(tmp_path / "p.saeproj")
    rows = np.random.default_rng(0).normal(size=(3 * BLOCK_ROWS + 77, 4)).astype(np.float32)
    info = StoreInfo(model="", sites=["x"], widths=[4], dtype="float32")
    folder = project.store_path("s")
    config = VerifyStoreConfig(project=str(project.path), name="s")
    cuts = [0, BLOCK_ROWS - 3, BLOCK_ROWS, 2 * BLOCK_ROWS + 5, 2 * BLOCK_ROWS + 6, len(rows)]
    writer = write_store(folder, info, {"x": rows[: cuts[1]]}, capacity=len(rows))
    for first, last in itertools.pairwise(cuts[1:]):
        assert verify_store(config, RecordingContext()).damaged == []
        if last % 2:  # as after a kill, another writer goes on
            writer.close()
            writer = SegmentWriter(segment_path(folder, 0))
        writer.append(batch_of(info, {"x": rows[first:last]}))
        writer.commit()
    writer.close()
    found = verify_store(config, RecordingContext())
    assert found.damaged == []
    # Four datasets by row, each of three blocks and a part; windows and documents.
    assert found.blocks == 4 * 4 + 2
    assert np.array_equal(ActivationStore.open(folder).read(0, len(rows)), rows)
    with h5py.File(segment_path(folder, 0)) as file:
        written = file["checksums/activations/x"][1]
    assert written == zlib.crc32(rows[BLOCK_ROWS : 2 * BLOCK_ROWS].tobytes())


def test_commit_that_did_not_come__leaves_the_last_one_right(make: Any) -> None:
    config = make(tokens=300)
    harvest(config, RecordingContext())
    longer = make(tokens=700)
    writer_path = opened(config).folder / "000.h5"
    before = opened(config).statistics()
    assert before is not None
    with pytest.raises(JobCancelledError):
        harvest(longer, RecordingContext(cancel_after=1))
    assert verified(config).damaged == []
    writer = SegmentWriter(writer_path)
    writer._out.write("state/checksums", 1 - writer._slot, np.full((1, 8), 7, "<u4"))
    writer.close()  # as if killed between the state and the counter
    assert verified(config).damaged == []
    after = ActivationStore.open_segments([writer_path]).statistics()
    assert after is not None
    assert np.array_equal(after.record, before.record)


# ---------------------------------------------------------------- other programs
@pytest.mark.parametrize("dtype", DTYPES)
def test_store__opens_with_any_hdf5_program(make: Any, dtype: str) -> None:
    config = make(dtype=dtype)
    harvest(config, RecordingContext())
    store = opened(config)
    with h5py.File(store.folder / "000.h5") as file:
        values = file[f"activations/{SITE}"][:].astype(np.float32)
        if dtype == "int8":
            values *= file[f"scales/{SITE}"][:][:, None]
        assert np.array_equal(values, store.read(0, 700).astype(np.float32))
        assert file["tokens"][:].tolist() == store.tokens.tolist()
        assert int(file["committed"][0]) == 700


def _hold(path: Path, mode: str, ready: Any, done: Any) -> None:
    with h5py.File(path, mode):
        ready.set()
        done.wait(60)


@pytest.mark.parametrize("mode", ["r", "r+"])
def test_store_held_by_another_program__is_extended_or_refused_by_name(
    make: Any, mode: str
) -> None:
    harvest(make(), RecordingContext())
    path = opened(make()).folder / "000.h5"
    spawn = multiprocessing.get_context("spawn")
    ready, done = spawn.Event(), spawn.Event()
    holder = spawn.Process(target=_hold, args=(path, mode, ready, done))
    holder.start()
    try:
        assert ready.wait(60)
        if mode == "r":
            harvest(make(tokens=900), RecordingContext())
        else:
            with pytest.raises(UserError, match="another program") as caught:
                harvest(make(tokens=900), RecordingContext())
            assert str(path) in caught.value.what
    finally:
        done.set()
        holder.join()
    assert opened(make()).rows == (900 if mode == "r" else 700)
    assert not verified(make()).damaged


def test_disk_that_fills__keeps_what_was_committed(
    make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = make(commit_seconds=0.0)
    real, calls = os.pwrite, []

    def full(descriptor: int, data: Any, offset: int) -> int:
        calls.append(offset)
        if len(calls) > 60:
            raise OSError(28, "No space left on device")
        return real(descriptor, data, offset)

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(UserError, match="disk is full") as caught:
        harvest(config, RecordingContext())
    monkeypatch.undo()
    rows = opened(config).rows
    assert 0 < rows < 700
    assert f"{rows:,} of 700 tokens are kept" in caught.value.kept
    assert verified(config).damaged == []
    whole = make(name="whole")
    harvest(config, RecordingContext())
    harvest(whole, RecordingContext())
    assert same_stores(opened(config), opened(whole))


def test_store_of_the_first_schema__is_read_and_trained_on_but_not_extended(make: Any) -> None:
    harvest(make(), RecordingContext())
    store = opened(make())
    rows, windows = store.read(0, 700).copy(), store.windows
    path = store.folder / "000.h5"
    with h5py.File(path, "r+") as file:
        for name in ("state", "checksums", "spans", "metadata"):
            del file[name]
        for name, fields in (("windows", 4), ("documents", 4)):
            table = file[name][:]
            del file[name]
            names = list(table.dtype.names)[:fields]
            file.create_dataset(name, data=np.ascontiguousarray(_packed(table[names])))
        counts = file["committed"][:3]
        del file["committed"]
        file["committed"] = counts
        file.attrs["schema_version"] = 1
    old = opened(make())
    assert old.rows == 700
    assert np.array_equal(old.read(0, 700), rows)
    assert old.windows["length"].tolist() == windows["length"].tolist()
    assert set(old.windows["first_token"]) == {-1}
    assert old.statistics() is None
    with pytest.raises(UserError, match="earlier SAE Desktop"):
        harvest(make(tokens=900), RecordingContext())
    with pytest.raises(UserError, match="no checksums"):
        verified(make())


def _packed(table: np.ndarray) -> np.ndarray:
    from numpy.lib import recfunctions

    return np.asarray(recfunctions.repack_fields(table))


def test_long_texts__are_kept_whole_in_the_corpus_order(make: Any, tmp_path: Path) -> None:
    path = tmp_path / "long.txt"
    path.write_text(TEXT * 20)
    config = make(corpus=str(path), tokens=2000, batch_tokens=64, dtype="float32")
    harvest(config, RecordingContext())
    store, lm = opened(config), load_model(config.model)
    assert store.tokens.tolist() == lm.encode(TEXT * 20)[:2000]
    assert segment_path(store.folder, 0).is_file()
