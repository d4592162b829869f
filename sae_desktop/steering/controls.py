"""Controls that a steered text is compared with. Free of torch and Qt."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from sae_desktop.features.reading.layout import TOP_BUCKET
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.steering.config import (
    Direction,
    Intervention,
    MeanDifference,
    RandomDirection,
    Variant,
)

_TEXTS = 20
_AROUND = 16


def random_control(interventions: Sequence[Intervention]) -> Variant:
    """Return the same changes at the same size, each in a random direction."""
    return _redirected(
        "Random direction",
        interventions,
        [RandomDirection(seed=number) for number in range(len(interventions))],
    )


def means_control(interventions: Sequence[Intervention], index: FeatureIndex) -> Variant:
    """Return the same changes along the differences of means.

    Each between a feature's strongest contexts and as many places of the text taken evenly.
    """
    off = _anywhere(index)
    directions = [MeanDifference(on=_texts(index, i.feature or 0), off=off) for i in interventions]
    return _redirected("Difference of means", interventions, directions)


def asking_control(prompt: str) -> Variant:
    """Return the plain model with a prompt that asks for what steering is to bring."""
    return Variant(name="Asked for", prompt=prompt)


def _redirected(
    name: str, interventions: Sequence[Intervention], directions: Sequence[Direction]
) -> Variant:
    return Variant(
        name=name,
        interventions=[
            msgspec.structs.replace(asked, direction=direction)
            for asked, direction in zip(interventions, directions, strict=True)
        ],
    )


def _texts(index: FeatureIndex, feature: int) -> list[str]:
    contexts = index.contexts(feature, _AROUND, 0)
    texts = (c for c in contexts if c.bucket == TOP_BUCKET and c.picture is None)
    return ["".join(c.as_read().tokens) for c in texts][:_TEXTS]


def _anywhere(index: FeatureIndex) -> list[str]:
    rows = np.arange(index.info.rows)
    if (picture := index.array("picture")) is not None:
        rows = rows[picture < 0]
    places = rows[np.linspace(0, len(rows) - 1, _TEXTS + 2).astype(np.int64)[1:-1]]
    texts = []
    for row in places.tolist():
        first = max(int(index.passages["first_row"][index.passage_at(row)]), row - _AROUND)
        before = rows[np.searchsorted(rows, first) : np.searchsorted(rows, row) + 1]
        texts.append("".join(index.token(int(t)) for t in index.tokens[before]))
    return texts
