"""Features as a table on disk, CSV or Parquet: every column, what a person wrote, top logits."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sae_desktop.errors import UserError
from sae_desktop.features.reading.categories import category_names
from sae_desktop.features.reading.columns import column_info
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.label_words import by_whom
from sae_desktop.project_notes import Notes
from sae_desktop.storage.atomic import replacing
from sae_desktop.storage.faults import explained

Array = npt.NDArray[Any]

SUFFIXES = (".csv", ".parquet")
_STEP = 20_000
FORMULA = ("=", "+", "-", "@", "\t", "\r")
_BETWEEN = " | "


def export_features(
    path: Path,
    index: FeatureIndex,
    features: Array,
    notes: Notes | None = None,
    progress: Callable[[int], None] = lambda _done: None,
) -> None:
    """Write `features` in their order to a .csv or .parquet file, in one step.

    In a CSV, text that a spreadsheet would take for a formula gets an apostrophe in front, and
    several tokens stand in one cell. Raises UserError for another kind of file, for no features
    and when the disk is full.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise UserError(
            f"“{path.name}” is neither a .csv nor a .parquet file.",
            next_step="Give it one of these endings.",
        )
    if not len(features):
        raise UserError(
            "There is no feature to export.", next_step="Choose some, or loosen the filter."
        )
    write = _write_csv if suffix == ".csv" else _write_parquet
    with explained(path), replacing(path) as part:
        write(part, _tables(index, features, notes, progress))


def _tables(
    index: FeatureIndex, features: Array, notes: Notes | None, progress: Callable[[int], None]
) -> Iterator[dict[str, Any]]:
    """Yield the features in pieces, column by column."""
    for first in range(0, len(features), _STEP):
        some = np.asarray(features[first : first + _STEP], dtype=np.int64)
        yield _table(index, some, notes)
        progress(min(first + _STEP, len(features)))


def _table(index: FeatureIndex, features: Array, notes: Notes | None) -> dict[str, Any]:
    ids = features.tolist()
    written = notes.notes(index.info.dictionary, ids) if notes is not None else {}
    found = [written.get(f) for f in ids]
    table: dict[str, Any] = {
        "feature": features,
        "label": [n.label if n else "" for n in found],
        "score": [n.score if n else None for n in found],
        "label_by": [by_whom(n.method, n.author) if n and n.label else "" for n in found],
        "starred": [bool(n and n.starred) for n in found],
        "note": [n.note if n else "" for n in found],
    }
    for name, values in index.columns.items():
        table[name] = _values(index, name, np.asarray(values[features]))
    if index.has_logits:
        table["raises"] = [[t for t, _ in index.top_logits(f)] for f in ids]
        table["lowers"] = [[t for t, _ in index.bottom_logits(f)] for f in ids]
    nearest = [next(iter(index.neighbours(f)), (None, None)) for f in ids]
    table["nearest"] = [feature for feature, _ in nearest]
    return table


def _values(index: FeatureIndex, name: str, values: Array) -> Any:
    if column_info(name).kind == "token":
        return [index.token(int(i)) if i >= 0 else "" for i in values]
    names = category_names(index, name)
    if names is None:
        return values
    return [names[i] if 0 <= i < len(names) else "" for i in values.tolist()]


def _write_csv(path: Path, tables: Iterator[dict[str, Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        for number, table in enumerate(tables):
            if number == 0:
                writer.writerow(table)
            columns = [v.tolist() if isinstance(v, np.ndarray) else v for v in table.values()]
            writer.writerows([_cell(value) for value in row] for row in zip(*columns, strict=True))


def _cell(value: Any) -> Any:
    if isinstance(value, list):
        value = _BETWEEN.join(value)
    if isinstance(value, str) and value.lstrip().startswith(FORMULA):
        return "'" + value
    return "" if value is None else value


def _write_parquet(path: Path, tables: Iterator[dict[str, Any]]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    writer = None
    try:
        for table in tables:
            types = {
                "score": pa.float32(),
                "nearest": pa.int64(),
                "raises": pa.list_(pa.string()),
                "lowers": pa.list_(pa.string()),
            }
            arrow = pa.table({k: pa.array(v, type=types.get(k)) for k, v in table.items()})
            if writer is None:
                writer = pq.ParquetWriter(path, arrow.schema)
            writer.write_table(arrow)
    finally:
        if writer is not None:
            writer.close()
