"""Every steered run of a project: `steering.jsonl`, one per line. Free of torch and Qt."""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterator

import msgspec

from sae_desktop.project import Project
from sae_desktop.steering.presets import Preset, upgraded
from sae_desktop.storage.faults import explained


class SteeredRun(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for, and what each variant wrote."""

    at: datetime.datetime
    asked: Preset
    """Without a name."""
    texts: list[str]
    """One a variant, in their order."""


def remember_run(project: Project, run: SteeredRun) -> None:
    """Add a run at the end. Raises UserError when it cannot be written."""
    path = project.steering_path
    with explained(path), path.open("a+b") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                file.write(b"\n")  # a process killed in the middle left half a line
        file.write(msgspec.json.encode(run) + b"\n")


def runs(project: Project, count: int) -> list[SteeredRun]:
    """Return the last `count` runs, the newest first; lines that cannot be read are left out."""
    try:
        lines = project.steering_path.read_bytes().splitlines()
    except OSError:
        return []
    return list(_decoded(lines[-count:][::-1]))


def _decoded(lines: list[bytes]) -> Iterator[SteeredRun]:
    for line in lines:
        try:
            run = msgspec.json.decode(line, type=SteeredRun)
        except (ValueError, RecursionError):
            continue
        yield msgspec.structs.replace(run, asked=upgraded(run.asked))
