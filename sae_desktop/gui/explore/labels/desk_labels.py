"""What the reading desk reads and changes of a feature's labels."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from sae_desktop.features.reading.names_file import FeatureName
from sae_desktop.gui.explore.labels.candidates import (
    AGREED,
    PERSON,
    PROPOSED,
    STATISTICS,
    Candidate,
)
from sae_desktop.gui.state.feature_notes import FeatureNotes
from sae_desktop.gui.state.session import Session

Array = npt.NDArray[Any]

MEASURE = "detection AUROC"


class DeskLabels:
    """The labels of the open dictionary's features, as candidates."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._notes = FeatureNotes.of(session)

    def own(self, feature: int) -> str:
        """Return the person's label; nothing without one."""
        return self._notes.label(feature)

    def own_features(self) -> Array:
        """Return the features that have a label of the person's."""
        return np.asarray(self._notes.labelled_features())

    def candidates(self, feature: int, name: FeatureName | None) -> list[Candidate]:
        """Return all names there are for a feature, the shown one first."""
        own = self.own(feature)
        found = [Candidate(own, PERSON, state=AGREED)] if own else []
        if name is not None and name.short != own:
            found.append(automatic(name))
        return found

    def write(self, feature: int, text: str) -> None:
        """Give a feature a label of the person's own."""
        self._notes.set_label(feature, text)

    def choose(self, feature: int, candidate: Candidate) -> None:
        """Agree with a name: it becomes the feature's label."""
        self._notes.set_label(feature, candidate.text)


def automatic(name: FeatureName, state: str = PROPOSED) -> Candidate:
    """Return an automatic name as a candidate."""
    return Candidate(
        name.short,
        STATISTICS,
        score=_known(name.score),
        low=_known(name.score_low),
        high=_known(name.score_high),
        measure=MEASURE,
        state=state,
    )


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value
