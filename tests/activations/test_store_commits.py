"""In which order a commit reaches the disk, and which of its two records it writes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sae_desktop.activations.layout import (
    DOCUMENT_DTYPE,
    SPAN_DTYPE,
    WINDOW_DTYPE,
    Capacity,
    StoreInfo,
)
from sae_desktop.activations.statistics import RowSums
from sae_desktop.activations.store_writer import EncodedRows, SegmentWriter, StoreBatch
from sae_desktop.storage.hdf5 import RowWriter

ROWS, WIDTH = 4, 3


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
    info = StoreInfo(model="", corpus="", sites=["a"], widths=[WIDTH], dtype="float32")
    room = Capacity(rows=10 * ROWS, windows=10, documents=1)
    return SegmentWriter.create(tmp_path / "s" / "000.h5", info, room)


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
    assert names == ["state/checksums", "state/statistics/a", "sync", "committed", "sync"]
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
