"""How often the intervals of a judge's scores hold the truth, with judges that are made up.

    python tests/benchmarks/judge_coverage.py --draws 400

Nominal is .95. A judge of known rates answers; the truth is what it reaches with endless texts.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator

import numpy as np

from sae_desktop.labels.judging import intruder
from sae_desktop.labels.judging.measures import (
    MOST_RATING,
    Answered,
    Interval,
    Item,
    auroc,
    balanced_accuracy,
    bootstrap_mean,
    correlation,
)

RATINGS = (
    ((0.05, 0.1, 0.15, 0.7), "mostly 3"),
    ((0.25, 0.25, 0.25, 0.25), "any"),
    ((0.6, 0.3, 0.08, 0.02), "mostly 0"),
    ((0.0, 0.0, 0.03, 0.97), "nearly always 3"),
)
Draw = Callable[[np.random.Generator], Interval]


def share_holding(draw: Draw, truth: float, draws: int, seed: int = 0) -> tuple[float, float]:
    """Return the share of intervals that hold the truth, and their median width."""
    rng = np.random.default_rng(seed)
    found = [draw(rng) for _ in range(draws)]
    inside = [low <= truth + 1e-9 and truth - 1e-9 <= high for _, low, high in found]
    return float(np.mean(inside)), float(np.median([high - low for _, low, high in found]))


def answers(right: Iterator[float] | list[float], truth: float) -> list[Answered]:
    return [Answered(Item(truth, int(truth)), a) for a in right]


def yes_or_no(hits: float, rejections: float, firing: int = 25, silent: int = 24) -> Draw:
    """A judge that says yes to a share of firing texts and no to a share of silent ones."""

    def draw(rng: np.random.Generator) -> Interval:
        yes = (rng.random(firing) < hits).astype(float).tolist()
        also = (rng.random(silent) >= rejections).astype(float).tolist()
        return balanced_accuracy([*answers(yes, 1.0), *answers(also, 0.0)])

    return draw


def ratings(weights: tuple[float, ...], count: int) -> Draw:
    """The mean of ratings of one interval of activation."""

    def draw(rng: np.random.Generator) -> Interval:
        return bootstrap_mean(rng.choice(MOST_RATING + 1, count, p=weights), MOST_RATING)

    return draw


def rated_above(firing: tuple[float, ...], silent: tuple[float, ...], count: int = 24) -> Draw:
    """The area of ratings of firing and of silent texts."""

    def draw(rng: np.random.Generator) -> Interval:
        sides = [rng.choice(len(p), count, p=p).astype(float).tolist() for p in (firing, silent)]
        return auroc([*answers(sides[0], 1.0), *answers(sides[1], 0.0)])

    return draw


def area_of(firing: tuple[float, ...], silent: tuple[float, ...]) -> float:
    """The true area of ratings drawn with these weights; ties count half."""
    above = sum(p * q for a, p in enumerate(firing) for b, q in enumerate(silent) if a > b)
    return above + 0.5 * sum(p * q for p, q in zip(firing, silent, strict=True))


def intruders(share: float, count: int) -> Draw:
    def draw(rng: np.random.Generator) -> Interval:
        found = rng.random(count) < share
        items = [Item(float(n % 5 + 1), 1) for n in range(count)]
        return intruder.share_found(
            [Answered(i, i.truth if f else 0.0) for i, f in zip(items, found, strict=True)]
        )

    return draw


def simulated(slope: float, texts: int = 30, tokens: int = 16) -> Draw:
    """Tokens that fire once a text, and a judge whose numbers follow them, with noise; the noise
    of a text's tokens goes together.
    """

    def draw(rng: np.random.Generator) -> Interval:
        found = []
        for text in range(texts):
            level = rng.normal(0, 1)
            peak = int(rng.integers(tokens))
            for token in range(tokens):
                truth = 10.0 * (token == peak)
                said = slope * truth / 10 + 0.5 * level + rng.normal(0, 1)
                found.append(Answered(Item(truth, 1, "", text), said))
        return correlation(found)

    return draw


def true_correlation(slope: float, draws: int = 200) -> float:
    """The correlation over very many texts."""
    rng = np.random.default_rng(1)
    return float(np.mean([simulated(slope, 200)(rng).value for _ in range(draws // 10)]))


def lines(draws: int) -> Iterator[tuple[str, float, float]]:
    """Yield (what, share that holds the truth, median width)."""
    for hits, rejections in ((0.5, 0.5), (1.0, 0.0), (0.9, 0.8), (0.99, 0.97), (1.0, 1.0)):
        draw, truth = yes_or_no(hits, rejections), (hits + rejections) / 2
        yield f"balanced accuracy {truth:.2f}", *share_holding(draw, truth, draws)
    for weights, said in RATINGS:
        for count in (5, 10, 25):
            truth = float(np.dot(range(MOST_RATING + 1), weights))
            yield f"{count} ratings, {said}", *share_holding(ratings(weights, count), truth, draws)
    for firing, silent in ((0, 2), (1, 1), (0, 1)):
        pair = RATINGS[firing][0], RATINGS[silent][0]
        truth = area_of(*pair)
        yield f"area of ratings {truth:.2f}", *share_holding(rated_above(*pair), truth, draws)
    for share in (0.2, 0.6, 0.95):
        yield f"intruders {share:.2f}", *share_holding(intruders(share, 15), share, draws)
    for slope in (0.0, 2.0, 5.0):
        truth = true_correlation(slope) if slope else 0.0
        draw = simulated(slope)
        yield f"correlation {truth:.2f}", *share_holding(draw, truth, max(draws // 4, 20))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=400)
    asked = parser.parse_args()
    for said, share, width in lines(asked.draws):
        print(f"{said:36} {share:.3f} hold it, median width {width:.2f}", flush=True)


if __name__ == "__main__":
    main()
