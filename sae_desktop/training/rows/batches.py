"""Batches for the training step, prepared ahead by a thread so that the step does not wait."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sae_desktop.devices.copies import Arrival, Uploads, copies_beside_work
from sae_desktop.dictionary.architectures import Batch
from sae_desktop.training.rows.data import Sides
from sae_desktop.training.rows.pool import Feed

_AHEAD = 2
# Those ahead, the one being made, and the one the step works on.
_ROOMS = _AHEAD + 2
_POLL_SECONDS = 0.1


@dataclass(frozen=True)
class _Ready:
    batch: Batch
    arrival: Arrival | None
    """Where it is copied beside the step: its way there."""


class Batches:
    """Normalised batches of the rows `start` … `total` − 1 of a feed.

    A batch's memory is used again: it is valid until the next one is asked for.
    """

    def __init__(
        self,
        feed: Feed,
        sides: Sides,
        *,
        batch: int,
        start: int,
        total: int,
        device: torch.device,
        while_waiting: Callable[[], None] = lambda: None,
    ) -> None:
        """`while_waiting` is called again and again while no batch is ready, and may raise."""
        self._feed, self._sides = feed, sides.to(device)
        self._batch, self._start, self._total, self._device = batch, start, total, device
        self._while_waiting = while_waiting
        self._queue: queue.Queue[_Ready | BaseException | None] = queue.Queue(maxsize=_AHEAD)
        self._stop = threading.Event()
        self._uploads = Uploads(device, _ROOMS) if copies_beside_work(device) else None
        self._rooms: list[Batch] = []
        self.seconds_waited = 0.0
        """Time the consumer has spent waiting for a batch."""

    def __iter__(self) -> Generator[Batch, None, None]:
        thread = threading.Thread(target=self._make, name="batches", daemon=True)
        thread.start()
        try:
            while True:
                item = self._next()
                if item is None:
                    return
                if isinstance(item, BaseException):
                    raise item
                if item.arrival is not None:
                    item.arrival.hand_over(item.batch)
                yield item.batch
        finally:
            self._stop.set()
            self._feed.close()
            thread.join()

    def _next(self) -> _Ready | BaseException | None:
        began = time.perf_counter()
        while True:
            try:
                item = self._queue.get(timeout=_POLL_SECONDS)
            except queue.Empty:
                self._while_waiting()
                continue
            self.seconds_waited += time.perf_counter() - began
            return item

    def _make(self) -> None:
        try:
            position, number = self._start, 0
            while position < self._total:
                count = min(self._batch, self._total - position)
                parts = self._feed.take(position, count)
                if not self._put(self._made(parts, number)):
                    return
                position, number = position + count, number + 1
            self._put(None)
        except BaseException as error:  # handed to the consumer, who raises it
            self._put(error)

    def _made(self, parts: Sequence[np.ndarray[Any, Any]], number: int) -> _Ready:
        tensors = [torch.from_numpy(part) for part in parts]
        if self._uploads is not None:
            return _Ready(*self._uploads.copy(tensors, number, self._normalised))
        if len(self._rooms) < _ROOMS:
            self._rooms.append(self._sides.empty(self._batch, self._device))
        room = self._rooms[number % _ROOMS].first(len(parts[0]))
        return _Ready(self._sides.batch(tensors, room), None)

    def _normalised(self, arrived: list[Tensor]) -> Batch:
        return self._sides.batch(arrived, self._sides.empty(len(arrived[0]), self._device))

    def _put(self, item: _Ready | BaseException | None) -> bool:
        while not self._stop.is_set():
            try:
                self._queue.put(item, timeout=_POLL_SECONDS)
            except queue.Full:
                continue
            return True
        return False
