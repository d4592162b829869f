"""Areas under ROC curves of many scores for many concepts at once. Free of torch.

N instances of C concepts, n scores of each.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from sae_desktop.benchmark.kinds.config import GOOD, ModalRow, ModalScore

Array = npt.NDArray[Any]

_PAIRINGS = 50
_BEST = 30


def concept_areas(
    scores_Nn: Array, concept_N: Array, concepts: int, thing_N: Array | None = None
) -> Array:
    """Return (C, n) float32: the area of each score, of a concept's instances above all others.

    0.5 of a concept that has no instances, or all of them. `thing_N`: what each instance is; one
    that is an instance of several concepts, as a red heart is of red and of love, does not stand
    against any of them.
    """
    from scipy.stats import rankdata

    ranks_Nn = rankdata(scores_Nn, axis=0)
    found = np.full((concepts, scores_Nn.shape[1]), 0.5, np.float32)
    for concept in range(concepts):
        own, of = concept_N == concept, ranks_Nn
        kept = own | ~shared(own, thing_N)
        if not kept.all():
            own, of = own[kept], rankdata(scores_Nn[kept], axis=0)
        on, off = int(own.sum()), int((~own).sum())
        if on and off:
            found[concept] = (of[own].sum(axis=0) - on * (on + 1) / 2) / (on * off)
    return found


def shared(own_N: Array, thing_N: Array | None) -> Array:
    """Return (N,) bool: what is not a concept's own, but the same thing as one that is."""
    if thing_N is None:
        return np.zeros(len(own_N), bool)
    return np.asarray(np.isin(thing_N, thing_N[own_N]) & ~own_N)


def modality(
    text_CF: Array, picture_CF: Array, features_F: Array, names: list[str], seed: int
) -> ModalScore:
    """Return how far features are one concept in text and in pictures.

    `text_CF` and `picture_CF`: their areas, and `features_F` their numbers. For each feature a
    concept is chosen on text and looked up in pictures, and the other way. Chance: the pictures of
    each concept are taken for those of another, in pairings drawn at random without a fixed point.
    """
    every = np.arange(text_CF.shape[1])
    of_text, of_picture = text_CF.argmax(axis=0), picture_CF.argmax(axis=0)

    def same(pictures_CF: Array, concept_F: Array) -> Array:
        both = np.minimum(text_CF[concept_F, every], pictures_CF[concept_F, every])
        return np.asarray(both >= GOOD)

    rng = np.random.default_rng(seed)
    chance = [same(picture_CF[_paired_otherwise(len(names), rng)], of_text).sum()
              for _ in range(_PAIRINGS if len(names) > 1 else 0)]  # fmt: skip
    both_F = np.minimum(text_CF[of_text, every], picture_CF[of_text, every])
    best = np.argsort(-both_F, kind="stable")[:_BEST]
    return ModalScore(
        features=len(features_F),
        same=int(same(picture_CF, of_text).sum()),
        other_way=int(same(picture_CF, of_picture).sum()),
        by_chance=float(np.mean(chance)) if chance else 0.0,
        best=[
            ModalRow(
                feature=int(features_F[place]),
                concept=names[of_text[place]],
                text=float(text_CF[of_text[place], place]),
                picture=float(picture_CF[of_text[place], place]),
            )
            for place in best
        ],
    )


def _paired_otherwise(count: int, rng: np.random.Generator) -> Array:
    """Return a permutation that leaves nothing where it is."""
    turned = rng.permutation(count)
    found = np.empty(count, np.int64)
    found[turned] = np.roll(turned, 1)  # one cycle through all
    return found
