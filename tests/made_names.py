"""Names beside an index, written by hand: “name of 7”, with a score."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sae_desktop.features.reading.beside import names_path
from sae_desktop.features.reading.index_file import read_info
from sae_desktop.features.reading.names_file import (
    BLOCK,
    FIGURES,
    MadeNames,
    NameDetail,
    NamesInfo,
    spans,
    write_names,
)


def write_made_names(index: Path, short: Sequence[str] | None = None) -> Path:
    """Write names for all features, or those given (empty: no name), and return their file."""
    info = read_info(index)
    given = short or [f"name of {feature}" for feature in range(info.features)]
    details = [
        NameDetail(
            f"A sentence about {text}." if text else "",
            [("token", "a", 0.5, 2.0, [0, 1]), ("before", "b", 0.25, 1.5, [0])] if text else [],
            [("a", 0.75), ("b", 0.25)] if text else [],
        )
        for text in given
    ]
    scores = np.array([0.5 + 0.4 * (i % 10) / 10 if t else np.nan for i, t in enumerate(given)])
    figures = dict(zip(FIGURES, (scores, scores - 0.05, scores + 0.05, scores * 0 + 0.5,
                                 scores * 0 + 0.6), strict=True))  # fmt: skip
    made = [
        MadeNames(
            list(given[first : first + BLOCK]),
            details[first : first + BLOCK],
            {name: values[first : first + BLOCK] for name, values in figures.items()},
        )
        for first in range(0, info.features, BLOCK)
    ]
    own = NamesInfo(
        dictionary_hash=info.dictionary_hash, spans=spans(info), rows=info.rows
    )  # fmt: skip
    write_names(names_path(index), own, made)
    return names_path(index)
