"""Which rows a run trains on, and how they come to the step without its waiting.

The last rows of a store are held out for figures; massive rows are left out if asked.
A pass visits every training row once, in an order that depends on the seed and the pass
alone, so that a resumed run goes on with exactly the rows that were next.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from sae_desktop.activations.store import ActivationStore
from sae_desktop.dictionary.normalisation import massive_rows, scalar_of
from sae_desktop.errors import UserError

HELD_OUT_SHARE = 0.1
MAX_HELD_OUT = 65_536

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Split:
    """Row numbers of a store by their use; `excluded` are the massive ones."""

    training: Rows
    held_out: Rows
    excluded: Rows
    scalar: float
    """Raw rows × scalar have E‖x‖² = D over the training rows."""


def split_rows(
    store: ActivationStore, site: str, *, exclude_massive: bool, rows: int | None = None
) -> Split:
    """Divide the first `rows` rows of a store (all, by default) for training.

    Raises UserError when the store is empty or all its rows are zero.
    """
    count = store.rows if rows is None else min(rows, store.rows)
    if count < 2:
        raise UserError(
            f"The store “{store.folder.name}” holds {count} rows.",
            next_step="Harvest more before training.",
        )
    norms = store.norms(site)[:count]
    massive = massive_rows(norms) if exclude_massive else np.zeros(count, dtype=np.bool_)
    first_held_out = count - min(MAX_HELD_OUT, max(1, int(count * HELD_OUT_SHARE)))
    usable = np.flatnonzero(~massive)
    training, held_out = np.split(usable, [np.searchsorted(usable, first_held_out)])
    if len(training) == 0 or not float(norms[training].max()) > 0:
        raise UserError(
            f"The store “{store.folder.name}” holds nothing to train on: every row is zero."
        )
    if not bool(np.isfinite(norms[training]).all()):
        raise UserError(
            f"The store “{store.folder.name}” holds rows with values that are not finite.",
            next_step="Harvest or import them again as float32.",
        )
    return Split(
        training=training,
        held_out=held_out,
        excluded=np.flatnonzero(massive),
        scalar=scalar_of(norms[training], store.width(site)),
    )


class BatchStream:
    """Batches of normalised rows from a position on, fetched ahead by a thread."""

    def __init__(
        self,
        store: ActivationStore,
        site: str,
        split: Split,
        *,
        batch: int,
        seed: int,
        start: int,
        total: int,
        device: torch.device,
    ) -> None:
        """Serve rows `start` … `total` − 1 of the endless sequence of passes."""
        self._store, self._site, self._split = store, site, split
        self._batch, self._seed, self._device = batch, seed, device
        self._start, self._total = start, total
        self._ready: queue.Queue[Tensor | BaseException | None] = queue.Queue(maxsize=2)
        self._stop = threading.Event()
        self.seconds_waited = 0.0
        """Time the consumer has spent waiting for a batch."""

    def __iter__(self) -> Iterator[Tensor]:
        thread = threading.Thread(target=self._fetch, name="batches", daemon=True)
        thread.start()
        try:
            while True:
                began = time.perf_counter()
                item = self._ready.get()
                self.seconds_waited += time.perf_counter() - began
                if item is None:
                    return
                if isinstance(item, BaseException):
                    raise item
                yield item
        finally:
            self._stop.set()
            thread.join()

    def _fetch(self) -> None:
        try:
            for rows in self._row_numbers():
                if not self._put(self._load(rows)):
                    return
            self._put(None)
        except BaseException as error:  # handed to the consumer, who raises it
            self._put(error)

    def _put(self, item: Tensor | BaseException | None) -> bool:
        while not self._stop.is_set():
            try:
                self._ready.put(item, timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    def _load(self, rows: Rows) -> Tensor:
        values = self._store.gather(rows, self._site).astype(np.float32)
        values *= np.float32(self._split.scalar)
        return torch.from_numpy(values).to(self._device, non_blocking=True)

    def _row_numbers(self) -> Iterator[Rows]:
        size = len(self._split.training)
        position, number, order = self._start, -1, np.empty(0, dtype=np.int64)
        while position < self._total:
            pieces, needed = [], min(self._batch, self._total - position)
            while needed:
                if position // size != number:
                    number = position // size
                    order = _order(self._split.training, self._seed, number)
                begin = position % size
                piece = order[begin : begin + needed]
                pieces.append(piece)
                needed -= len(piece)
                position += len(piece)
            yield np.concatenate(pieces)


def _order(rows: Rows, seed: int, number: int) -> Rows:
    generator: Any = np.random.Generator(np.random.PCG64([seed, number]))
    return np.asarray(generator.permutation(rows))
