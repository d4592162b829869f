"""Sentences about jobs for the status bar and the job list. Free of Qt."""

from __future__ import annotations

import math
from collections.abc import Sequence

from sae_desktop.client.engine_exit import EngineExit
from sae_desktop.engine.protocol import EngineStatus, ErrorInfo, JobProgress
from sae_desktop.storage.faults import format_bytes
from sae_desktop.words.amounts import device_text, rate_text, short_count, time_left_text
from sae_desktop.words.source_titles import model_title

STATE_NAMES = {
    "queued": "Waiting",
    "running": "Running",
    "paused": "Paused",
    "finished": "Finished",
    "failed": "Failed",
    "cancelled": "Cancelled",
}


def share_done(progress: JobProgress | None) -> float | None:
    """Return how much is done, 0…1; None where it cannot be said."""
    if progress is None or progress.total <= 0:
        return None
    return min(max(progress.done / progress.total, 0.0), 1.0)


ASKED_NAMES = {
    "pause": "Pausing after this step…",
    "stop": "Stopping after this step and keeping the result so far…",
    "cancel": "Cancelling after this step…",
}
"""What a job was asked for and has not come to yet."""


def progress_text(state: str, progress: JobProgress | None, asked: str = "") -> str:
    """Return a line such as "412k of 500k tokens · 3.1k tokens per second · 28 s left"."""
    name = ASKED_NAMES.get(asked) or STATE_NAMES.get(state, state)
    if progress is None:
        return name
    parts = [] if state == "running" and not asked else [name]
    if progress.message and not asked and state == "running":
        parts.append(progress.message)
    if progress.total > 0:
        done = math.floor(progress.done)  # what is under way is not done
        parts.append(f"{short_count(done)} of {short_count(progress.total)} {progress.unit}")
    if state == "running" and not asked:
        rate = rate_text(progress.rate, progress.unit)
        if rate:
            parts.append(rate)
        if progress.seconds_left is not None:
            parts.append(time_left_text(progress.seconds_left))
    return " · ".join(parts) or name


def engine_text(state: str, status: EngineStatus | None) -> str:
    """Return the engine's state: "CPU · memory 1.2 GB of 16 GB · Built-in model"."""
    if state == "starting":
        return "Engine starting…"
    if state == "crashed":
        return "Engine stopped unexpectedly"
    if state == "stopped":
        return "Engine stopped"
    if status is None:
        return "Engine ready"
    used, total = format_bytes(status.memory_used), format_bytes(status.memory_total)
    # The device is known once the engine has imported torch.
    parts = [device_text(status.device)] if status.device.isascii() else []
    return " · ".join(
        [*parts, f"memory {used} of {total}", model_title(status.model) or "no model loaded"]
    )


def crash_text(exit_: EngineExit, kept: list[str]) -> str:
    """Return what happened to the engine and to its jobs; `kept` says what is safe."""
    parts = [exit_.reason]
    if exit_.running_jobs:
        parts.append("Running at the time: " + ", ".join(exit_.running_jobs) + ".")
    parts += kept or ["Nothing was lost."]
    return " ".join(dict.fromkeys(parts))


def engine_alone(titles: Sequence[str]) -> ErrorInfo:
    """Return why a project cannot be changed while an engine without a window works on it."""
    return ErrorInfo(
        what=f"An engine is working on this project without a window: {', '.join(titles)}.",
        next_step="The job list shows its progress and can stop it; you can change the "
        "project again once it has finished.",
    )
