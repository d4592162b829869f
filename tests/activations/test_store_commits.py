"""In which order a commit reaches the disk, and which of its two records it writes."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from sae_desktop.activations import compaction
from sae_desktop.activations.layout import (
    DOCUMENT_DTYPE,
    SPAN_DTYPE,
    WINDOW_DTYPE,
    Capacity,
    StoreInfo,
)
from sae_desktop.activations.statistics import RowSums
from sae_desktop.activations.store import ActivationStore
from sae_desktop.activations.store_writer import EncodedRows, SegmentWriter, StoreBatch
from sae_desktop.errors import UserError
from sae_desktop.storage import hdf5
from sae_desktop.storage.hdf5 import RowWriter

ROWS, WIDTH = 4, 3
INFO = StoreInfo(model="", corpus="", sites=["a"], widths=[WIDTH], dtype="float32")
ROOM = Capacity(rows=50_000, windows=10, documents=1)


class PowerCutError(Exception):
    """Nothing more is written."""


def _batch(start: int) -> StoreBatch:
    values = np.arange(ROWS * WIDTH, dtype="<f4").reshape(ROWS, WIDTH) + start
    norms = np.linalg.norm(values, axis=1)
    sums = RowSums(norms, norms[:1], values.sum(0), (values**2).sum(0), 0.0)
    windows = np.zeros(1, WINDOW_DTYPE)
    windows["length"] = ROWS
    documents = np.zeros(1 if start == 0 else 0, DOCUMENT_DTYPE)
    return StoreBatch(
        activations={"a": EncodedRows(values, None, sums)},
        tokens=np.arange(ROWS, dtype="<i4"), positions=np.zeros(ROWS, "<i4"), windows=windows,
        documents=documents, spans=np.empty(0, SPAN_DTYPE),
    )  # fmt: skip


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """(what, at which row) of every write and sync, in order."""
    found: list[tuple[str, int]] = []
    write, sync = RowWriter.write, RowWriter.sync

    def written(writer: RowWriter, name: str, row: int, values: np.ndarray) -> memoryview:
        found.append((name, row))
        return write(writer, name, row, values)

    def synced(writer: RowWriter) -> None:
        found.append(("sync", 0))
        sync(writer)

    monkeypatch.setattr(RowWriter, "write", written)
    monkeypatch.setattr(RowWriter, "sync", synced)
    return found


@pytest.fixture
def writer(tmp_path: Path) -> SegmentWriter:
    return SegmentWriter.create(tmp_path / "s" / "000.h5", INFO, ROOM)


def test_commit__syncs_rows_and_their_record_before_the_counter_and_then_the_counter(
    writer: SegmentWriter, calls: list[tuple[str, int]]
) -> None:
    writer.append(_batch(0))
    rows = {name for name, _ in calls}
    assert {"activations/a", "tokens"} <= rows
    assert "sync" not in rows
    del calls[:]
    writer.commit()
    names = [name for name, _ in calls]
    record = ["state/checksums", "state/statistics/a"]
    assert names == [*record, "sync", "state/counters", "committed", "sync"]
    del calls[:]
    writer.commit()
    assert calls == []  # there is nothing new


def test_commit__writes_the_record_that_the_last_commit_did_not(
    writer: SegmentWriter, calls: list[tuple[str, int]]
) -> None:
    slots = []
    for number in range(4):
        writer.append(_batch(number * ROWS))
        del calls[:]
        writer.commit()
        slots.append({row for name, row in calls if name.startswith("state/")})
    assert slots in ([{1}, {0}, {1}, {0}], [{0}, {1}, {0}, {1}])
    writer.close()
    # Opened again it goes on with the other one.
    again = SegmentWriter(writer.path)
    again.append(_batch(4 * ROWS))
    del calls[:]
    again.commit()
    assert {row for name, row in calls if name.startswith("state/")} == slots[0]
    again.close()


def _committed(path: Path) -> tuple[int, list[float]]:
    """What a reader finds: rows, and the squares of which their statistics are made."""
    store = ActivationStore.open_segments([path])
    statistics = store.statistics()
    assert statistics is not None
    return store.rows, statistics.record.tolist()


@pytest.mark.parametrize("written", [1, 8, 12, 24, 40, 50])
@pytest.mark.parametrize("commits", [1, 2, 3])
def test_counter_half_written__leaves_the_commit_before_it_whole(
    writer: SegmentWriter, monkeypatch: pytest.MonkeyPatch, commits: int, written: int
) -> None:
    for number in range(commits):
        writer.append(_batch(number * ROWS))
        if number < commits - 1:
            writer.commit()
    before = _committed(writer.path)
    real = hdf5._write_at

    def write(descriptor: int, data: memoryview, position: int) -> int:
        # As a power failure between two sectors leaves it.
        if position in (place("state/counters", 0), place("state/counters", 1)):
            real(descriptor, data[:written], position)
            raise PowerCutError
        return real(descriptor, data, position)

    def place(name: str, row: int) -> int:
        extent = writer._out._extents[name]
        return extent.offset + row * extent.shape[1] * extent.dtype.itemsize

    monkeypatch.setattr(hdf5, "_write_at", write)
    with pytest.raises(PowerCutError):
        writer.commit()
    writer.close()
    monkeypatch.undo()
    assert _committed(writer.path) == before
    assert before[0] == (commits - 1) * ROWS
    # It goes on from there, and ends as one that nothing happened to.
    again = SegmentWriter(writer.path)
    for number in range(commits - 1, 5):
        again.append(_batch(number * ROWS))
        again.commit()
    again.close()
    whole = SegmentWriter.create(writer.path.parent / "001.h5", INFO, ROOM)
    for number in range(5):
        whole.append(_batch(number * ROWS))
        whole.commit()
    whole.close()
    assert _committed(writer.path) == _committed(whole.path)


def test_counters__of_both_commits_damaged_are_said(writer: SegmentWriter) -> None:
    for number in range(2):
        writer.append(_batch(number * ROWS))
        writer.commit()
    for row in (0, 1):
        writer._out.write("state/counters", row, np.full((1, 1024), 7, "<i8"))
    writer.close()
    with pytest.raises(UserError, match="neither record of what was committed is whole"):
        ActivationStore.open_segments([writer.path])
    with pytest.raises(UserError, match="neither record"):
        SegmentWriter(writer.path)


def test_store_without_counters_of_its_own__is_read_extended_and_compacted(
    writer: SegmentWriter,
) -> None:
    for number in range(3):
        writer.append(_batch(number * ROWS))
        writer.commit()
    writer.close()
    right = _committed(writer.path)
    with h5py.File(writer.path, "r+") as file:
        del file["state/counters"]
        file.attrs["schema_version"] = 3
    assert _committed(writer.path) == right
    old = SegmentWriter(writer.path)
    old.append(_batch(3 * ROWS))
    old.commit()
    old.close()
    longer = _committed(writer.path)
    assert longer[0] == 4 * ROWS
    assert compaction.compact(writer.path) > 0
    assert _committed(writer.path) == longer
