"""The states of the engine, and how its process ended."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path


class EngineState(StrEnum):
    """Whether the engine can be spoken to."""

    STOPPED = "stopped"
    STARTING = "starting"
    READY = "ready"
    CRASHED = "crashed"


@dataclass(frozen=True)
class EngineExit:
    """How the engine ended without being asked to."""

    reason: str
    """A sentence for the person, such as “The engine was killed (SIGKILL)…”."""
    signal_name: str | None
    exit_code: int
    """The exit status; for an end by signal, its number."""
    stderr_tail: str
    running_jobs: list[str] = field(default_factory=list)
    """Titles of the jobs that ended with it."""


_SIGNAL_REASONS = {
    "SIGKILL": "The engine was killed (SIGKILL), by the system (out of memory) or by hand.",
    "SIGSEGV": "The engine crashed in a library (SIGSEGV).",
    "SIGBUS": "The engine lost a file while it was reading or writing it (SIGBUS): the file was "
    "cut short by another program, or its drive is full or disconnected.",
    "SIGABRT": "The engine stopped after an internal error (SIGABRT).",
    "SIGTERM": "Another program stopped the engine (SIGTERM).",
}


def describe_exit(
    exit_code: int,
    *,
    crashed: bool,
    stderr_tail: str,
    running_jobs: list[str],
    find_cut: Callable[[], Sequence[tuple[Path, Sequence[str]]]] = tuple,
) -> EngineExit:
    """Return a typed outcome of a process that ended without being asked to.

    `crashed` says that a signal ended it; `exit_code` is then that signal's number. `find_cut`
    is asked, after a SIGBUS, which files were cut short, and the titles of the jobs that name them.
    """
    name = _signal_name(exit_code) if crashed else None
    cut = find_cut() if name == "SIGBUS" else ()
    if cut:
        names = ", ".join(f"“{path}”{_used_by(titles)}" for path, titles in cut)
        reason = (
            f"The engine lost a file while it was reading it (SIGBUS): {names} "
            f"{'was' if len(cut) == 1 else 'were'} cut short by another program. Restore "
            f"{'it' if len(cut) == 1 else 'them'} from a copy, or make "
            f"{'it' if len(cut) == 1 else 'them'} again."
        )
    elif name is not None:
        reason = _SIGNAL_REASONS.get(name, f"The engine was stopped by the signal {name}.")
    elif crashed:
        reason = f"The engine crashed (code {exit_code})."
    elif exit_code == 0:
        reason = "The engine stopped on its own."
    else:
        reason = f"The engine stopped with status {exit_code}."
    return EngineExit(reason, name, exit_code, stderr_tail, running_jobs)


def _used_by(titles: Sequence[str]) -> str:
    return f" (used by {', '.join(titles)})" if titles else ""


def _signal_name(number: int) -> str | None:
    try:
        return signal.Signals(number).name
    except ValueError:
        return None
