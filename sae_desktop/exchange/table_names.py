"""What the beginning of a table or of a file of JSON says of it."""

from __future__ import annotations

from pathlib import Path

from sae_desktop.corpus.arrow_tables import ParquetTable
from sae_desktop.corpus.columns import Table
from sae_desktop.corpus.decoding import encoding_of, head_bytes
from sae_desktop.corpus.delimited import DelimitedTable
from sae_desktop.corpus.json_text import JsonArray, JsonLines, json_layout
from sae_desktop.corpus.records import Report
from sae_desktop.errors import UserError


def layout_of(path: Path) -> str:
    """Return how a file of JSON is laid out; "" where it cannot be read."""
    try:
        head = head_bytes(path)
        return json_layout(head.decode(encoding_of(head), "replace"))
    except (UserError, OSError):
        return ""


def columns_of(path: Path, suffix: str) -> list[str]:
    """Return the names of a table's columns; none where it cannot be read."""
    table: Table
    try:
        if suffix in (".csv", ".tsv"):
            return list(DelimitedTable(path, "", Report()).names)
        if suffix == ".parquet":
            return list(ParquetTable(path).declared)
        lines = suffix == ".jsonl" or layout_of(path) in ("line", "lines")
        table = JsonLines(path) if lines else JsonArray(path)
        return [name for row in table.peek()[:1] for name in row]
    except (UserError, OSError, ValueError, RecursionError):
        return []
