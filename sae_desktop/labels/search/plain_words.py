"""Features found by the words of a question, and how two rankings become one. Free of torch."""

from __future__ import annotations

import math
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
_COMMON = 0.05


def words_of(text: str) -> list[str]:
    """Return the words of a question that are searched one by one."""
    found = dict.fromkeys(word.casefold() for word in _WORD.findall(text))
    return [word for word in found if len(word) >= _LEAST_LETTERS][:_MOST_WORDS]


def found_by_words(project: Project, index: FeatureIndex, text: str) -> list[FoundMeaning]:
    """Return the features that have the words of `text`, each once, the best first.

    A word is had by a label, a note, an automatic name, or a token that the feature fires on; a
    rare one counts more (the logarithm of the features per feature that has it), and one that more
    than a twentieth of all have counts nothing. What has none comes last, where its contexts have
    the text as it stands: by the share of them that do.
    """
    weights: dict[int, float] = {}
    hits: dict[int, FoundMeaning] = {}
    words = words_of(text)
    for word, own in zip(words, _having(project, index, words), strict=True):
        if not own or len(own) > _COMMON * index.features:
            continue
        weight = math.log(index.features / len(own)) if len(own) < index.features else 1.0
        for feature, where in own.items():
            weights[feature] = weights.get(feature, 0.0) + weight
            hits.setdefault(
                feature, FoundMeaning(feature=feature, found_by="words", text=where or word)
            )
    found = [hits[feature] for feature in sorted(hits, key=lambda f: (-weights[f], f))]
    of_contexts, shares, slots = contexts_with_text(index, text.strip())
    for place in np.argsort(-shares, kind="stable"):
        feature = int(of_contexts[place])
        if feature not in hits:
            found.append(FoundMeaning(feature=feature, found_by="words", slot=int(slots[place])))
    return found


def _having(project: Project, index: FeatureIndex, words: Sequence[str]) -> list[dict[int, str]]:
    """Return for each word the features that have it, and the text they have it in: a label or
    note, or a name; empty where it is a token."""
    found: list[dict[int, str]] = [
        dict.fromkeys(features_firing_on(index, word).tolist(), "") for word in words
    ]
    for feature, name in enumerate(index.short_names() if words else ()):
        there = set(_WORD.findall(name.casefold()))
        for own, word in zip(found, words, strict=True):
            if word in there:
                own[feature] = name
    if project.notes_path.is_file():
        with closing(Notes(project.notes_path)) as notes:
            dictionary = index.info.dictionary
            for own, word in zip(found, words, strict=True):
                features = [int(f) for f in notes.search(dictionary, word) if f < index.features]
                written = notes.notes(dictionary, features)
                own |= {f: written[f].label or written[f].note for f in features}
    return found


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
