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
    copied: torch.cuda.Event | None
    """On CUDA: when the batch has arrived there."""


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
        self._maker = _OnCuda(self._sides, device) if device.type == "cuda" else None
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
                if item.copied is not None:
                    _hand_over(item)
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
                if not self._put(self._made(parts, number, count)):
                    return
                position, number = position + count, number + 1
            self._put(None)
        except BaseException as error:  # handed to the consumer, who raises it
            self._put(error)

    def _made(self, parts: Sequence[np.ndarray[Any, Any]], number: int, count: int) -> _Ready:
        tensors = [torch.from_numpy(part) for part in parts]
        if self._maker is not None:
            return self._maker.make(tensors, number, count)
        if len(self._rooms) < _ROOMS:
            self._rooms.append(self._sides.empty(self._batch, self._device))
        return _Ready(self._sides.batch(tensors, self._rooms[number % _ROOMS].first(count)), None)

    def _put(self, item: _Ready | BaseException | None) -> bool:
        while not self._stop.is_set():
            try:
                self._queue.put(item, timeout=_POLL_SECONDS)
            except queue.Full:
                continue
            return True
        return False


class _OnCuda:
    """Copies rows as they are stored through pinned memory, and normalises them on the GPU.

    It works in a stream of its own, beside the step's.
    """

    def __init__(self, sides: Sides, device: torch.device) -> None:
        self._sides, self._device = sides, device
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._pinned: list[list[Tensor]] = []
        self._copied: list[torch.cuda.Event] = []

    def make(self, parts: Sequence[Tensor], number: int, count: int) -> _Ready:
        place = number % _ROOMS
        if place == len(self._pinned):
            self._pinned.append([torch.empty_like(part, pin_memory=True) for part in parts])
            self._copied.append(torch.cuda.Event())  # type: ignore[no-untyped-call]
        else:
            self._copied[place].synchronize()  # the copy from this memory may still be under way
        with torch.cuda.stream(self._stream):
            arrived = []
            for pinned, part in zip(self._pinned[place], parts, strict=True):
                pinned[:count].copy_(part)
                arrived.append(pinned[:count].to(self._device, non_blocking=True))
            batch = self._sides.batch(arrived, self._sides.empty(count, self._device))
            self._copied[place].record()
        return _Ready(batch, self._copied[place])


def _hand_over(item: _Ready) -> None:
    """Let the step's stream wait for the copy, and keep the memory until the step is done."""
    assert item.copied is not None
    step = torch.cuda.current_stream()
    step.wait_event(item.copied)
    for tensor in {id(tensor): tensor for tensor in item.batch}.values():
        tensor.record_stream(step)
