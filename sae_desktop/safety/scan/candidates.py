"""Which features might tell a set’s texts apart, by the templates that are learnt from alone.

Four ways propose some each: the area under the ROC curve, the search of text sets (active on
nearly all positives and on no near miss), the weights of the sparse classifier, and attribution
to the model’s own answer. N texts, F features.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from sae_desktop.errors import UserError
from sae_desktop.features.asking.attribution import attributions, check_attributable, logit_gradient
from sae_desktop.features.asking.opened import OpenedIndex
from sae_desktop.features.asking.text_classifier import PooledText
from sae_desktop.features.asking.text_set_config import THRESHOLD
from sae_desktop.features.asking.text_sets import separating
from sae_desktop.jobs import JobContext
from sae_desktop.safety.scan.reading import columns_of, values_of
from sae_desktop.safety.scan.separation import areas

Array = npt.NDArray[Any]

SEPARATION, SEARCH = "separation", "set search"
CLASSIFIER, ATTRIBUTION = "classifier", "attribution"
_MISSED = 0.1
"""Share of the positives on which the set search lets a feature be silent."""
_AT_ONCE = 4096


def learnt_areas(texts: Sequence[PooledText], positive_N: Array, features: int) -> Array:
    """Return (F,) float32: the area of each feature; 0.5 of those that fire on no text."""
    found = np.full(features, 0.5, np.float32)
    fired = np.unique(np.concatenate([text.features for text in texts]))
    for first in range(0, len(fired), _AT_ONCE):
        chosen = fired[first : first + _AT_ONCE]
        found[chosen] = areas(columns_of(texts, chosen), positive_N)
    return found


def searched(on: list[PooledText], off: list[PooledText], maxima_F: Array) -> Array:
    """Return the features of the set search, the widest margin first."""
    return separating(on, off, maxima_F, THRESHOLD, int(_MISSED * len(on)))[0]


def weighted(weights_F: Array) -> Array:
    """Return the features that speak for the positives in a sparse classifier, the most first."""
    order = np.argsort(-weights_F, kind="stable")
    return order[weights_F[order] > 0]


def attributed(
    opened: OpenedIndex,
    on: Sequence[list[int]],
    off: Sequence[list[int]],
    context: JobContext,
) -> Array:
    """Return the features by what they add to the model’s likeliest next token after a text.

    Those of which it is more on the positives than on the near misses, the most first. None
    where the model predicts no next token.
    """
    try:
        check_attributable(opened)
    except UserError:
        return np.empty(0, np.int64)
    sums_F = np.zeros(opened.dictionary.features)
    for texts, sign in ((on, 1.0), (off, -1.0)):
        for ids in texts:
            context.check_cancelled()
            sums_F += sign * _attributed(opened, ids) / len(texts)
    order = np.argsort(-sums_F, kind="stable")
    return order[sums_F[order] > 0]


def _attributed(opened: OpenedIndex, ids: list[int]) -> Array:
    gradient_TO, _ = logit_gradient(opened, ids, len(ids) - 1, None, "second")
    x_TI = values_of(opened, [ids])[0]
    effects_TF = attributions(opened.dictionary.encode(x_TI), gradient_TO, opened.dictionary, x_TI)
    return np.asarray(effects_TF.sum(dim=0).cpu().double().numpy())


def proposed(ways: dict[str, Array], count: int) -> dict[int, list[str]]:
    """Return feature → the ways that propose it, `count` features of each."""
    found: dict[int, list[str]] = {}
    for way, features in ways.items():
        for feature in features[:count].tolist():
            found.setdefault(feature, []).append(way)
    return found
