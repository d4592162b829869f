"""Features found by the words of a question, and how two rankings become one. Free of torch."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import closing
from typing import Any

import numpy as np
import numpy.typing as npt

from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.features.reading.search import features_firing_on
from sae_desktop.features.reading.text_hits import contexts_with_text
from sae_desktop.labels.search.config import FoundMeaning
from sae_desktop.project import Project
from sae_desktop.project_notes import Notes

Array = npt.NDArray[Any]

RANK = 60
"""Of reciprocal rank fusion (Cormack et al. 2009): what is far down one ranking counts little."""
_WORD = re.compile(r"\w+")
_MOST_WORDS = 12
_LEAST_LETTERS = 3


def words_of(text: str) -> list[str]:
    """Return the words of a question that are searched one by one."""
    found = dict.fromkeys(word.casefold() for word in _WORD.findall(text))
    return [word for word in found if len(word) >= _LEAST_LETTERS][:_MOST_WORDS]


def found_by_words(project: Project, index: FeatureIndex, text: str) -> list[FoundMeaning]:
    """Return the features that have the words of `text`, each once, the best first.

    Those whose label or note has all of them; whose automatic name has all; that fire on one of
    them; and one of whose contexts has the text as it stands, by the share of contexts that do.
    """
    found: dict[int, FoundMeaning] = {}
    words = words_of(text)
    if project.notes_path.is_file():
        with closing(Notes(project.notes_path)) as notes:
            dictionary = index.info.dictionary
            features = [int(f) for f in notes.search(dictionary, text) if f < index.features]
            written = notes.notes(dictionary, features)
            for feature in features:
                note = written[feature]
                _add(found, feature, note.label or note.note)
    for feature, name in enumerate(index.short_names() if words else ()):
        folded = name.casefold()
        if all(word in folded for word in words):
            _add(found, feature, name)
    for word in words:
        for feature in features_firing_on(index, word).tolist():
            _add(found, feature, word)
    of_contexts, shares, slots = contexts_with_text(index, text.strip())
    for place in np.argsort(-shares, kind="stable"):
        feature = int(of_contexts[place])
        if feature not in found:
            found[feature] = FoundMeaning(feature=feature, found_by="words", slot=int(slots[place]))
    return list(found.values())


def _add(found: dict[int, FoundMeaning], feature: int, text: str) -> None:
    if feature not in found:
        found[feature] = FoundMeaning(feature=feature, found_by="words", text=text)


def fused(meaning: Sequence[FoundMeaning], words: Sequence[FoundMeaning]) -> list[FoundMeaning]:
    """Return both rankings as one: each gives a feature 1 / (RANK + its place)."""
    scores: dict[int, float] = {}
    hits: dict[int, FoundMeaning] = {}
    for ranking in (meaning, words):
        for place, hit in enumerate(ranking, start=1):
            scores[hit.feature] = scores.get(hit.feature, 0.0) + 1.0 / (RANK + place)
            hits.setdefault(hit.feature, hit)
    order = sorted(scores, key=lambda feature: (-scores[feature], feature))
    return [hits[feature] for feature in order]
