"""What people wrote about the features of a dictionary, as filters ask it of a notes file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sae_desktop.features.reading.name_search import shown_names_with_text
from sae_desktop.features.reading.shown_names import order_of_names
from sae_desktop.project_labels import STATISTICS
from sae_desktop.project_lists import FeatureLists
from sae_desktop.project_notes import Notes

if TYPE_CHECKING:  # it brings h5py, which the window does without until an index is opened
    from sae_desktop.features.reading.reader import FeatureIndex

Array = npt.NDArray[Any]
_NONE: Array = np.empty(0, dtype=np.int64)


def stale_scores(index: FeatureIndex, notes: Notes | None) -> Array:
    """Return the features whose label or name is not the one that was scored, ascending."""
    if index.scores is None:
        return _NONE
    every = {} if notes is None else notes.all(index.info.dictionary)
    labels = {feature: note.label for feature, note in every.items() if note.label}
    return index.scores.stale(labels, index.short_names())


def hide_stale_scores(index: FeatureIndex, notes: Notes | None) -> None:
    """Leave scores of labels that have changed since out of what is sorted, filtered and told."""
    index.hide_scores(stale_scores(index, notes))


@dataclass(frozen=True)
class NotedMarks:
    """Implements `filter.Marks` where no window is; without notes there is nothing."""

    notes: Notes | None
    dictionary: str

    def starred_features(self) -> Array:
        return _NONE if self.notes is None else self.notes.starred(self.dictionary)

    def labelled_features(self) -> Array:
        return _NONE if self.notes is None else self.notes.by_label(self.dictionary)

    def labelled_by(self, method: str) -> Array:
        return _NONE if self.notes is None else self.notes.shown_by(self.dictionary, method)

    def named_features(self, index: FeatureIndex) -> Array:
        return order_of_names(index, self.notes)

    def scored_features(self) -> tuple[Array, Array]:
        return (_NONE, _NONE) if self.notes is None else self.notes.scores(self.dictionary)

    def found_features(self, text: str) -> Array:
        return _NONE if self.notes is None else self.notes.search(self.dictionary, text)

    def found_names(self, index: FeatureIndex, text: str) -> Array:
        stored = self.notes
        rejected = {} if stored is None else stored.rejected(self.dictionary, STATISTICS)
        return shown_names_with_text(index, text, self.labelled_features(), rejected)

    def list_members(self, name: str) -> Array | None:
        kept = None if self.notes is None else FeatureLists(self.notes).read(self.dictionary, name)
        return None if kept is None else np.asarray(kept.features, dtype=np.int64)
