"""A store's checksums, and what other programs do to its files."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import zlib
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from job_contexts import RecordingContext
from store_checks import DTYPES, verified
from stored import batch_of, opened, same_stores, write_store
from toy_models import TEXT

from sae_desktop.activations.config import VerifyStoreConfig
from sae_desktop.activations.harvest import harvest
from sae_desktop.activations.layout import (
    BLOCK_ROWS,
    StoreInfo,
)
from sae_desktop.activations.store import ActivationStore
from sae_desktop.activations.store_writer import SegmentWriter, segment_path
from sae_desktop.activations.verify import verify_store
from sae_desktop.errors import JobCancelledError, UserError
from sae_desktop.language_model.load import load_model
from sae_desktop.project import Project

SITE = "blocks.2.hook_resid_post"


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
