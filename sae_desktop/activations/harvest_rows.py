"""Turns groups of windows into rows of activations for a store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from sae_desktop.activations.encoding import HostRows, check_finite, encode_rows
from sae_desktop.activations.harvest_groups import Group, TokenBatch
from sae_desktop.activations.harvest_plan import HarvestPlan
from sae_desktop.activations.layout import (
    DOCUMENT_DTYPE,
    SPAN_DTYPE,
    encode_text,
    metadata_bytes,
    window_dtype,
)
from sae_desktop.activations.picture_layout import PictureRows
from sae_desktop.activations.picture_windows import GroupPictures, PictureWindow
from sae_desktop.activations.statistics import RowSums
from sae_desktop.activations.store_writer import EncodedRows, StoreBatch
from sae_desktop.corpus.windows import BLOCK_DOCUMENTS, Span, Window
from sae_desktop.devices.abilities import give_back_cache
from sae_desktop.devices.out_of_memory import is_out_of_memory
from sae_desktop.language_model.sites.capture import visit_inputs, visit_sites
from sae_desktop.language_model.sites.resolve import Site

Array = npt.NDArray[Any]

_REMEMBERED = 2 * BLOCK_DOCUMENTS
"""Documents whose numbers are known, the latest: more than any of their windows are apart."""


@dataclass
class PendingGroup:
    """A group that the model has read, its rows still being copied."""

    group: Group
    parts: list[tuple[TokenBatch, dict[str, HostRows]]] = field(default_factory=list)


class RowReader:
    """Runs groups of windows through the model."""

    def __init__(self, plan: HarvestPlan) -> None:
        self._plan = plan
        self._most_windows = 2**31

    def read(self, group: Group, before_batch: Callable[[], None]) -> PendingGroup:
        """Read a group, `before_batch` being called before each forward pass.

        A batch that does not fit into the device's memory is halved, and those after it.
        Raises torch.OutOfMemoryError when one window alone does not fit.
        """
        pending = PendingGroup(group)
        waiting = list(group.batches)
        while waiting:
            batch = waiting.pop(0)
            if len(batch.ids_BS) > self._most_windows:
                waiting[:0] = batch.halves()
                continue
            before_batch()
            parts = self._rows_that_fit(batch)
            if parts is not None:
                pending.parts.append((batch, parts))
                continue
            # The error is gone by now, and with it what its pass had made.
            give_back_cache(self._plan.lm.device)
            self._most_windows = len(batch.ids_BS) // 2
            waiting[:0] = batch.halves()
        return pending

    def _rows_that_fit(self, batch: TokenBatch) -> dict[str, HostRows] | None:
        """Return the rows of a batch; None where memory ran out and it can be halved."""
        try:
            return self._rows(batch)
        except (MemoryError, RuntimeError) as error:
            if len(batch.ids_BS) == 1 or not is_out_of_memory(error):
                raise
            return None

    def _rows(self, batch: TokenBatch) -> dict[str, HostRows]:
        found: dict[str, HostRows] = {}

        def keep(site: Site, value_BSD: torch.Tensor) -> None:
            flat_TD = value_BSD.flatten(0, 1)
            rows_RD = flat_TD.index_select(0, batch.kept_R.to(flat_TD.device))
            first_BD = flat_TD.index_select(0, batch.first_B.to(flat_TD.device))
            found[str(site)] = encode_rows(rows_RD, first_BD, self._plan.config.dtype)

        sites = self._plan.sites
        if batch.pictures is not None:
            rows, length = batch.ids_BS.shape
            visit_inputs(self._plan.lm, batch.pictures.inputs, rows, length, sites, keep)
        else:
            visit_sites(self._plan.text, batch.ids_BS, batch.mask_BS, sites, keep)
        return found


class BatchMaker:
    """Makes of what was read the batches a segment is appended with, and numbers documents.

    `documents` are the places in the corpus of those that the segment already has, by its order.
    """

    def __init__(self, plan: HarvestPlan, documents: Sequence[int] = ()) -> None:
        self._plan = plan
        self._documents = len(documents)
        # Windows of a block of documents come mixed; those of one before it come no more.
        first = max(0, len(documents) - _REMEMBERED)
        self._numbers = {
            int(ordinal): number for number, ordinal in enumerate(documents[first:], start=first)
        }

    def batch(self, pending: PendingGroup) -> StoreBatch:
        """Return the rows of a group in the order of the corpus.

        Raises UserError when a value is not a number or does not fit the store's dtype.
        """
        rows = sum(pending.group.rows)
        tables = self._tables(pending.group)
        tokens, positions = np.empty(rows, "<i4"), np.empty(rows, "<i4")
        sites: dict[str, list[tuple[Array, EncodedRows]]] = {}
        for batch, parts in pending.parts:
            targets = batch.targets_R.numpy()
            tokens[targets] = batch.ids_BS.flatten()[batch.kept_R].numpy()
            positions[targets] = (batch.kept_R % batch.ids_BS.shape[1]).numpy()
            for site, part in parts.items():
                encoded = part.finished()
                check_finite(encoded, self._plan.config.dtype, self._plan.lm.name)
                sites.setdefault(site, []).append((targets, encoded))
        return StoreBatch(
            activations={site: _joined(parts, rows) for site, parts in sites.items()},
            tokens=tokens,
            positions=positions,
            windows=tables.windows,
            documents=tables.documents,
            spans=tables.spans,
            metadata=tables.metadata,
            pictures=tables.pictures,
        )

    def _tables(self, group: Group) -> _Tables:
        windows: list[tuple[Any, ...]] = []
        spans: list[tuple[int, ...]] = []
        documents: list[tuple[Any, ...]] = []
        metadata = bytearray()
        pictures = GroupPictures()
        packed = self._plan.config.packing == "packed"
        overlap = self._plan.config.overlap
        first = 0
        for window, rows in zip(group.windows, group.rows, strict=True):
            numbers = [self._number(span, documents, metadata) for span in window.spans]
            left_out = self._plan.left_out(window)
            entry = (first, rows, numbers[0], window.spans[0].offset, left_out)
            if isinstance(window, PictureWindow):
                pictures.add(window, self._plan.lead(window), first, numbers[0])
            windows.append((*entry, self._repeated(window)) if overlap else entry)
            if packed:
                spans += self._spans(window, numbers, first)
            first += rows
        return _Tables(
            np.array(windows, dtype=window_dtype(overlap)),
            np.array(documents, dtype=DOCUMENT_DTYPE),
            np.array(spans, dtype=SPAN_DTYPE),
            bytes(metadata),
            pictures.rows(),
        )

    def _repeated(self, window: Window) -> list[int]:
        """Return the tokens a window has from the one before it, as many as may be, −1 first."""
        begin = len(self._plan.windows.prefix)
        tokens = window.ids[begin : begin + window.repeated]
        return [-1] * (self._plan.config.overlap - len(tokens)) + tokens

    def _number(self, span: Span, new: list[tuple[Any, ...]], metadata: bytearray) -> int:
        """Return a document's row of /documents; one not seen before is added to `new`."""
        document = span.document
        number = self._numbers.get(document.ordinal)
        if number is None:
            number = self._numbers[document.ordinal] = self._documents
            self._documents += 1
            if len(self._numbers) > _REMEMBERED:
                del self._numbers[next(iter(self._numbers))]
            data = metadata_bytes(document.metadata, span.roles)
            new.append(
                (
                    document.ordinal,
                    encode_text(document.source),
                    encode_text(document.language, 16),
                    encode_text(document.title),
                    len(metadata),
                    len(data),
                )
            )
            metadata += data
        return number

    def _spans(self, window: Window, numbers: list[int], first: int) -> list[tuple[int, ...]]:
        """Return the rows of each document of a window, the special tokens' left out."""
        found: list[tuple[int, ...]] = []
        at = first + len(self._plan.windows.prefix) - self._plan.dropped
        for span, number in zip(window.spans, numbers, strict=True):
            hidden = max(0, first - at)  # the window's first token, where its row is not kept
            if span.length > hidden:
                found.append((at + hidden, span.length - hidden, number, span.offset + hidden))
            at += span.length
        return found


@dataclass(frozen=True)
class _Tables:
    windows: Array
    documents: Array
    spans: Array
    metadata: bytes
    pictures: PictureRows | None


def _joined(parts: list[tuple[Array, EncodedRows]], rows: int) -> EncodedRows:
    """Put the rows of batches at their places in the group."""
    first = parts[0][1]
    if len(parts) == 1 and np.array_equal(parts[0][0], np.arange(rows)):
        return first
    values = np.empty((rows, first.values.shape[1]), first.values.dtype)
    scales = None if first.scales is None else np.empty(rows, np.float32)
    norms = np.empty(rows, np.float32)
    for targets, part in parts:
        values[targets] = part.values
        norms[targets] = part.sums.norms
        if scales is not None:
            scales[targets] = part.scales
    sums = [part.sums for _, part in parts]
    return EncodedRows(
        values,
        scales,
        RowSums(
            norms=norms,
            first_norms=np.concatenate([one.first_norms for one in sums]),
            sum_D=np.stack([one.sum_D for one in sums]).sum(axis=0, dtype=np.float64),
            square_D=np.stack([one.square_D for one in sums]).sum(axis=0, dtype=np.float64),
            error=sum(one.error for one in sums),
        ),
    )
