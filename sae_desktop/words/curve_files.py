"""Curves as text: for the clipboard and for files. Free of Qt."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence

import numpy as np

from sae_desktop.words.curve_buffer import ALL_COLUMNS, CurveBuffer

_DIGITS = 8


def curves_table(runs: Mapping[str, CurveBuffer], *, delimiter: str = ",") -> str:
    """Return every point of every run as a table with a heading.

    The first column names the run; a value that was not measured at a point is empty, and a
    column that was measured nowhere is left out.
    """
    columns = [
        name
        for name in ALL_COLUMNS
        if any(bool(np.isfinite(buffer.column(name)).any()) for buffer in runs.values())
    ]
    rows: list[list[str]] = []
    for run, buffer in runs.items():
        values = np.array([buffer.column(name) for name in columns]).T
        rows += [[run, *(_text(float(value)) for value in point)] for point in values]
    return as_table(["run", *columns], rows, delimiter=delimiter)


def as_table(heading: Sequence[str], rows: Sequence[Sequence[str]], *, delimiter: str = ",") -> str:
    """Return rows as delimited text, quoted where a cell needs it."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    writer.writerow(heading)
    writer.writerows(rows)
    return text.getvalue()


def _text(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.{_DIGITS}g}"
