"""Whether what a feature fires on most of all names the concept it was chosen for. Free of torch.

An area says that a feature tells a concept from the others that are tried, and a feature of a piece
of its name does so, too: of the letters “an”, for Canada among thirty.
"""

from __future__ import annotations

from collections.abc import Sequence

from sae_desktop.benchmark.captions.naming import named_at, spoken_words
from sae_desktop.benchmark.kinds.config import Strongest
from sae_desktop.benchmark.kinds.instances import LANGUAGES, Named
from sae_desktop.features.reading.facts import Context
from sae_desktop.features.reading.reader import FeatureIndex

TEXTS = 6
"""The strongest texts that are looked at."""
BEFORE = 8
"""Tokens before the strongest one in which the word may stand: a feature may fire after it."""


def strongest(index: FeatureIndex, feature: int, concept: Named) -> Strongest:
    """Count in how many of the strongest texts of an index the concept is named.

    Its word in any of its languages, which has to touch the token that is strongest or one of the
    few before it.
    """
    words = [
        word
        for language in LANGUAGES
        if getattr(concept.told, language)
        for word in spoken_words(concept, language)
    ]
    contexts = (
        index.context(feature, int(slot), BEFORE * 2, BEFORE)
        for slot in index.strongest_slots(feature)
    )
    texts = [one for one in contexts if one.picture is None][:TEXTS]
    return Strongest(named=sum(_names(one, words) for one in texts), texts=len(texts))


def _names(context: Context, words: Sequence[str]) -> bool:
    ends = [0]
    for token in context.tokens:
        ends.append(ends[-1] + len(token))
    first, last = ends[max(context.peak - BEFORE, 0)], ends[context.peak + 1]
    return named_at("".join(context.tokens), words, first, last)
