"""Intervals and held-out scores of the Explore workspace on data made up for it.

    python tests/benchmarks/score_coverage.py --draws 100

Scores of classifiers on random labels, with texts that occur several times, must be chance; the
interval of the frequency at which half of the concepts have a feature must hold it in .95. Each
text's features are those of its content, with a little of their own for a changed copy;
labels are drawn by content, or for each copy by itself where copies differ.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np

from sae_desktop.benchmark.intervals import mean_of_shares, share_of
from sae_desktop.comparison.even_chance import even_chance
from sae_desktop.corpus.alike import groups_of_texts
from sae_desktop.features.asking.text_classifier import PooledText, compared
from sae_desktop.features.asking.text_set_config import ClassifierScore, FindFeaturesConfig
from sae_desktop.features.naming.detect import Trial as NameTrial
from sae_desktop.features.naming.detect import areas as name_area
from sae_desktop.features.naming.detect import intervals as name_intervals
from sae_desktop.jobs import SilentContext
from sae_desktop.labels.scoring.detection import Trial, areas, mean_of
from sae_desktop.labels.scoring.log_probability import DRAWS, gain_interval
from sae_desktop.safety.scan.separation import difference_interval, separation

FEATURES, WIDTH, FIRING = 400, 32, 25
SYLLABLES = [a + b for a in "bdfgklmnprst" for b in "aeiou"]


def made_up_texts(contents: int, copies: int, rng: np.random.Generator) -> list[list[str]]:
    """Return the copies of each content: the first is it, others have a word changed."""
    words = ["".join(rng.choice(SYLLABLES, 3)) for _ in range(600)]
    found = []
    for _ in range(contents):
        plain = list(rng.choice(words, 14))
        changed = []
        for number in range(copies):
            copy = list(plain)
            if number:
                copy[int(rng.integers(len(copy)))] = str(rng.choice(words))
            changed.append(" ".join(copy))
        found.append(changed)
    return found


def pooled(
    content: Sequence[str], rng: np.random.Generator, side: int = 0, tell: float = 0.0
) -> list[PooledText]:
    """Return what features make of a content's copies: nearly the same.

    `tell`: how often, of four tries, a feature of the side's own twenty fires too, and how far
    four coordinates of the raw mean are off to its side.
    """
    own = rng.choice(20, rng.binomial(4, tell), replace=False) + 20 * side
    features = np.union1d(rng.choice(FEATURES, FIRING, replace=False), own)
    firing = len(features)
    maxima = rng.random(firing).astype(np.float32) + 0.1
    mean = rng.standard_normal(WIDTH).astype(np.float32)
    mean[:4] += tell * (1 - 2 * side)
    return [
        PooledText(
            features,
            maxima * rng.uniform(0.95, 1.05, firing).astype(np.float32),
            np.zeros(firing, np.int32),
            mean + 0.05 * rng.standard_normal(WIDTH).astype(np.float32),
        )
        for _ in content
    ]


def scores(
    contents: int, copies: int, equal: bool, seed: int, tell: float = 0.0
) -> list[ClassifierScore]:
    """Return the scores of one draw of texts and labels."""
    rng = np.random.default_rng(seed)
    texts = made_up_texts(contents, copies, rng)
    if equal:
        texts = [[copies[0]] * len(copies) for copies in texts]
    of_A = rng.permutation(contents) < contents // 2
    found = [
        pooled(copies, rng, 0 if in_A else 1, tell)
        for copies, in_A in zip(texts, of_A, strict=True)
    ]
    on = [n for n in range(contents) if of_A[n]]
    off = [n for n in range(contents) if not of_A[n]]
    groups = groups_of_texts([text for n in [*on, *off] for text in texts[n]])
    config = FindFeaturesConfig(project="", index="", on=[], off=[], seed=seed)
    return compared(
        [one for n in on for one in found[n]],
        [one for n in off for one in found[n]],
        np.full(FEATURES, 1.2, np.float32),
        groups,
        config,
        SilentContext(),
    )[0]


def chance(draws: int, contents: int, copies: int, equal: bool) -> dict[str, tuple[float, float]]:
    """Return each classifier's mean AUROC over draws, and the standard error of that."""
    told = [scores(contents, copies, equal, seed) for seed in range(draws)]
    return {
        part[0].inputs: (
            float(np.mean([s.auc for s in part])),
            float(np.std([s.auc for s in part], ddof=1) / draws**0.5),
        )
        for part in zip(*told, strict=True)
    }


