"""Figures of a judge's answers and their intervals of 95%. Pure: items and answers in, numbers out.

Every figure is one by which a judge that answers always the same is at chance. Unanswered items
are left out of the figure, but they widen its interval: its lower end is what it would be were all
of them wrong, its upper end were all of them right. With fewer than half of the items answered
there is no figure.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sae_desktop.features.asking.auroc import interval as auroc_interval
from sae_desktop.features.reading.judgement import Judgement, Part

Array = npt.NDArray[Any]

LEAST_ANSWERED = 0.5
"""Share of items; below it what was answered may be a choice of the judge's."""
RESAMPLES = 2000
MOST_RATING = 3
_Z = 1.959964


class Item(NamedTuple):
    """One thing a judge is asked, and what is true of it."""

    truth: float
    interval: int
    """Of activation, 1 the weakest; 0: the feature is silent."""
    kind: str = ""
    """Of a silent one: how it was chosen."""
    group: int = 0
    """Items of one number belong together, as the tokens of a text do."""


class Answered(NamedTuple):
    item: Item
    answer: float | None


class Interval(NamedTuple):
    value: float
    low: float
    high: float


NONE = Interval(math.nan, math.nan, math.nan)
Figure = Callable[[Sequence[Answered]], Interval]
Wrong = Callable[[Item], float]


# ---------------------------------------------------------------------- intervals
def wilson(right: float, of: float) -> Interval:
    """Return a share and its score interval (Wilson 1927); that never has width 0."""
    if of <= 0:
        return NONE
    share = right / of
    middle = (share + _Z**2 / (2 * of)) / (1 + _Z**2 / of)
    half = _Z * math.sqrt(share * (1 - share) / of + _Z**2 / (4 * of**2)) / (1 + _Z**2 / of)
    return Interval(share, max(middle - half, 0.0), min(middle + half, 1.0))


def mean_of_shares(one: Interval, other: Interval) -> Interval:
    """Return the mean of two shares, its interval made from theirs (Newcombe 1998, method 10)."""
    if math.isnan(one.value) or math.isnan(other.value):
        return NONE
    value = (one.value + other.value) / 2
    down = math.hypot(one.value - one.low, other.value - other.low) / 2
    up = math.hypot(one.high - one.value, other.high - other.value) / 2
    return Interval(value, max(value - down, 0.0), min(value + up, 1.0))


def bootstrap_mean(ratings: Array, most: float | None = None, seed: int = 0) -> Interval:
    """Return the mean of values with a bootstrap interval.

    `most`: the values lie between 0 and it; None: they have no bounds. A percentile bootstrap is
    too narrow for a few items, and has no width where they are all alike. So the quantiles are
    those of Student's t, scaled as Hesterberg (2015) does, and with bounds each resample has one
    item more at either end of the scale, half a vote each. Of a single value without bounds
    nothing is known but itself: its interval is without end.
    """
    n = len(ratings)
    if n == 0:
        return NONE
    if n == 1 and most is None:
        return Interval(float(ratings[0]), -math.inf, math.inf)
    rng = np.random.default_rng(seed)
    sums = rng.choice(ratings, (RESAMPLES, n)).sum(1)
    count, ends = (n, 0.0) if most is None else (n + 1, rng.integers(0, 2, RESAMPLES) * most)
    means = (sums + ends) / count
    low, high = np.quantile(means, tails(n))
    value = float(ratings.mean())
    return Interval(value, min(float(low), value), max(float(high), value))


def tails(n: int) -> tuple[float, float]:
    """Return at which quantiles a bootstrap over n items ends for an interval of 95%."""
    from scipy.stats import norm, t

    if n < 2:
        return 0.0, 1.0
    tail = float(norm.cdf(math.sqrt(n / (n - 1)) * t.ppf(0.025, n - 1)))
    return tail, 1 - tail


# ---------------------------------------------------------------------- figures
def balanced_accuracy(answered: Sequence[Answered]) -> Interval:
    """Return the mean of the shares of true and of false items that were answered rightly."""
    shares = []
    for truth in (1.0, 0.0):
        right = [(a.answer or 0.0) > 0.5 for a in answered if a.item.truth == truth]
        shares.append(wilson(sum(r == bool(truth) for r in right), len(right)))
    return mean_of_shares(*shares)


