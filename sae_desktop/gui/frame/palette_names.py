"""The features that the search finds by their automatic names, quiet and after the labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sae_desktop.gui.parts.search import Entry
from sae_desktop.gui.state.feature_notes import FeatureNotes
from sae_desktop.gui.state.session import Session
from sae_desktop.words.amounts import exact_count
from sae_desktop.words.feature_words import WIDE

if TYPE_CHECKING:  # h5py: not before the first show
    from sae_desktop.features.reading.reader import FeatureIndex

_MOST = 6


def automatic_names(session: Session, index: FeatureIndex, query: str) -> list[Entry]:
    """Return the features whose automatic name has the words of `query`, the best of them.

    None while that would keep the window waiting: it is asked again when the names were read.
    """
    from sae_desktop.features.reading.name_search import best_names, name_answer_is_known

    if not name_answer_is_known(index, query):
        return []
    notes = FeatureNotes.of(session)
    found = notes.found_names(index, query)
    entries = [
        Entry(
            "Feature",
            f"Feature {feature}",
            str(feature),
            "automatic name",
            aside=notes.said(feature, WIDE)[0],
        )
        for feature in best_names(index, found, query, _MOST)
    ]
    if len(found) > len(entries):
        more = f"{exact_count(len(found) - len(entries))} more automatic names"
        told = f"{more}; keep typing, or search the list in Explore"
        entries.append(Entry("Feature", told, "", enabled=False))
    return entries
