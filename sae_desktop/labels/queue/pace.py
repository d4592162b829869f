"""When the next request may start: the limits a person set, and what the server bears."""

from __future__ import annotations

import random
import threading
import time

from sae_desktop.labels.queue.limits import QueueLimits

FIRST_WAIT, LONGEST_WAIT = 0.5, 60.0
"""Seconds before the second attempt, and at most before any later one."""


def backoff(attempt: int) -> float:
    """Return how long to wait after an attempt, counted from 1: twice as long each time.

    Half of it by chance, so that requests which failed together do not return together.
    """
    longest = min(FIRST_WAIT * 2.0 ** min(attempt - 1, 20), LONGEST_WAIT)
    return longest * random.uniform(0.5, 1.0)


class Pace:
    """Shared by all threads that ask. Requests start evenly spaced, never in bursts: so no minute
    ever sees more than was allowed."""

    def __init__(self, limits: QueueLimits) -> None:
        self._limits = limits
        self._changed = threading.Condition()
        self._next = 0.0
        self._held_until = 0.0
        self._allowed = 1.0  # until one was answered: a wrong key is then shown once
        self._under_way = 0
        self._paused = self._ended = self._proven = False

    @property
    def held_seconds(self) -> float:
        """How long the server asked everybody to wait, from now."""
        return max(self._held_until - time.monotonic(), 0.0)

    @property
    def at_once(self) -> int:
        """How many requests may be under way at the same time, as far as the server bears it."""
        return max(int(self._allowed), 1)

    @property
    def ended(self) -> bool:
        return self._ended

    def enter(self, tokens: int) -> bool:
        """Wait until a request of so many tokens may start; False: none may any more."""
        with self._changed:
            while not self._ended:
                now = time.monotonic()
                until = max(self._next, self._held_until)
                if self._paused or self._under_way >= self.at_once:
                    self._changed.wait()
                elif until > now:
                    self._changed.wait(until - now)
                else:
                    self._next = now + self._spacing(tokens)
                    self._under_way += 1
                    return True
        return False

    def _spacing(self, tokens: int) -> float:
        limits = self._limits
        spacing = 60.0 / limits.requests_per_minute if limits.requests_per_minute else 0.0
        if limits.tokens_per_minute:
            spacing = max(spacing, 60.0 * tokens / limits.tokens_per_minute)
        return spacing

    def leave(self, more_tokens: int = 0) -> None:
        """Say that a request has ended, and how many tokens it took beyond the guess."""
        with self._changed:
            self._under_way -= 1
            if self._limits.tokens_per_minute:
                self._next += 60.0 * more_tokens / self._limits.tokens_per_minute
            self._changed.notify_all()

    def went_well(self) -> None:
        """Let as many be under way as was asked for; after a hold, one more each round."""
        most = float(self._limits.at_once)
        with self._changed:
            more = self._allowed + 1.0 / self._allowed
            self._allowed = min(more, most) if self._proven else most
            self._proven = True
            self._changed.notify_all()

    def hold(self, seconds: float) -> None:
        """Let nobody start for a while, and then half as many at once: the server is busy."""
        with self._changed:
            now = time.monotonic()
            if now >= self._held_until:  # once, however many are told the same
                self._allowed = max(self._allowed / 2.0, 1.0)
            self._held_until = max(self._held_until, now + seconds)
            self._changed.notify_all()

    def sleep(self, seconds: float) -> bool:
        """Wait, unless everything ends meanwhile; return whether it is still to continue."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended, seconds)
            return not self._ended

    def pause(self, paused: bool) -> None:
        """Let no request start until the pause is over; those under way are let finish."""
        with self._changed:
            self._paused = paused
            self._changed.notify_all()

    def end(self) -> None:
        """Let no request start any more."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
