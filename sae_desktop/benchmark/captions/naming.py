"""Whether a caption names a concept. Free of torch."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from sae_desktop.benchmark.kinds.instances import LANGUAGES, Named
from sae_desktop.errors import UserError

_BEFORE = {
    "en": ("a", "an", "the", "some"),
    "de": ("ein", "eine", "einen", "der", "die", "das"),
    "fr": ("un", "une", "le", "la", "les", "l’", "du", "de", "des", "en", "au", "aux"),
    "es": ("un", "una", "unos", "unas", "el", "la", "los", "las"),
    "ru": (),
}
"""Words that may stand before the concept's in its forms, and are no part of it."""
_SYNONYMS_IN = "en"


def spoken_words(concept: Named, language: str) -> list[str]:
    """Return by which words a caption names a concept: its forms, and in English its synonyms.

    Case-folded, without articles. Raises UserError for a language in which it has no word.
    """
    forms = getattr(concept.told, language) if language in LANGUAGES else {}
    if not forms:
        raise UserError(
            f"The concept “{concept.name}” has no word in the language “{language}”.",
            kept="Nothing was measured.",
            next_step=f"Choose the language of the captions: {', '.join(LANGUAGES)}.",
        )
    found = [*forms.values(), *(concept.told.synonyms if language == _SYNONYMS_IN else ())]
    return list(dict.fromkeys(_without_article(_folded(word), language) for word in found))


def plain_word(concept: Named, language: str) -> str:
    """Return the form `a` of a concept's word, or the first there is."""
    forms: dict[str, str] = getattr(concept.told, language)
    return forms.get("a") or next(iter(forms.values()))


def names(caption: str, words: Sequence[str]) -> bool:
    """Return whether one of some case-folded words stands in a caption as a whole word."""
    return named_at(caption, words, 0, len(caption))


def named_at(text: str, words: Sequence[str], first: int, last: int) -> bool:
    """Return whether such a word touches the characters from `first` to before `last`."""
    parts = (_folded(text[:first]), _folded(text[first:last]), _folded(text[last:]))
    folded, begin, end = "".join(parts), len(parts[0]), len(parts[0]) + len(parts[1])
    return any(
        found.start() < end and found.end() > begin
        for word in words
        for found in re.finditer(rf"(?<!\w){re.escape(word)}(?!\w)", folded)
    )


def _folded(text: str) -> str:
    return unicodedata.normalize("NFC", text.casefold().replace("'", "’"))


def _without_article(word: str, language: str) -> str:
    for before in sorted(_BEFORE[language], key=len, reverse=True):
        start = before if before.endswith("’") else f"{before} "
        if word.startswith(start) and len(word) > len(start):
            return _without_article(word.removeprefix(start), language)
    return word
