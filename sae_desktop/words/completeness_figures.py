"""What a completeness table says, ready to be drawn. Free of Qt."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sae_desktop.comparison.config import CompletenessResult, ConceptRow, Detector

Array = npt.NDArray[Any]

_LEAST_WINDOW = 5
_WINDOWS = 8
"""A point is the share among about an eighth of the concepts, those nearest in frequency."""


class ShareCurve(NamedTuple):
    """The share of concepts that have a feature, against how often they occur."""

    dictionary: str
    frequencies: Array
    """(p,) rising; times the alive features where asked for."""
    shares: Array
    """(p,) 0 to 1."""
    even_chance: float | None
    """On the same scale."""


def share_curves(table: CompletenessResult, *, times_alive: bool) -> list[ShareCurve]:
    """Return a curve a dictionary: running shares over the judged concepts by frequency."""
    judged = [row for row in table.rows if row.judged][::-1]
    frequency = np.array([row.frequency for row in judged], float)
    window = min(max(_LEAST_WINDOW, len(judged) // _WINDOWS), len(judged))
    kernel = np.ones(window) / max(window, 1)
    curves = []
    for place, dictionary in enumerate(table.dictionaries):
        factor = dictionary.alive if times_alive else 1
        found = np.array([has_feature(table, row, place) for row in judged], float)
        even = dictionary.even_chance
        curves.append(
            ShareCurve(
                dictionary.dictionary,
                np.exp(np.convolve(np.log(frequency), kernel, "valid")) * factor,
                np.convolve(found, kernel, "valid"),
                None if even is None else even * factor,
            )
        )
    return curves


def has_feature(table: CompletenessResult, row: ConceptRow, place: int) -> bool:
    """Tell whether a concept has a feature in the dictionary at a place of the table."""
    detector = row.detectors[place]
    return detector is not None and detector.f1 >= table.least_f1


def summary_text(table: CompletenessResult, place: int) -> str:
    """Return a dictionary's figures in a sentence."""
    found = table.dictionaries[place]
    text = f"{found.dictionary}: {found.found} of {table.judged} have a feature"
    if found.control_found is not None:
        text += f" (random directions: {found.control_found})"
    if found.even_chance is not None:
        text += (
            f"; half do at 1 in {1 / found.even_chance:,.0f} tokens, × {found.alive:,} alive = "
            f"{found.product_text()}"
        )
    return text


def table_text(table: CompletenessResult) -> str:
    """Return the table with tabs between its cells, for the clipboard."""
    head = ["concept", "occurrences", "frequency"]
    for found in table.dictionaries:
        head += [f"{found.dictionary} {of}" for of in ("feature", "other feature", "F1")]
    lines = ["\t".join(head)]
    for row in table.rows:
        cells = [row.concept, str(row.occurrences), f"{row.frequency:.6g}"]
        for detector in row.detectors:
            cells += _cells(detector)
        lines.append("\t".join(cells))
    return "\n".join(lines)


def _cells(detector: Detector | None) -> list[str]:
    """Return the features that were scored, and what for both together."""
    if detector is None:
        return ["", "", ""]
    other = "" if detector.other is None else str(detector.other)
    return [str(detector.feature), other, f"{detector.f1:.4f}"]
