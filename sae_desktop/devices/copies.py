"""Rows on their way between the memory and a card, beside what the card is computing.

On CUDA they go through pinned memory, in a stream of their own; on every other device a copy is
done when it returns, and there is nothing to wait for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import torch
from torch import Tensor

Made = TypeVar("Made")


def copies_beside_work(device: torch.device) -> bool:
    """Return whether rows can be copied to and from the device while it computes."""
    return device.type == "cuda"


class Arrival:
    """A batch on its way to the card."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._event = torch.cuda.Event()  # type: ignore[no-untyped-call]

    def begin(self, stream: torch.cuda.Stream) -> None:
        """Mark that all of it has been asked for of a stream."""
        self._event.record(stream)

    def wait(self) -> None:
        """Return when it has arrived, so that the pinned memory may be written over."""
        self._event.synchronize()

    def hand_over(self, tensors: Iterable[Tensor]) -> None:
        """Let the work that follows wait for it, and keep its memory until that is done."""
        work = torch.cuda.current_stream(self._device)
        work.wait_event(self._event)
        for tensor in {id(tensor): tensor for tensor in tensors}.values():
            tensor.record_stream(work)


class Uploads:
    """Copies batches to a card through `places` pinned rooms that are used in turn."""

    def __init__(self, device: torch.device, places: int) -> None:
        self._device, self._places = device, places
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._pinned: list[list[Tensor]] = []
        self._arrivals: list[Arrival] = []

    def copy(
        self, parts: Sequence[Tensor], number: int, finish: Callable[[list[Tensor]], Made]
    ) -> tuple[Made, Arrival]:
        """Begin to copy the parts of batch `number`, and let `finish` work on them over there.

        Batches come in order, the first ones no shorter than those after them.
        """
        place = number % self._places
        if place == len(self._pinned):
            self._pinned.append([torch.empty_like(part, pin_memory=True) for part in parts])
            self._arrivals.append(Arrival(self._device))
        else:
            self._arrivals[place].wait()  # its copy may still be under way
        with torch.cuda.stream(self._stream):
            arrived = []
            for pinned, part in zip(self._pinned[place], parts, strict=True):
                pinned[: len(part)].copy_(part)
                arrived.append(pinned[: len(part)].to(self._device, non_blocking=True))
            made = finish(arrived)
            self._arrivals[place].begin(self._stream)
        return made, self._arrivals[place]


class Download:
    """Tensors on their way to the host: begun at once, waited for where they are used."""

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        self._event: torch.cuda.Event | None = None
        if not copies_beside_work(tensors[0].device):
            self._tensors = [tensor.cpu() for tensor in tensors]
            return
        self._tensors = [torch.empty_like(t, device="cpu", pin_memory=True) for t in tensors]
        for host, there in zip(self._tensors, tensors, strict=True):
            host.copy_(there, non_blocking=True)
        self._event = torch.cuda.Event()  # type: ignore[no-untyped-call]
        self._event.record(torch.cuda.current_stream(tensors[0].device))

    def finished(self) -> list[Tensor]:
        """Wait for the copies and return them."""
        if self._event is not None:
            self._event.synchronize()
        return self._tensors
