"""(c) Trait directions: the difference of means of a labelled set, and how it drifts.

Beside it a linear probe (logistic regression), whose direction turns in the first steps of a
fine-tune even where it still separates. n texts of a set, N ordinary texts, D width.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from sae_desktop.language_model.load import LanguageModel
from sae_desktop.language_model.sites.capture import capture_sites
from sae_desktop.language_model.sites.resolve import Site, site_width
from sae_desktop.safety.change.chance import sign_flip_p
from sae_desktop.safety.change.change_file import TraitFigures
from sae_desktop.safety.change.reading import BATCH
from sae_desktop.safety.concept_set import ConceptSet
from sae_desktop.steering.generate import PaddedTokens

Array = npt.NDArray[Any]
_PENALTY = 0.1
"""C of the probe: few texts for many dimensions."""
_RANDOM = 200
_RESAMPLES = 50
_TINY = 1e-12


@dataclass(frozen=True)
class TraitRows:
    """What a checkpoint makes of a set's texts, each the mean over its tokens."""

    name: str
    x_nD: Array
    positive: Array
    """(n,) bool."""
    held_out: Array
    """(n,) bool: scored on, never learnt from."""


@dataclass(frozen=True)
class Trait:
    """A trait's directions on one checkpoint, both of length one."""

    rows: TraitRows
    direction_D: Array
    separation: float
    """Distance of the two means along the direction."""
    probe_D: Array


def read_trait(lm: LanguageModel, site: Site, found: ConceptSet, context_size: int) -> Trait:
    """Return a set's directions on a checkpoint. Texts are read up to `context_size` tokens."""
    prefix, _ = lm.window_tokens
    kept, read = [], []
    for place in found.part(other=False):
        ids = lm.encode(found.texts[place].text)[: context_size - len(prefix)]
        if ids:
            kept.append(found.texts[place])
            read.append([*prefix, *ids])
    x_nD = np.zeros((len(read), site_width(lm.model, site)))
    order = sorted(range(len(read)), key=lambda place: len(read[place]))
    for begin in range(0, len(order), BATCH):
        some = order[begin : begin + BATCH]
        batch = PaddedTokens.whole([read[place] for place in some])
        x_BSD = capture_sites(lm, batch.ids_BS, None, [site])[site].cpu()
        for row, place in enumerate(some):
            x_nD[place] = x_BSD[row, len(prefix) : len(read[place])].mean(dim=0).numpy()
    told = TraitRows(
        found.name,
        x_nD,
        np.array([text.positive for text in kept]),
        np.array([text.held_out for text in kept]),
    )
    return trait_of(told)


def trait_of(rows: TraitRows) -> Trait:
    """Return the directions that the texts learnt from give."""
    learnt = ~rows.held_out
    x, y = rows.x_nD[learnt], rows.positive[learnt]
    mean_D = x[y].mean(axis=0) - x[~y].mean(axis=0)
    length = float(np.linalg.norm(mean_D))
    return Trait(rows, mean_D / max(length, _TINY), length, _probe(x, y))


def _probe(x_nD: Array, y_n: Array) -> Array:
    """Return the direction of a logistic regression, in the space of raw activations."""
    scale = float(x_nD.std()) or 1.0
    fit = LogisticRegression(C=_PENALTY, class_weight="balanced", max_iter=500)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        fit.fit((x_nD - x_nD.mean(axis=0)) / scale, y_n)
    found = np.asarray(fit.coef_[0], np.float64)
    return found / max(float(np.linalg.norm(found)), _TINY)


def angle(one_D: Array, other_D: Array) -> float:
    """Return the angle between two directions of length one, in degrees."""
    return float(np.degrees(np.arccos(np.clip(one_D @ other_D, -1.0, 1.0))))


def auroc(trait: Trait, direction_D: Array) -> float:
    """Return how well a direction separates the held-out texts of a checkpoint."""
    kept = trait.rows.held_out
    return float(roc_auc_score(trait.rows.positive[kept], trait.rows.x_nD[kept] @ direction_D))


def chance_angle(trait: Trait, seed: int) -> float:
    """Return the angle between directions of two draws of the texts learnt from, the median."""
    generator = np.random.default_rng(seed)
    learnt = ~trait.rows.held_out
    x, y = trait.rows.x_nD[learnt], trait.rows.positive[learnt]

    def drawn() -> Array:
        means = [
            side[generator.integers(0, len(side), len(side))].mean(axis=0) for side in (x[y], x[~y])
        ]
        found = means[0] - means[1]
        return np.asarray(found / max(float(np.linalg.norm(found)), _TINY))

    return float(np.median([angle(drawn(), drawn()) for _ in range(_RESAMPLES)]))


def figures(first: Trait, own: Trait, moved_ND: Array, seed: int) -> TraitFigures:
    """Return what became of a trait; moved (N, D): mean change of each ordinary text."""
    shift_N = moved_ND @ first.direction_D / max(first.separation, _TINY)
    random = np.random.default_rng(seed).standard_normal((_RANDOM, moved_ND.shape[1]))
    random /= np.linalg.norm(random, axis=1, keepdims=True)
    by_chance = np.abs(moved_ND.mean(axis=0) @ random.T) / max(first.separation, _TINY)
    return TraitFigures(
        trait=first.rows.name,
        angle=angle(first.direction_D, own.direction_D),
        angle_by_chance=chance_angle(first, seed),
        projection=float(shift_N.mean()),
        projection_p=sign_flip_p(shift_N[:, None], seed),
        projection_random=float(np.quantile(by_chance, 0.95)),
        auroc_first=auroc(own, first.direction_D),
        auroc_own=auroc(own, own.direction_D),
        probe_angle=angle(first.probe_D, own.probe_D),
        probe_auroc_first=auroc(own, first.probe_D),
        probe_auroc_own=auroc(own, own.probe_D),
    )
