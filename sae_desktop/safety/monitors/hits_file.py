"""Where monitors fired, as it lies in a project: `hits/<name>.jsonl`, and what became of the run.

Free of torch and Qt.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path

import msgspec

from sae_desktop.project import LONGEST_NAME, Project
from sae_desktop.safety.monitors.config import Hit, MonitorRun
from sae_desktop.storage.atomic import write_bytes
from sae_desktop.storage.faults import explained


class RunRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What monitors found in one text, beside the file of hits."""

    name: str
    """Of the file of hits."""
    corpus: str
    corpus_digest: str
    created: str
    """ISO 8601."""
    runs: list[MonitorRun]
    kept: int
    """Hits in the file."""


def save_run(project: Project, record: RunRecord, hits: list[Hit]) -> Path:
    """Write the hits, then what is said of them; return the file of hits.

    The record of an earlier run goes first: hits without one are of a run that was interrupted.
    Raises UserError for a full disk.
    """
    path = project.hits_path(record.name)
    with explained(path):
        path.parent.mkdir(exist_ok=True)
        _record_path(path).unlink(missing_ok=True)
        write_bytes(path, b"".join(msgspec.json.encode(hit) + b"\n" for hit in hits))
        write_bytes(_record_path(path), msgspec.json.encode(record))
    return path


def read_runs(project: Project) -> list[RunRecord]:
    """Return the runs that are kept, the last first; what cannot be read is left out."""
    found = []
    for path in project.path.glob("hits/[!.]*.json"):
        with suppress(OSError, msgspec.DecodeError, UnicodeDecodeError):
            found.append(msgspec.json.decode(path.read_bytes(), type=RunRecord))
    return sorted(found, key=lambda record: record.created, reverse=True)


def read_hits(path: Path, monitor: str = "", most: int = 0) -> list[Hit]:
    """Return the hits of a file in its order, of one monitor or of all; none where it is missing.

    A line that cannot be read, such as one that is being written, is left out. `most`: 0: all.
    """
    found: list[Hit] = []
    with suppress(OSError), path.open("rb") as file:
        for line in file:
            with suppress(msgspec.DecodeError, UnicodeDecodeError):
                hit = msgspec.json.decode(line, type=Hit)
                if monitor in ("", hit.monitor):
                    found.append(hit)
            if most and len(found) == most:
                break
    return found


def last_run(records: list[RunRecord], monitor: str) -> tuple[RunRecord, MonitorRun] | None:
    """Return a monitor's last run among records, the last first; None: it was never run."""
    for record in records:
        for run in record.runs:
            if run.monitor == monitor:
                return record, run
    return None


def _record_path(path: Path) -> Path:
    return path.with_suffix(".json")


def run_file_name(monitor: str, corpus: str) -> str:
    """Return a name for the hits of a monitor in a text: another run over the same replaces it."""
    last = corpus.rstrip("/\\").replace("\\", "/").rsplit("/", 1)[-1]
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "_-") else "-" for c in last)
    told = hashlib.blake2b(corpus.encode(), digest_size=3).hexdigest()
    room = LONGEST_NAME - len(told) - 1
    return f"{monitor} {plain}"[:room].rstrip() + f"-{told}"
