"""What is said of a concept set. Free of Qt and torch."""

from __future__ import annotations

from collections.abc import Sequence

from sae_desktop.language_names import language_name
from sae_desktop.safety.concept_set import ConceptSet
from sae_desktop.words.amounts import exact_count

HELD_OUT = (
    "Held out means: a scan never learns from these templates, it is only scored on them. So are "
    "all texts in other languages."
)


def counts_text(found: ConceptSet) -> str:
    """Return how many texts and templates of each side there are to learn from and held out."""
    parts = []
    for positive, side in ((True, "positives"), (False, "near misses")):
        learnt, kept = (
            found.part(positive=positive, held_out=held_out, other=False)
            for held_out in (False, True)
        )
        parts.append(
            f"{exact_count(len(learnt) + len(kept))} {side} from {_templates(found, learnt)} to "
            f"learn from and {_templates(found, kept)} held out"
        )
    return "; ".join(parts)


def languages_text(found: ConceptSet) -> str:
    """Return the set's language, and those in which it is only looked at."""
    others = ", ".join(map(language_name, found.other_languages))
    own = language_name(found.language)
    return f"{own}; also {others}, never learnt from" if others else own


def checked_text(found: ConceptSet, warnings: Sequence[str] | None = None) -> str:
    """Return what a set holds, and what speaks against figures of it."""
    warned = found.warnings() if warnings is None else list(warnings)
    return "\n".join([f"{counts_text(found)}. {languages_text(found)}.", *warned])


def _templates(found: ConceptSet, places: Sequence[int]) -> str:
    count = len({found.texts[place].template for place in places})
    return "1 template" if count == 1 else f"{exact_count(count)} templates"
