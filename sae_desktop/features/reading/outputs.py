"""What an index tells of a feature output by output, and input by input. Free of torch and Qt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sae_desktop.dictionary.ends import End
from sae_desktop.features.reading.reader import FeatureIndex


@dataclass(frozen=True)
class OutputFact:
    """A feature at one of the sites that its dictionary writes."""

    number: int
    end: End
    model: str
    strength: float
    """How strongly it writes there, in the site's typical norms; the strongest output has 1."""
    logit_spread: float | None
    """What an activation of 1 does to the logits through this output alone: their standard
    deviation over the vocabulary. None: not measured."""


@dataclass(frozen=True)
class InputFact:
    """A feature at one of the sites that its dictionary reads."""

    number: int
    end: End
    model: str
    share: float
    """Of its activation that is lost where this input alone is at its mean, averaged over
    firings."""


def outputs_of(index: FeatureIndex, feature: int) -> list[OutputFact]:
    """Return what a feature writes, output by output; none of a dictionary of one output."""
    strength, spread = index.array("parts/strength"), index.array("parts/logit_spread")
    if strength is None:
        return []
    found = []
    for number, end in enumerate(index.info.outputs):
        told = None if spread is None else float(spread[feature, number])
        found.append(
            OutputFact(
                number=number,
                end=end,
                model=_model(index, end),
                strength=float(strength[feature, number]),
                logit_spread=None if told is None or np.isnan(told) else told,
            )
        )
    return found


def inputs_of(index: FeatureIndex, feature: int) -> list[InputFact]:
    """Return where a feature functionally lives; none where it was not measured or never fired."""
    shares = index.array("parts/functional")
    if shares is None or np.isnan(shares[feature]).any():
        return []
    return [
        InputFact(number, end, _model(index, end), float(shares[feature, number]))
        for number, end in enumerate(index.info.inputs)
    ]


def logits_at(
    index: FeatureIndex, feature: int, output: int
) -> tuple[list[tuple[str, float]], list[tuple[str, float]]]:
    """Return (token, effect) that a feature raises and lowers most through one output alone."""
    if index.array("parts/logit_top_ids") is None:
        return [], []
    top, bottom = (
        _pairs(
            index.arrays[f"parts/logit_{side}_ids"][feature, output].tolist(),
            index.arrays[f"parts/logit_{side}_values"][feature, output].tolist(),
        )
        for side in ("top", "bottom")
    )
    return [(index.token(i), v) for i, v in top], [(index.token(i), v) for i, v in bottom]


def neighbours_at(index: FeatureIndex, feature: int, output: int) -> list[tuple[int, float]]:
    """Return (feature, cosine) of what is most alike at one output, nearest first."""
    if index.array("parts/neighbour_ids") is None:
        return []
    return _pairs(
        index.arrays["parts/neighbour_ids"][feature, output].tolist(),
        index.arrays["parts/neighbour_cosines"][feature, output].tolist(),
    )


def _pairs(ids: Sequence[int], values: Sequence[float]) -> list[tuple[int, float]]:
    return [(number, value) for number, value in zip(ids, values, strict=True) if number >= 0]


def _model(index: FeatureIndex, end: End) -> str:
    models = index.info.models
    return models[end.source] if end.source < len(models) else ""
