"""What is said of the features found on a text. Free of Qt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sae_desktop.gui.explore.ask.probe_summary import MatrixRows, Measure, ProbeTable
from sae_desktop.words.amounts import exact_count, signed_text
from sae_desktop.words.running_text import shown_token

UNITS: dict[Measure, str] = {
    "excess": "Times usual",
    "activation": "Activation",
    "share": "Activation",
    "attribution": "Attribution",
}
"""What the figures of the features are, by what ranks them."""
_BY: dict[Measure, str] = {
    "excess": "how much more there is of them than usual",
    "activation": "activation",
    "share": "share of the maximum",
    "attribution": "attribution",
}


_MOST_TIMES = 1000
_DIGIT_BELOW = 10


@dataclass(frozen=True)
class Found:
    """A feature and how much of it there is."""

    feature: int
    figure: str
    """In the unit that the heading of the column names."""
    share: float
    """Of the feature's maximum, 0…1."""


def found_rows(
    table: ProbeTable,
    rank: Measure,
    rows: MatrixRows,
    span: tuple[int, int],
    maxima: npt.NDArray[Any] | None,
) -> list[Found]:
    """Return what the list says of features on the tokens of a span; `maxima` (F,) are theirs."""
    features = rows.features
    activations = table.peaks("activation", features, *span)
    figures = [f"{value:.2f}" for value in activations]
    if rank == "excess":
        figures = [_times(float(value)) for value in table.times_usual(features, *span)]
    if rank == "attribution":
        values = table.peaks("attribution", features, *span)
        figures = [signed_text(float(value), 3) for value in values]
    tops = activations if maxima is None else maxima[features]
    shares = activations / np.maximum(tops, 1e-20)
    return [
        Found(int(feature), figure, float(share))
        for feature, figure, share in zip(features, figures, shares, strict=True)
    ]


def read_words(table: ProbeTable) -> str:
    """Return what was read: a text, a picture, or pictures and a text."""
    if not table.pictures:
        return "text"
    pictures = "picture" if len(table.pictures) == 1 else "pictures"
    return f"{pictures} and text" if (table.picture < 0).any() else pictures


def _times(ratio: float) -> str:
    """Return “0.4×”, “12×” or “over 1,000×”."""
    if ratio > _MOST_TIMES:
        return f"over {exact_count(_MOST_TIMES)}×"
    return f"{ratio:.1f}×" if ratio < _DIGIT_BELOW else f"{exact_count(round(ratio))}×"


def ranked_text(
    table: ProbeTable, rank: Measure, rows: int, token: int | None, region: int = 0
) -> str:
    """Return how many features are listed, on what, and by what they are ranked.

    `region`: the number of patches of a picture that are chosen together, if any are.
    """
    at = f"on the {read_words(table)}"
    if region:
        at = f"on {exact_count(region)} patches of the picture"
    elif token is not None:
        at = f"on “{shown_token(table.tokens[token])}” (token {token})"
    noun = "feature" if rows == 1 else "features"
    text = f"{exact_count(rows)} {noun} {at}, by {_BY[rank]}"
    found = table.difference
    if rank != "attribution" or found is None:
        return text
    against = f"“{shown_token(found.against)}”" if found.against else "the mean logit"
    return (
        f"{text} to “{shown_token(found.target)}” over {against} after token "
        f"{found.position} ({signed_text(found.value)})"
    )