def auroc(answered: Sequence[Answered]) -> Interval:
    """Return how often a true item is answered above a false one; ties count half."""
    from scipy.stats import rankdata

    truths = np.array([a.item.truth > 0 for a in answered], bool)
    m, n = int(truths.sum()), int((~truths).sum())
    if not m or not n:
        return NONE
    ranks = rankdata([a.answer for a in answered])
    area = float((ranks[truths].sum() - m * (m + 1) / 2) / (m * n))
    return Interval(area, *auroc_interval(area, [(m, n)]))


def correlation(answered: Sequence[Answered], seed: int = 0) -> Interval:
    """Return Pearson's r of truths and answers; a constant answer correlates with nothing, 0.

    The interval is a bootstrap over groups, since tokens of one text are alike.
    """
    truths = np.array([a.item.truth for a in answered])
    answers = np.array([a.answer for a in answered], float)
    groups, places = np.unique([a.item.group for a in answered], return_inverse=True)
    if len(groups) < 2 or not truths.std():
        return NONE
    moments = np.stack(
        [np.ones_like(truths), truths, answers, truths**2, answers**2, truths * answers]
    )
    sums = np.stack([np.bincount(places, m, len(groups)) for m in moments])
    rng = np.random.default_rng(seed)
    weights = rng.multinomial(len(groups), np.full(len(groups), 1 / len(groups)), RESAMPLES)
    low, high = np.quantile(_pearson(sums @ weights.T), tails(len(groups)))
    value = float(_pearson(sums.sum(1)))
    return Interval(value, min(float(low), value), max(float(high), value))


def _pearson(sums: Array) -> Array:
    n, x, y, xx, yy, xy = sums
    over = xy - x * y / n
    spread = np.sqrt(np.maximum(xx - x * x / n, 0) * np.maximum(yy - y * y / n, 0))
    return np.where(spread > 1e-9, np.clip(over / np.maximum(spread, 1e-9), -1, 1), 0.0)


# ---------------------------------------------------------------------- with what is unanswered
def judgement(
    answered: Sequence[Answered],
    figure: Figure,
    wrong: Wrong,
    *,
    chance: float,
    right: Wrong | None = None,
    parts: Sequence[Part] = (),
) -> Judgement:
    """Return a figure of what was answered, with the bounds of what was not.

    `wrong` and `right` say what the worst and the best answer to an item would have been.
    """
    given = [a for a in answered if a.answer is not None]
    asked, count = len(answered), len(given)
    worst = _filled(answered, wrong)
    best = _filled(answered, right or (lambda item: item.truth))
    low, high = figure(worst), figure(best)
    value = figure(given) if count >= LEAST_ANSWERED * asked and count else NONE
    scored = not math.isnan(value.value)
    return Judgement(
        value=value.value if scored else None,
        low=min(value.low, low.low) if scored else None,
        high=max(value.high, high.high) if scored else None,
        chance=chance,
        asked=asked,
        answered=count,
        as_wrong=_number(low.value),
        as_right=_number(high.value),
        parts=tuple(parts),
    )


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


def _filled(answered: Sequence[Answered], fill: Wrong) -> list[Answered]:
    return [Answered(a.item, fill(a.item)) if a.answer is None else a for a in answered]


def answered_only(answered: Sequence[Answered]) -> list[Answered]:
    """Return those with an answer."""
    return [a for a in answered if a.answer is not None]


def parts_of(
    given: Sequence[Answered], figure: Figure, is_right: Callable[[Answered], bool]
) -> list[Part]:
    """Return the figure of each interval against all that is false, and of each kind of false
    items the share that was answered rightly."""
    false = [a for a in given if not a.item.truth]
    parts = []
    for interval in sorted({a.item.interval for a in given if a.item.truth}):
        own = [a for a in given if a.item.truth and a.item.interval == interval]
        value, low, high = figure([*own, *false])
        if not math.isnan(value):
            parts.append(Part(interval=interval, value=value, low=low, high=high, items=len(own)))
    for kind in ["", *sorted({a.item.kind for a in false} - {""})]:
        own = [a for a in false if kind in ("", a.item.kind)]
        if own:
            value, low, high = wilson(sum(map(is_right, own)), len(own))
            parts.append(
                Part(interval=0, kind=kind, value=value, low=low, high=high, items=len(own))
            )
    return parts
