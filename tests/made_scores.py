"""Scores of labels beside an index, written by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sae_desktop.features.reading.beside import scores_path
from sae_desktop.features.reading.index_file import read_info
from sae_desktop.features.reading.label_score import (
    SILENCES,
    Figure,
    LabelScore,
    Part,
    Rival,
    label_digest,
)
from sae_desktop.features.reading.names_file import spans
from sae_desktop.features.reading.scores_file import ScoresInfo, interval_names, write_scores

INTERVALS = 5


def made_score(feature: int, label: str, value: float = 0.75, **more: Any) -> LabelScore:
    """Return the score of a label whose figures halves and quarters hold exactly."""

    def part(name: str, places: int) -> Part:
        figure = Figure(value, value - 0.125, value + 0.125)
        return Part(name=name, figure=figure, places=places, shuffled=0.5, top_token=0.625)

    fields: dict[str, Any] = {
        "feature": feature,
        "method": "",
        "digest": label_digest(label),
        "detector": "words",
        "detection": Figure(value, value - 0.125, value + 0.125),
        "shuffled": Figure(0.5, 0.375, 0.625),
        "top_token": Figure(0.625, 0.5, 0.75),
        "intervals": tuple(part(n, 8 + i) for i, n in enumerate(interval_names(INTERVALS))),
        "silences": tuple(part(name, 20) for name in SILENCES),
        "specificity": Figure(0.875, 0.75, 1.0),
        "matching": 40,
        "matching_share": (0.25, 0.125, 0.125, 0.0, 0.5),
        "sensitivity": Figure(0.5, 0.25, 0.75),
        "sensitivity_others": 0.125,
    }
    return LabelScore(**(fields | more))


def write_made_scores(
    index: Path,
    labels: Callable[[int], str] = "label of {}".format,
    features: Sequence[int] | None = None,
    **more: Any,
) -> Path:
    """Write scores of the labels of all features, or of those given, and return their file."""
    info = read_info(index)
    own = ScoresInfo(
        dictionary_hash=info.dictionary_hash, spans=spans(info), rows=info.rows,
        features=info.features, intervals=INTERVALS, scheme="linear", known_from="kept",
        rivals=[Rival(name="shuffled", figure=Figure(0.5, 0.375, 0.625), features=3)],
        random_of="directions", made="2026-01-02T03:04:05Z",
    )  # fmt: skip
    scored = range(info.features) if features is None else features
    scores = [
        made_score(
            f, labels(f), more.get("value", 0.5 + (f % 4) / 8), method=more.get("method", "")
        )
        for f in scored
    ]
    write_scores(index, own, scores)
    return scores_path(index)
