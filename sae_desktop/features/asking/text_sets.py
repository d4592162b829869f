"""The job `find_features`: features active on all texts of A and on none of B.

N texts, F features, I width of what the dictionary reads. Scaling Monosemanticity looked for
features of a concept with prompt sets in this way, and with linear classifiers on the features.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from sae_desktop.corpus.alike import groups_of_texts
from sae_desktop.errors import UserError
from sae_desktop.features.asking.opened import OpenedIndex, open_index
from sae_desktop.features.asking.probe import MOST_TOKENS, activations_of_ids, own_ids
from sae_desktop.features.asking.text_classifier import (
    FEWEST,
    PooledText,
    compared,
    groups_a_side,
)
from sae_desktop.features.asking.text_set_config import (
    FindFeaturesConfig,
    FindFeaturesResult,
    FoundFeature,
)
from sae_desktop.jobs import JobContext
from sae_desktop.language_model.text.token_text import token_text

Array = npt.NDArray[Any]

_ROWS = 512  # encoded at once: rows × features is the memory it takes


def find_features(config: FindFeaturesConfig, context: JobContext) -> FindFeaturesResult:
    """Return features by their margin, the largest first.

    With m the feature's maximum over the index's text and a_t its largest activation on text t,
    it is active on t where a_t > threshold · m. A feature is found that is active on all texts
    of A but `missed`, and on none of B; its margin is (the smallest a_t of A, the `missed`
    smallest left aside − the largest a_t of B) / m. Raises UserError for empty sets, a text in
    both, and one without a token or of too many.
    """
    on, off = _checked(config)
    opened = open_index(config.project, config.index, config.device)
    pooled: list[PooledText] = []
    for number, text in enumerate([*on, *off]):
        context.check_cancelled()
        context.progress(number, len(on) + len(off), "texts", "Reading the texts")
        pooled.append(_pooled(opened, text, number))
    context.progress(len(pooled), len(pooled), "texts", "Reading the texts")
    maxima = opened.index.columns["max_activation"]
    of_on, of_off = pooled[: len(on)], pooled[len(on) :]
    found = separating(of_on, of_off, maxima, config.threshold, config.missed)
    features, margins = found
    names = opened.lm.token_bytes()
    shown = features[: config.count]
    result = FindFeaturesResult(
        found=[
            FoundFeature(
                feature=int(feature),
                margin=float(margin),
                on=[_at(text, int(feature)) for text in of_on],
                off=[_at(text, int(feature)) for text in of_off],
                tokens=[_token(text, int(feature), names) for text in of_on],
            )
            for feature, margin in zip(shown, margins, strict=False)
        ],
        total=len(features),
    )
    if not config.classify:
        return result
    context.progress(0, 1, "classifiers", "Training classifiers")
    groups = groups_of_texts([*on, *off])
    classifiers, weights = compared(of_on, of_off, maxima, groups, config, context)
    context.progress(1, 1, "classifiers", "Training classifiers")
    return FindFeaturesResult(
        found=result.found, total=result.total, classifiers=classifiers, weights=weights,
        warning=_warning(groups, len(on), bool(classifiers)),
    )  # fmt: skip


def _warning(groups: Array, on: int, scored: bool) -> str:
    """Return what speaks against the held-out scores: few texts, or few that differ."""
    sides = groups_a_side(groups, on)
    lines = []
    if (alike := len(groups) - len(np.unique(groups))) > 0:
        lines.append(
            f"{alike:,} of {len(groups):,} texts are equal or nearly equal to another; such texts "
            f"are held out together. A has {sides[0]:,} different texts, B {sides[1]:,}."
        )
    if not scored:
        lines.append(
            "No classifier was trained: at least two different texts are needed on each side, "
            "some to learn from and others to be scored on. Add texts that differ."
        )
    elif min(sides) < FEWEST:
        lines.append(
            f"With fewer than {FEWEST} different texts on each side, the scores are little better "
            "than chance."
        )
    return " ".join(lines)


def _checked(config: FindFeaturesConfig) -> tuple[list[str], list[str]]:
    on = [text for text in config.on if text.strip()]
    off = [text for text in config.off if text.strip()]
    for name, texts in (("A", on), ("B", off)):
        if not texts:
            raise UserError(
                f"There is no text in {name}.", next_step="Enter at least one, one per line."
            )
    both = {text.strip() for text in on} & {text.strip() for text in off}
    if both:
        shown = min(both)[:60]
        raise UserError(f"“{shown}” is in both A and B.", next_step="Remove it from one of them.")
    if not 0 <= config.missed < len(on):
        raise UserError(
            f"Of {len(on)} texts in A, {config.missed} cannot lack the feature.",
            next_step=f"Enter 0 to {len(on) - 1}.",
        )
    if not 0.0 <= config.threshold < 1.0:
        raise UserError(
            f"A threshold of {config.threshold:g} is not a share of the maximum.",
            next_step="Enter 0 or more, but less than 1.",
        )
    return on, off


def _pooled(opened: OpenedIndex, text: str, number: int) -> PooledText:
    ids = own_ids(opened, text)
    if not ids or len(ids) > MOST_TOKENS:
        raise UserError(
            f"Text {number + 1} has {len(ids):,} tokens; 1 to {MOST_TOKENS:,} can be read.",
            next_step="Leave it out or shorten it.",
        )
    best = torch.zeros(opened.dictionary.features, device=opened.dictionary.device)
    token = torch.zeros(len(best), dtype=torch.int64, device=best.device)
    total = torch.zeros(opened.dictionary.width, dtype=torch.float64)
    for first, x_TD in activations_of_ids(opened, ids):
        total += x_TD.double().sum(dim=0).cpu()
        for row in range(0, len(x_TD), _ROWS):
            acts_TF = opened.dictionary.encode(x_TD[row : row + _ROWS])
            largest = acts_TF.max(dim=0)
            higher = largest.values > best
            best = torch.where(higher, largest.values, best)
            token = torch.where(higher, largest.indices + first + row, token)
    features = torch.nonzero(best)[:, 0].cpu()
    places = token[features.to(token.device)].cpu().numpy()
    return PooledText(
        features.numpy(),
        best[features.to(best.device)].float().cpu().numpy(),
        np.asarray(ids, dtype=np.int32)[places],
        (total / len(ids)).float().numpy(),
    )


def separating(
    on: list[PooledText], off: list[PooledText], maxima: Array, threshold: float, missed: int
) -> tuple[Array, Array]:
    """Return (features, margins) of those that are found, the largest margin first."""
    counts = np.zeros(len(maxima), dtype=np.int64)
    for text in on:
        counts[text.features[text.maxima > threshold * maxima[text.features]]] += 1
    kept = (counts >= len(on) - missed) & (maxima > 0)
    for text in off:
        kept[text.features[text.maxima > threshold * maxima[text.features]]] = False
    features = np.flatnonzero(kept)
    of_on = np.sort(_table(on, features), axis=0)
    of_off = _table(off, features)
    margins = (of_on[missed] - of_off.max(axis=0)) / maxima[features]
    order = np.argsort(-margins, kind="stable")
    return features[order], margins[order]


def _table(texts: list[PooledText], features: Array) -> Array:
    """Return (N, n) float32, the largest activation of some features on each text."""
    table = np.zeros((len(texts), len(features)), dtype=np.float32)
    for number, text in enumerate(texts):
        place = np.searchsorted(text.features, features)
        there = place < len(text.features)
        there[there] = text.features[place[there]] == features[there]
        table[number, there] = text.maxima[place[there]]
    return table


def _at(text: PooledText, feature: int) -> float:
    return float(_table([text], np.array([feature]))[0, 0])


def _token(text: PooledText, feature: int, names: list[bytes]) -> str:
    place = int(np.searchsorted(text.features, feature))
    if place == len(text.features) or text.features[place] != feature:
        return ""
    return token_text(names[int(text.tokens[place])])
