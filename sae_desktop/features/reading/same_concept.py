"""Whether a feature is one concept in words and in pictures. Free of torch, Qt and HDF5."""

from __future__ import annotations

from typing import Literal

import msgspec

from sae_desktop.features.reading.label_score import Figure

COLUMN = "same_concept"
CONCEPT_COLUMN = "concept"
LOW, BACK, LANGUAGES = f"{COLUMN}_low", f"{COLUMN}_back", f"{COLUMN}_languages"
KIND_COLUMNS = (CONCEPT_COLUMN, COLUMN, LOW, BACK, LANGUAGES)
Lacking = Literal["pictures", "words", "both"]
"""On what a feature never fired, for which reason nothing is known of it."""


class SameConcept(msgspec.Struct, frozen=True, kw_only=True):
    """A concept chosen for a feature on words and tried on pictures, and the other way.

    Figures are areas under ROC curves, of a concept's instances against those of all others.
    """

    concept: str
    """The one it tells best on the words that are chosen on."""
    words: Figure
    """On the other words, which were held out."""
    languages: float | None
    """On words of languages that nothing was chosen on; None: none was measured."""
    pictures: Figure
    chance: float
    """On pictures, the mean over all other concepts in the place of this one."""
    drawn: str
    """The concept it tells best in pictures."""
    drawn_at: float
    """Its area there, which choosing raises."""
    back: Figure
    """On words, of the concept that was chosen on pictures."""
    back_chance: float

    @property
    def lower(self) -> float:
        """The lower of the areas on words and on pictures."""
        return min(self.words.value, self.pictures.value)