def held_areas(
    draws: int, contents: int, copies: int, tell: float
) -> dict[str, tuple[float, float, float]]:
    """Return of each classifier the share of AUROC intervals that hold the area, the area, and
    their median width.

    The area is that of labels that tell nothing, .5, or else the mean over all draws: what such
    a classifier reaches on texts that it did not see.
    """
    told = [scores(contents, copies, False, seed, tell) for seed in range(draws)]
    found = {}
    for part in zip(*told, strict=True):
        areas = np.array([s.auc for s in part])
        low, high = np.array([(s.auc_low, s.auc_high) for s in part], float).T
        truth = float(areas.mean()) if tell else 0.5
        inside = float(((low <= truth) & (truth <= high)).mean())
        found[part[0].inputs] = inside, truth, float(np.median(high - low))
    return found


def even_chances(concepts: int, slope: float, draws: int, seed: int = 0) -> tuple[float, int, int]:
    """Return the share of intervals that hold the frequency, how many there were, and open ones."""
    rng, truth = np.random.default_rng(seed), -9.0
    inside = drawn = unbounded = 0
    for _ in range(draws):
        logs = rng.uniform(-14, -4, concepts)
        found = rng.random(concepts) < 1 / (1 + np.exp(-slope * (logs - truth)))
        curve = even_chance(np.exp(logs), found)
        if curve is None:
            continue
        low, high = (None if end is None else math.log(end) for end in curve[1:])
        drawn += 1
        inside += (low is None or low <= truth) and (high is None or truth <= high)
        unbounded += low is None or high is None
    return inside / max(drawn, 1), drawn, unbounded


def label_areas(
    draws: int, tell: float, documents: int, within: float, seed: int = 0
) -> tuple[float, float, float]:
    """Return the share of intervals of a label's detection AUROC that hold the area, the area,
    and their mean width.

    50 firings of 5 intervals and 60 silent texts of 3 kinds lie in documents whose texts go
    together by `within` of their variance; firings of interval i score i · `tell` more.
    """
    rng = np.random.default_rng(seed)
    gains = tell * np.arange(1, 6)
    truth = float(np.mean([0.5 * math.erfc(-gain / 2) for gain in gains]))
    inside, width = 0, 0.0
    for _ in range(draws):
        trial = Trial(
            np.repeat(np.arange(1, 6), 10), rng.integers(0, documents, 50),
            np.repeat(np.arange(3), 20), rng.integers(0, documents, 60),
        )  # fmt: skip
        of_document = rng.normal(0, within**0.5, (2, documents))
        own = rng.normal(0, (1 - within) ** 0.5, 110)
        fired = gains[trial.interval - 1] + of_document[0][trial.fired_document]
        scores = own + np.concatenate([fired, of_document[1][trial.silent_document]])
        found = areas(trial, scores).whole
        inside += found.low <= truth <= found.high
        width += (found.high - found.low) / draws
    return inside / draws, truth, width


def mean_areas(draws: int, features: int, seed: int = 0) -> float:
    """Return the share of intervals of the mean over many labels that hold the true mean."""
    rng = np.random.default_rng(seed)
    held = 0
    for number in range(draws):
        found = mean_of(rng.beta(6, 3, features), number)
        held += found.low <= 2 / 3 <= found.high
    return held / draws


def name_areas(draws: int, fits: float, strays: float, seed: int = 0) -> tuple[float, float, float]:
    """Return the share of intervals of an automatic name's AUROC that hold the area, the area, and
    their mean width.

    60 firings and 80 silent places, each by itself; a name of one fact fits a share of the firings
    and strays on a share of the silent ones, so that most pairs are ties.
    """
    rng = np.random.default_rng(seed)
    truth = 0.5 + (fits - strays) / 2
    feature, fires = np.repeat(np.arange(draws), 140), np.tile(np.arange(140) < 60, draws)
    hit = rng.random(140 * draws) < np.where(fires, fits, strays)
    trial = NameTrial(feature, fires, np.empty((len(fires), 0), np.int32))
    area, m, n = name_area(hit.astype(float), trial, draws)
    low, high = name_intervals(area, m, n)
    return float(((low <= truth) & (truth <= high)).mean()), truth, float((high - low).mean())


def gains(draws: int, seed: int = 0) -> float:
    """Return the share of intervals of a log-probability's gain that hold the true gain."""
    rng = np.random.default_rng(seed)
    found = [gain_interval(rng.normal(0.3, 1, DRAWS)) for _ in range(draws)]
    return float(np.mean([one.low <= 0.3 <= one.high for one in found]))


