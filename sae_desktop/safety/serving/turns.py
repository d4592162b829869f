"""Who writes when: requests take turns, a token each, and wait in the order in which they came."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from sae_desktop.safety.serving.lab import Writing

Told = Callable[["str | Exception | None"], None]
"""Gets a piece of text, an error, or None once the text has ended. Called in the writing thread."""


class Turns:
    """One thread that writes for all requests: the model computes for one at a time."""

    def __init__(self, at_once: int) -> None:
        """`at_once`: how many are written at the same time; the others wait."""
        self._at_once = at_once
        self._waiting: deque[tuple[Writing, Told]] = deque()
        self._writing: deque[tuple[Writing, Told]] = deque()
        self._changed = threading.Condition()
        self._ending = False
        self._thread = threading.Thread(target=self._run, name="served model", daemon=True)
        self._thread.start()

    def take(self, writing: Writing, told: Told) -> None:
        """Write a text as soon as it is its turn. Safe in any thread."""
        with self._changed:
            self._waiting.append((writing, told))
            self._changed.notify()

    def waiting(self) -> int:
        """Return how many texts are written or wait."""
        with self._changed:
            return len(self._waiting) + len(self._writing)

    def end(self) -> None:
        """End after the token that is being written; wait for that."""
        with self._changed:
            self._ending = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not (self._waiting or self._writing or self._ending):
                    self._changed.wait()
                if self._ending:
                    return
                while self._waiting and len(self._writing) < self._at_once:
                    self._writing.append(self._waiting.popleft())
                writing, told = self._writing.popleft()
            if self._one_token(writing, told):
                with self._changed:
                    self._writing.append((writing, told))

    def _one_token(self, writing: Writing, told: Told) -> bool:
        """Write one token; return whether there is more to come."""
        if writing.cancelled:
            told(None)
            return False
        try:
            piece = writing.step()
        except Exception as error:  # one request's failure is not that of the others
            told(error)
            return False
        told(piece)
        return piece is not None
