"""A benchmark as a file for other programs: a row a dictionary or control. Free of torch and Qt."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import msgspec

from sae_desktop.benchmark.config import BenchmarkResult, Figure, Subject
from sae_desktop.benchmark.tables import figures_of
from sae_desktop.errors import UserError
from sae_desktop.storage.atomic import write_bytes
from sae_desktop.storage.faults import explained

_OF_SUBJECT = ("name", "kind", "recipe", "architecture", "seed", "features")


def export_benchmark(result: BenchmarkResult, path: Path) -> None:
    """Write a benchmark as CSV or JSON, as the file is called. Raises UserError otherwise."""
    ending = path.suffix.lower()
    if ending not in (".csv", ".json"):
        raise UserError(
            f"“{path.name}” ends neither in .csv nor in .json.",
            kept="Nothing was written.",
            next_step="Choose a name with one of these endings.",
        )
    # Where the project lies is nobody else's business.
    plain = msgspec.structs.replace(result, path="")
    content = msgspec.json.encode(plain) if ending == ".json" else _csv(plain).encode()
    with explained(path):
        write_bytes(path, content)


def _csv(result: BenchmarkResult) -> str:
    rows = [_row(subject) for subject in result.subjects]
    heads = list(dict.fromkeys(head for row in rows for head in row))
    out = io.StringIO()
    writer = csv.DictWriter(out, heads, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def _row(subject: Subject) -> dict[str, object]:
    row: dict[str, object] = {name: getattr(subject, name) for name in _OF_SUBJECT}
    for name, figure in figures_of(subject).items():
        row |= _cells(name, figure)
    for task, by_k in subject.tasks.items():
        for k, figure in by_k.items():
            row |= _cells(f"{task}, k = {k}", figure)
    return row


def _cells(name: str, figure: Figure) -> dict[str, object]:
    found: dict[str, object] = {name: figure.value}
    if figure.low is not None:
        found |= {f"{name}, low": figure.low, f"{name}, high": figure.high}
    return found
