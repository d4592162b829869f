"""The labels that are to be judged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.labels.judging.config import Which
from sae_desktop.project_labels import REJECTED, STATISTICS, Label
from sae_desktop.project_notes import Notes


class ChosenLabel(NamedTuple):
    """One label of one feature."""

    feature: int
    text: str
    method: str
    """As the notes have it: empty for a person's."""
    number: int | None = None
    """Which of the feature's labels it is; None: it is not in the notes."""


def chosen_labels(
    index: FeatureIndex, notes: Notes | None, features: Sequence[int], which: Which
) -> list[ChosenLabel]:
    """Return the labels of some features, in their order; a feature without any is left out."""
    held: dict[int, list[Label]] = {}
    if notes is not None and which != "automatic":
        held = notes.labels(index.info.dictionary, features)
    return [
        label for feature in features for label in _of(index, feature, held.get(feature, []), which)
    ]


def _of(
    index: FeatureIndex, feature: int, held: Sequence[Label], which: Which
) -> Iterator[ChosenLabel]:
    shown = [label for label in held if label.shown]
    taken = shown if which == "shown" else [one for one in held if one.state != REJECTED]
    texts = {label.text for label in taken}
    yield from (ChosenLabel(feature, one.text, one.method, one.number) for one in taken)
    name = index.name(feature)
    if name is not None and name.short not in texts and not (taken and which == "shown"):
        yield ChosenLabel(feature, name.short, STATISTICS)
