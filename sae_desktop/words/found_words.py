"""What is said of a feature that a search found: by what, and how near. Free of Qt and torch."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sae_desktop.words.amounts import figure_text
from sae_desktop.words.feature_words import WIDE, FeatureWords, feature_words
from sae_desktop.words.running_text import shown_token

if TYPE_CHECKING:  # it brings h5py
    from sae_desktop.features.reading.reader import FeatureIndex
    from sae_desktop.labels.search.config import FoundMeaning

_FOUND_BY = {
    "label": "by its label",
    "name": "by its automatic name",
    "contexts": "by its contexts",
    "words": "by words",
}


def found_text(index: FeatureIndex, hit: FoundMeaning, room: int = WIDE) -> str:
    """Return what was found of a feature: its label, or a context with its token in brackets."""
    if hit.text or hit.slot < 0:
        return shown_token(hit.text)
    return feature_words(index, hit.feature, hit.slot).context(room)


def found_in(index: FeatureIndex, hit: FoundMeaning) -> FeatureWords | None:
    """Return the context by which a feature was found, in the place of other words.

    None: it was found by what stands there anyway.
    """
    if hit.slot < 0:
        return None
    words = feature_words(index, hit.feature, hit.slot)
    return replace(words, name="", tokens=(), score=None)


def found_how(hit: FoundMeaning) -> str:
    """Return by what a feature was found, such as “by its contexts, cosine 0.52”."""
    how = _FOUND_BY[hit.found_by]
    return how if hit.cosine is None else f"{how}, cosine {figure_text(hit.cosine, 2)}"


def nearness(hit: FoundMeaning) -> str:
    """Return how near a feature is to what was asked, as it stands small beside its name."""
    return "by words" if hit.cosine is None else f"near {figure_text(hit.cosine, 2)}"
