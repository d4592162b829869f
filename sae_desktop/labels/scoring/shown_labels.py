"""Which label of each feature is scored: the one that is shown. Free of torch."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from typing import NamedTuple

from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.project import Project
from sae_desktop.project_labels import STATISTICS
from sae_desktop.project_notes import Notes


class ShownLabel(NamedTuple):
    """The label of a feature that a person sees."""

    feature: int
    text: str
    method: str
    """As the notes have it; empty: by a person."""
    number: int = -1
    """Which of the feature's labels in the notes; −1: an automatic name."""


def shown_labels(
    project: Project, index: FeatureIndex, features: Iterable[int]
) -> dict[int, ShownLabel]:
    """Return feature → label for those of some features that have one, or an automatic name."""
    asked = list(features)
    names = index.short_names()
    found = {
        feature: ShownLabel(feature, names[feature], STATISTICS)
        for feature in asked
        if feature < len(names) and names[feature]
    }
    if not project.notes_path.is_file():
        return found
    with closing(Notes(project.notes_path)) as notes:
        for feature, labels in notes.labels(index.info.dictionary, asked).items():
            for label in labels:
                if label.shown and label.text:
                    found[feature] = ShownLabel(feature, label.text, label.method, label.number)
    return found
