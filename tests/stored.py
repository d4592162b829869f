"""What tests ask of stores: opening one, and whether two hold the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from sae_desktop.activations.config import HarvestConfig
from sae_desktop.activations.encoding import encode_rows, on_host
from sae_desktop.activations.layout import (
    DOCUMENT_DTYPE,
    SPAN_DTYPE,
    WINDOW_DTYPE,
    Capacity,
    StoreInfo,
)
from sae_desktop.activations.store import ActivationStore
from sae_desktop.activations.store_writer import SegmentWriter, StoreBatch, segment_path
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
    folder: Path, info: StoreInfo, rows: dict[str, np.ndarray], *, capacity: int = 0
) -> SegmentWriter:
    """Write rows, by site, as one window of one document, committed; the writer stays open.

    `capacity` rows are reserved where more are to come.
    """
    count = len(next(iter(rows.values())))
    room = Capacity(rows=capacity or count, windows=max(4, count), documents=4)
    writer = SegmentWriter.create(segment_path(folder, 0), info, room)
    documents = np.zeros(1, dtype=DOCUMENT_DTYPE)
    documents["source"] = b"test"
    writer.append(
        StoreBatch(
            activations={
                site: on_host(
                    encode_rows(torch.tensor(values), torch.tensor(values[:1]), info.dtype)
                ).finished()
                for site, values in rows.items()
            },
            tokens=np.arange(count, dtype="<i4"),
            positions=np.arange(count, dtype="<i4"),
            windows=np.array([(0, count, 0, 0, -1)], dtype=WINDOW_DTYPE),
            documents=documents,
            spans=np.empty(0, dtype=SPAN_DTYPE),
        )
    )
    writer.commit()
    return writer
