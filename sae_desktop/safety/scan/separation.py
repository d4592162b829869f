"""How well numbers tell positives from negatives, where texts come in templates. Free of torch.

N texts, n scores that are judged side by side, T templates. Texts of one template are alike, so
they are no independent observations. The interval of an area counts them as fewer: by the design
effect of each side, estimated from its placements (Obuchowski 1997; a placement is the share of
the other side that a text beats), with Student's t on 2·(templates a side − 1) degrees of freedom,
put into the score interval of `features/asking/auroc.py`. The p-value is that of exchanged
templates: whole templates change sides, never single texts. `tests/benchmarks/score_coverage.py`
draws such texts and counts.
"""

from __future__ import annotations

import math
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sae_desktop.features.asking import auroc

Array = npt.NDArray[Any]

_MOST_EXCHANGES = 10_000
_TINY = 1e-9


class Separation(NamedTuple):
    """The area under the ROC curve of one score, of positives above negatives."""

    area: float
    low: float
    high: float
    """Ends of the 95% interval, for other templates of the two kinds."""


def areas(scores_Nn: Array, positive_N: Array) -> Array:
    """Return the area (n,) of each score; 0.5 where one side is empty."""
    from scipy.stats import rankdata

    on = int(positive_N.sum())
    off = len(positive_N) - on
    if not on or not off:
        return np.full(scores_Nn.shape[1], 0.5)
    ranks_Nn = rankdata(scores_Nn, axis=0)
    return np.asarray((ranks_Nn[positive_N].sum(axis=0) - on * (on + 1) / 2) / (on * off))


def separation(scores_N: Array, positive_N: Array, template_N: Array) -> Separation:
    """Return the area of one score with its interval; without texts on a side (.5, 0, 1)."""
    on, off = scores_N[positive_N], scores_N[~positive_N]
    if not len(on) or not len(off):
        return Separation(0.5, 0.0, 1.0)
    beats = (on[:, None] > off[None]) + 0.5 * (on[:, None] == off[None])
    area = float(beats.mean())
    sides = [
        (beats.mean(axis=1), template_N[positive_N]),
        (beats.mean(axis=0), template_N[~positive_N]),
    ]
    texts = [_effective(placements, templates) for placements, templates in sides]
    freedom = sum(len(np.unique(templates)) - 1 for _, templates in sides)
    low, high = auroc.interval(area, [(texts[0], texts[1])], max(freedom, 1))
    return Separation(area, low, high)


def _effective(placements: Array, templates: Array) -> float:
    """Return how many independent texts those of one side are worth."""
    names, place = np.unique(templates, return_inverse=True)
    counts = np.bincount(place)
    count = len(placements)
    if len(names) == count:
        return float(count)
    if len(names) == 1 or float(np.ptp(placements)) < _TINY:
        return float(len(names))  # nothing is known of how alike they are
    means = np.bincount(place, weights=placements) / counts
    between = float((counts * (means - placements.mean()) ** 2).sum()) / (len(names) - 1)
    within = float(((placements - means[place]) ** 2).sum()) / (count - len(names))
    usual = (count - (counts**2).sum() / count) / (len(names) - 1)
    spread = between + (usual - 1) * within
    alike = (between - within) / spread if spread > 0 else 1.0
    size = float((counts**2).sum()) / count
    return count / (1 + (size - 1) * min(max(alike, 0.0), 1.0))


def exchange_p(scores_Nn: Array, positive_N: Array, template_N: Array, seed: int) -> Array:
    """Return the one-sided p-value (n,) of each score: positives rank no higher than negatives.

    The share of assignments of templates to sides, as many to each as there are, in which the
    difference of mean ranks is at least the one found: of all, or where there are very many of
    10,000 drawn and the one found. 1 where a side is empty.
    """
    from scipy.stats import rankdata

    names, place = np.unique(template_N, return_inverse=True)
    on_T = np.zeros(len(names), bool)
    on_T[place[positive_N]] = True
    if not on_T.any() or on_T.all():
        return np.ones(scores_Nn.shape[1])
    ranks_Nn = rankdata(scores_Nn, axis=0)
    sums_Tn = np.zeros((len(names), scores_Nn.shape[1]))
    np.add.at(sums_Tn, place, ranks_Nn)
    exchanged_ET = _assignments(len(names), int(on_T.sum()), seed)
    counts_T = np.bincount(place)
    found = _difference(on_T[None].astype(float), sums_Tn, counts_T)
    others = _difference(exchanged_ET.astype(float), sums_Tn, counts_T)
    more = (others >= found - _TINY).sum(axis=0)
    if math.comb(len(names), int(on_T.sum())) > _MOST_EXCHANGES:
        return np.asarray((more + 1) / (len(exchanged_ET) + 1))
    return np.asarray(more / len(exchanged_ET))


def _difference(assigned_ET: Array, sums_Tn: Array, counts_T: Array) -> Array:
    """Return (E, n): the mean rank of those assigned less the mean rank of the others."""
    of_on = (assigned_ET @ sums_Tn) / (assigned_ET @ counts_T)[:, None]
    return np.asarray(
        of_on - ((1 - assigned_ET) @ sums_Tn) / ((1 - assigned_ET) @ counts_T)[:, None]
    )


def _assignments(templates: int, on: int, seed: int) -> Array:
    """Return (E, T) bool: which templates are taken for positive."""
    if math.comb(templates, on) <= _MOST_EXCHANGES:
        chosen = np.array(list(combinations(range(templates), on)))
    else:
        rng = np.random.default_rng(seed)
        chosen = np.argsort(rng.random((_MOST_EXCHANGES, templates)), axis=1)[:, :on]
    found = np.zeros((len(chosen), templates), bool)
    np.put_along_axis(found, chosen, True, axis=1)
    return found


def false_discovery(p: Array) -> Array:
    """Return the adjusted p-values (n,) of Benjamini and Hochberg (1995)."""
    from scipy.stats import false_discovery_control

    return np.asarray(false_discovery_control(p)) if len(p) else np.asarray(p, float)


def difference_interval(
    one_N: Array, other_N: Array, positive_N: Array, template_N: Array
) -> tuple[float, float]:
    """Return the 95% interval of the area of one score less that of another, on the same texts.

    By DeLong's variance with whole templates in the place of texts (Obuchowski 1997), and
    Student's t on 2·(templates a side − 1) degrees of freedom: it is for other templates.
    """
    from scipy.stats import t

    beats = [
        (on[:, None] > off[None]) + 0.5 * (on[:, None] == off[None])
        for on, off in ((x[positive_N], x[~positive_N]) for x in (one_N, other_N))
    ]
    more = beats[0] - beats[1]
    variance, freedom = 0.0, 0
    for axis, side in ((1, positive_N), (0, ~positive_N)):
        placements = more.mean(axis=axis)
        names, place = np.unique(template_N[side], return_inverse=True)
        sums = np.bincount(place, weights=placements - placements.mean())
        count = len(names)
        variance += count / max(count - 1, 1) * float((sums**2).sum()) / len(placements) ** 2
        freedom += count - 1
    reach = float(t.ppf((1 + auroc.LEVEL) / 2, max(freedom, 1))) * math.sqrt(variance)
    difference = float(more.mean())
    return max(difference - reach, -1.0), min(difference + reach, 1.0)