def template_areas(draws: int, truth: float, alike: float, seed: int = 0) -> tuple[float, float]:
    """Return the share of intervals of an area that hold it, and of intervals of a difference.

    Six templates of four texts a side, of which a share is the template's own; the difference is
    that of two scores which are equally good.
    """
    rng = np.random.default_rng(seed)
    template = np.repeat(np.arange(12), 4)
    positive = template < 6
    shift = NormalDist().inv_cdf(truth) * math.sqrt(2)
    held = [0, 0]
    for _ in range(draws):
        shared = rng.normal(size=(2, 12))[:, template] * math.sqrt(alike)
        one, other = shared + rng.normal(size=(2, 48)) * math.sqrt(1 - alike) + shift * positive
        found = separation(one, positive, template)
        held[0] += found.low <= truth <= found.high
        low, high = difference_interval(one, other, positive, template)
        held[1] += low <= 0 <= high
    return held[0] / draws, held[1] / draws


def probe_shares(draws: int, truth: float, copies: int, seed: int = 0) -> tuple[float, float]:
    """Return how often intervals of a probe's accuracy on one dataset, and of the mean over
    eight, hold the truth; each of 40 texts stands there so many times.
    """
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(40), copies)
    alone = together = 0
    for _ in range(draws):
        shares = [share_of(np.repeat(rng.random(40) < truth, copies), groups) for _ in range(8)]
        for figure, is_mean in ((shares[0], False), (mean_of_shares(shares), True)):
            assert figure.low is not None
            assert figure.high is not None
            inside = figure.low <= truth <= figure.high
            together += inside and is_mean
            alone += inside and not is_mean
    return alone / draws, together / draws


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=50)
    parser.add_argument("--contents", type=int, default=60)
    parser.add_argument("--lists", type=int, default=400, help="Lists of concepts drawn.")
    asked = parser.parse_args()
    for concepts in (12, 25, 50, 200):
        for slope in (0.5, 1.5, 5.0):
            share, drawn, unbounded = even_chances(concepts, slope, asked.lists)
            error = (0.95 * 0.05 / max(drawn, 1)) ** 0.5
            print(
                f"f50, {concepts} concepts, slope {slope:g}: {share:.3f} ± {error:.3f} of {drawn}, "
                f"{unbounded} open",
                flush=True,
            )
    for tell, documents, within in (
        (0.0, 1000, 0.0), (0.0, 40, 0.3), (0.3, 1000, 0.0), (0.3, 40, 0.3), (1.0, 1000, 0.0),
        (0.3, 12, 0.3),
    ):  # fmt: skip
        share, truth, width = label_areas(asked.lists, tell, documents, within)
        print(
            f"label's AUROC, {documents} documents that go together by {within:g}: {share:.3f} of "
            f"{asked.lists} hold {truth:.3f}, mean width {width:.2f}",
            flush=True,
        )
    for truth, copies in ((0.5, 1), (0.9, 1), (0.98, 1), (0.9, 3)):
        one, several = probe_shares(asked.lists, truth, copies)
        print(
            f"accuracy of a probe, {truth:g} of 40 texts × {copies}: {one:.3f} of {asked.lists} "
            f"hold it; mean over eight datasets: {several:.3f}",
            flush=True,
        )
    for features in (20, 200):
        share = mean_areas(asked.lists, features)
        print(f"mean over {features} labels: {share:.3f} of {asked.lists}", flush=True)
    for fits, strays in ((0.5, 0.5), (0.6, 0.1), (0.95, 0.3), (0.9, 0.02)):
        share, truth, width = name_areas(asked.lists, fits, strays)
        print(
            f"a name with AUROC {truth:.2f}, places each by itself: {share:.3f} of {asked.lists}, "
            f"mean width {width:.2f}",
            flush=True,
        )
    for truth in (0.6, 0.8, 0.95):
        for alike in (0.0, 0.3, 0.7):
            area, difference = template_areas(asked.lists, truth, alike)
            print(
                f"texts of templates, AUROC {truth:g}, alike by {alike:g}: {area:.3f} of "
                f"{asked.lists} hold it; difference of two: {difference:.3f}",
                flush=True,
            )
    print(f"log-probability of a label: {gains(asked.lists):.3f} of {asked.lists}", flush=True)
    for copies, tell in ((1, 0.0), (1, 0.5), (1, 1.0), (3, 0.0), (3, 1.0)):
        areas = held_areas(asked.draws, asked.contents, copies, tell)
        for inputs, (inside, truth, width) in areas.items():
            print(
                f"AUROC, {asked.contents} contents × {copies}, tell {tell:g}, {inputs}: "
                f"{inside:.3f} of {asked.draws} hold {truth:.3f}, median width {width:.2f}",
                flush=True,
            )
    for name, copies, equal in (
        ("each text once", 1, True),
        ("each text three times", 3, True),
        ("three copies, a word changed", 3, False),
    ):
        for inputs, (mean, error) in chance(asked.draws, asked.contents, copies, equal).items():
            print(f"{name:32} {inputs:18} AUROC {mean:.3f} ± {error:.3f}", flush=True)


if __name__ == "__main__":
    main()
