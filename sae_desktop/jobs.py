"""What every job knows about the world that runs it: a context and nothing else.

A job is a function `(config, context) -> result`. It knows nothing of Qt, pipes or JSON;
the engine, the command line and the tests each hand it a context of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import msgspec


class JobContext(Protocol):
    """The handle through which a job speaks and is spoken to."""

    def progress(self, done: float, total: float, unit: str, message: str = "") -> None:
        """Say how far the job is; `unit` is plural, such as "tokens". Cheap: call it often."""

    def metric(self, step: int, values: Mapping[str, float]) -> None:
        """Log one point of the job's curves."""

    def output(self, data: msgspec.Struct) -> None:
        """Hand over a piece of the result while the job still runs, such as one token."""

    def log(self, message: str) -> None:
        """Add a line to the job's log."""

    @property
    def pause_requested(self) -> bool:
        """True between a request to pause and the resume: the moment to write a checkpoint."""

    @property
    def stop_requested(self) -> bool:
        """True once the person asked the job to end early and keep what it has made."""

    @property
    def ending(self) -> bool:
        """True once a pause, an early end or a cancel was asked for: what can wait is left out."""

    def adjustments(self) -> Mapping[str, float]:
        """Return the settings the person changed since the last call, by name; mostly none."""

    def check_cancelled(self) -> None:
        """Return at once; while paused, block; after a cancel, raise JobCancelledError."""


class SilentContext:
    """A context for calls from Python: says nothing and never cancels."""

    pause_requested = False
    stop_requested = False
    ending = False

    def progress(self, done: float, total: float, unit: str, message: str = "") -> None:
        del done, total, unit, message

    def metric(self, step: int, values: Mapping[str, float]) -> None:
        del step, values

    def output(self, data: msgspec.Struct) -> None:
        del data

    def log(self, message: str) -> None:
        del message

    def adjustments(self) -> Mapping[str, float]:
        return {}

    def check_cancelled(self) -> None:
        return
