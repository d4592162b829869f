"""Whether each feature is one concept in words and in pictures. Free of torch.

N instances, C concepts, F features, n of them at once. A concept is chosen for a feature on half
of the words and looked up in the other half and in pictures, and the other way round: chosen on
pictures and looked up in all words. Chance is what the same feature gives, on what is looked up,
for another concept in the place of its own: the mean over all of them, which is what pairing
concepts at random without a fixed point comes to.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sae_desktop.benchmark.kinds.areas import concept_areas
from sae_desktop.benchmark.kinds.config import GOOD, ModalRow, ModalScore
from sae_desktop.benchmark.kinds.instances import LANGUAGES, PICTURE
from sae_desktop.benchmark.kinds.material import Material, told_by
from sae_desktop.features.reading.kinds_file import ON_PICTURES, ON_WORDS
from sae_desktop.jobs import JobContext

Array = npt.NDArray[Any]

USUAL = ("en", "de", "fr")
"""Languages in whose words concepts are chosen where nothing else is said."""
_AT_ONCE = 1024
_BEST = 30
_DOING = "Trying features on words and pictures of one concept"


class Parts(NamedTuple):
    """Which instances (N,) bool are used for what."""

    chosen_on: Array
    words: Array
    """All in the languages that are chosen on."""
    held_out: Array
    """Those of them that nothing is chosen on."""
    languages: Array
    """Words in the other languages."""
    pictures: Array


class ModalScores(NamedTuple):
    """What is known of every feature, as `kinds_file` keeps it."""

    chosen_on: list[str]
    arrays: dict[str, Array]
    by_chance: float
    """How many features would be at least GOOD in both, with another concept for pictures."""


def modal_scores(
    material: Material, learn: Sequence[str], features: int, context: JobContext
) -> ModalScores | None:
    """Return the scores of all features (F,); None with fewer than two concepts that have words to
    choose on, others to be held out, and pictures."""
    languages = [kind for kind in learn if kind in LANGUAGES] or list(USUAL)
    parts = _parts(material, languages)
    needed = (parts.chosen_on, parts.held_out, parts.pictures)
    concepts = np.array(
        [c for c in range(len(material.names))
         if all((part & (material.concept_N == c)).any() for part in needed)], np.int64
    )  # fmt: skip
    if len(concepts) < 2:
        return None
    arrays = _empty(features)
    firing, by_chance = material.read.features(), 0.0
    for first in range(0, len(firing), _AT_ONCE):
        context.check_cancelled()
        context.progress(first, len(firing), "features", _DOING)
        some = firing[first : first + _AT_ONCE]
        by_chance += _measure(material, parts, concepts, some, arrays)
    context.progress(len(firing), len(firing), "features", _DOING)
    return ModalScores(languages, arrays, by_chance)


def _parts(material: Material, languages: Sequence[str]) -> Parts:
    words = material.of_kinds(languages)
    return Parts(
        words & material.first_N,
        words,
        words & ~material.first_N,
        material.of_kinds([kind for kind in LANGUAGES if kind not in languages]),
        material.of_kinds([PICTURE]),
    )


def _empty(features: int) -> dict[str, Array]:
    def none(*shape: int) -> Array:
        return np.full((features, *shape), np.nan, np.float32)

    return {
        **{name: np.full(features, -1, np.int32) for name in ("concept", "drawn")},
        **{name: none(3) for name in ("words", "pictures", "back")},
        **{name: none() for name in ("languages", "chance", "drawn_at", "back_chance")},
        "fires": np.zeros(features, np.uint8),
    }


def _measure(
    material: Material, parts: Parts, concepts: Array, some: Array, arrays: dict[str, Array]
) -> float:
    """Put the scores of some features (n,) into the arrays.

    Returns how many of them would be at least GOOD in both by chance.
    """
    scores_Nn = material.read.of(some)
    on_words, on_pictures = (
        scores_Nn[part].any(axis=0) for part in (parts.chosen_on, parts.pictures)
    )
    arrays["fires"][some] = ON_WORDS * on_words + ON_PICTURES * on_pictures
    fires = on_words & on_pictures
    some, scores_Nn = some[fires], scores_Nn[:, fires]
    if not len(some):
        return 0.0

    def areas(part: Array) -> Array:
        found = concept_areas(
            scores_Nn[part], material.concept_N[part], len(material.names), material.thing_N[part]
        )
        return found[concepts]

    every = np.arange(len(some))
    word_Cn, picture_Cn = areas(parts.words), areas(parts.pictures)
    of_words, of_pictures = areas(parts.chosen_on).argmax(axis=0), picture_Cn.argmax(axis=0)
    arrays["concept"][some], arrays["drawn"][some] = concepts[of_words], concepts[of_pictures]
    arrays["drawn_at"][some] = picture_Cn[of_pictures, every]
    arrays["chance"][some] = _of_others(picture_Cn, of_words)
    arrays["back_chance"][some] = _of_others(word_Cn, of_pictures)
    if parts.languages.any():
        arrays["languages"][some] = areas(parts.languages)[of_words, every]
    looked_up = (
        ("words", parts.held_out, of_words),
        ("pictures", parts.pictures, of_words),
        ("back", parts.words, of_pictures),
    )
    for name, part, of in looked_up:
        for place, feature in enumerate(some):
            told = told_by(material, int(concepts[of[place]]), part, scores_Nn[:, place])
            if told is not None:
                arrays[name][feature] = told.separation
    good = np.where(arrays["words"][some, 0] >= GOOD, picture_Cn >= GOOD, False)
    good[of_words, every] = False
    return float(good.sum()) / (len(concepts) - 1)


def _of_others(areas_Cn: Array, own_n: Array) -> Array:
    """Return (n,): the mean of the areas of all concepts but a feature's own."""
    own = areas_Cn[own_n, np.arange(len(own_n))]
    return np.asarray((areas_Cn.sum(axis=0) - own) / (len(areas_Cn) - 1))


def modal_score(found: ModalScores, names: Sequence[str]) -> ModalScore:
    """Return in short how many features are one concept in both, and the best of them."""
    a = found.arrays
    scored = np.flatnonzero(a["concept"] >= 0)
    words, pictures = a["words"][scored, 0], a["pictures"][scored, 0]
    both = np.minimum(words, pictures)
    back = np.minimum(a["drawn_at"][scored], a["back"][scored, 0])
    best = np.argsort(-both, kind="stable")[:_BEST]
    return ModalScore(
        features=len(scored),
        same=int((both >= GOOD).sum()),
        other_way=int((back >= GOOD).sum()),
        by_chance=found.by_chance,
        best=[
            ModalRow(
                feature=int(scored[place]),
                concept=names[a["concept"][scored[place]]],
                text=float(words[place]),
                picture=float(pictures[place]),
            )
            for place in best
        ],
    )
