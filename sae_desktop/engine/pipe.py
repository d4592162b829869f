"""The engine's end of the pipe: events out as JSON lines, whole and in order."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence

import msgspec

from sae_desktop.engine.protocol import Event


class EventWriter:
    """Writes events to a file descriptor from any thread."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lock = threading.RLock()
        self._encoder = msgspec.json.Encoder()
        self.broken = threading.Event()
        """Set once nobody reads any more; what is sent from then on goes nowhere."""
        self._diverted: Callable[[Sequence[Event]], None] | None = None

    def divert(self, take: Callable[[Sequence[Event]], None]) -> None:
        """Hand all events to `take` from now on, and none but `send_last`'s to the pipe."""
        with self._lock:
            self._diverted = take

    def send(self, events: Sequence[Event]) -> None:
        """Write the events, each on a line of its own, in one piece."""
        with self._lock:
            if self._diverted is not None:
                self._diverted(events)
            else:
                self.send_last(events)

    def send_last(self, events: Sequence[Event]) -> None:
        """Write events to the pipe although the others are diverted."""
        data = memoryview(b"".join(self._encoder.encode(event) + b"\n" for event in events))
        with self._lock:
            try:
                while data and not self.broken.is_set():
                    data = data[os.write(self._descriptor, data) :]
            except OSError:
                self.broken.set()


def take_standard_output() -> int:
    """Return a descriptor of the real standard output and point descriptor 1 at stderr.

    Libraries print; from here on they print to stderr, from C as well as from Python.
    """
    real = os.dup(1)
    os.dup2(2, 1)
    return real
