"""What tests ask of stores: opening one, and whether two hold the same."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sae_desktop.activations.config import HarvestConfig
from sae_desktop.activations.layout import (
    DOCUMENT_DTYPE,
    SPAN_DTYPE,
    WINDOW_DTYPE,
    Capacity,
    StoreInfo,
)
from sae_desktop.activations.statistics import RowSums
from sae_desktop.activations.store import ActivationStore
from sae_desktop.activations.store_writer import (
    EncodedRows,
    SegmentWriter,
    StoreBatch,
    segment_path,
)
from sae_desktop.project import Project


def opened(config: HarvestConfig) -> ActivationStore:
    """Open the store a harvest wrote."""
    return ActivationStore.open(Project.open(config.project).store_path(config.name))


def same_stores(first: ActivationStore, second: ActivationStore) -> bool:
    """Whether two stores hold the same rows, tables and statistics, bit for bit."""
    pairs = [
        (first.tokens, second.tokens),
        (first.positions, second.positions),
        (first.windows, second.windows),
        (first.spans, second.spans),
        (first.documents, second.documents),
    ]
    for site in first.info.sites:
        pairs.append((first.read(0, first.rows, site), second.read(0, second.rows, site)))
        pairs.append((first.norms(site), second.norms(site)))
        ours, theirs = first.statistics(site), second.statistics(site)
        assert ours is not None
        assert theirs is not None
        pairs.append((ours.record, theirs.record))
    numbers = range(len(first.documents))
    metadata = [first.metadata(n) == second.metadata(n) for n in numbers]
    return all(np.array_equal(a, b) for a, b in pairs) and all(metadata)


def write_store(
    folder: Path,
    info: StoreInfo,
    rows: dict[str, np.ndarray],
    tokens: Sequence[int] = (),
    *,
    capacity: int = 0,
) -> SegmentWriter:
    """Write rows, by site, as one window of one document, committed; the writer stays open.

    `tokens` are their numbers by default; `capacity` rows are reserved where more are to come.
    float32 and float16 only, without torch.
    """
    count = len(next(iter(rows.values())))
    room = Capacity(rows=capacity or count, windows=max(64, count), documents=64)
    writer = SegmentWriter.create(segment_path(folder, 0), info, room)
    writer.append(batch_of(info, rows, tokens))
    writer.commit()
    return writer


def batch_of(
    info: StoreInfo, rows: dict[str, np.ndarray], tokens: Sequence[int] = ()
) -> StoreBatch:
    """Return rows, by site, as one window of one document."""
    count = len(next(iter(rows.values())))
    documents = np.zeros(1, dtype=DOCUMENT_DTYPE)
    documents["source"] = b"test"
    return StoreBatch(
        activations={
            site: encoded_rows(values.astype(info.dtype)) for site, values in rows.items()
        },
        tokens=np.array(tokens or range(count), dtype="<i4"),
        positions=np.arange(count, dtype="<i4"),
        windows=np.array([(0, count, 0, 0, -1)], dtype=WINDOW_DTYPE),
        documents=documents,
        spans=np.empty(0, dtype=SPAN_DTYPE),
    )


def encoded_rows(values: np.ndarray) -> EncodedRows:
    """Return rows of a site as a store takes them, with what is measured on them."""
    x_RD = values.astype(np.float32)
    norms = np.linalg.norm(x_RD, axis=1)
    sums = RowSums(norms, norms[:1], x_RD.sum(axis=0), np.square(x_RD).sum(axis=0), 0.0)
    return EncodedRows(values, None, sums)
