"""How often a monitor's true rate of false positives exceeds what was promised, on real text.

    python tests/benchmarks/monitor_promise.py PROJECT INDEX --resamples 200

A pool of documents is the whole population: calibration texts are drawn from it with replacement,
so that the true rate of a threshold is known, not estimated. The share of resamples in which it
exceeds the promise must be at most 1 − confidence (`bound`), and its mean at most the promise
(`conformal`). Then thresholds calibrated on documents of one language are asked what they do on
those of the others: nothing was promised of these.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

import numpy as np

from sae_desktop.corpus.documents import Corpus
from sae_desktop.features.asking.opened import open_index
from sae_desktop.jobs import SilentContext
from sae_desktop.language_model.text.text_windows import plan_windows
from sae_desktop.safety.monitors.config import CalibrateMonitorConfig, Method, Unit
from sae_desktop.safety.monitors.drift import LEVEL, drift_p
from sae_desktop.safety.monitors.guarantee import choose, firing_share
from sae_desktop.safety.monitors.scoring import Scorer, unit_scores
from sae_desktop.safety.monitors.texts import GROUP, Watched, read_strings
from sae_desktop.steering.gate_config import Readout
from sae_desktop.steering.readers import direction_reader, feature_reader, random_direction

Blocks = list[Any]
UNITS: tuple[Unit, ...] = ("token", "message")
METHODS: tuple[Method, ...] = ("bound", "conformal")


def scores(
    project: str, index: str, documents: int, features: int
) -> tuple[dict[tuple[str, str], Blocks], list[str]]:
    """Return the unit scores of each document, by reader and unit, and its language."""
    opened = open_index(project, index, "cpu")
    settings = CalibrateMonitorConfig(
        project=project, name="x", context_size=min(128, opened.lm.context_size)
    )
    held = [(d.text[:2000], d.language) for d, _ in zip(Corpus(settings), range(documents),
                                                        strict=False)]  # fmt: skip
    density = np.asarray(opened.index.columns["density"])
    chosen = np.random.default_rng(0).choice(np.flatnonzero(density > 1e-3), features)
    readers = {
        f"feature {f}": feature_reader(Readout(features=[int(f)], pool="max"), opened)
        for f in chosen
    }
    width = sum(place.width for place in opened.reads)
    direction = random_direction(width, 0)
    readers["direction"] = direction_reader(Readout(pool="max"), direction, opened.reads)
    plan = plan_windows(opened.lm, settings)
    scorer = Scorer(list(readers.values()), plan.prefix, plan.suffix, settings.context_size)
    found: dict[tuple[str, str], Blocks] = {(name, u): [] for name in readers for u in UNITS}
    texts = read_strings([text for text, _ in held], settings, opened.lm, "pool")
    for start in range(0, len(texts), GROUP):
        group = texts[start : start + GROUP]
        for text, of_text in zip(group, scorer.components(group, SilentContext()), strict=True):
            for (name, reader), own in zip(readers.items(), of_text, strict=True):
                for unit in UNITS:
                    found[name, unit].append(unit_scores(reader, own, text, Watched(unit)).scores)
    return found, [language for _, language in held]


def drawn(pool: Sequence[Any], count: int, chance: np.random.Generator) -> Blocks:
    return [pool[i] for i in chance.integers(0, len(pool), count)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("project")
    parser.add_argument("index")
    parser.add_argument("--resamples", type=int, default=200)
    parser.add_argument("--documents", type=int, default=2000)
    parser.add_argument("--calibration", type=int, default=300)
    parser.add_argument("--features", type=int, default=5)
    parser.add_argument("--rate", type=float, default=0.02)
    parser.add_argument("--delta", type=float, default=0.1)
    asked = parser.parse_args()
    found, languages = scores(asked.project, asked.index, asked.documents, asked.features)
    print(f"{len(languages)} documents; promise {asked.rate:.1%}, δ {asked.delta:g}, "
          f"{asked.calibration} documents of calibration, {asked.resamples} resamples")  # fmt: skip
    print("reader, unit, method: share above the promise, mean true rate")
    for (name, unit), pool in found.items():
        for method in METHODS:
            chance = np.random.default_rng(1)
            rates = [
                firing_share(
                    pool,
                    choose(drawn(pool, asked.calibration, chance), asked.rate, asked.delta,
                           method).value,
                )
                for _ in range(asked.resamples)
            ]  # fmt: skip
            above = float(np.mean(np.array(rates) > asked.rate))
            print(f"{name}, {unit}, {method}: {above:.3f}, {np.mean(rates):.4f}")
    usual = max(set(languages), key=languages.count)
    print(f"calibrated on {usual or 'no language'}, asked of the others: mean rate, share warned")
    for (name, unit), pool in found.items():
        own = [block for block, language in zip(pool, languages, strict=True) if language == usual]
        other = [b for b, language in zip(pool, languages, strict=True) if language != usual]
        chance = np.random.default_rng(2)
        rates, warned = [], []
        for _ in range(asked.resamples):
            calibration = drawn(own, asked.calibration, chance)
            test = drawn(other, 100, chance)
            threshold = choose(calibration, asked.rate, asked.delta).value
            rates.append(firing_share(other, threshold))
            highest = [np.array([b.max() for b in side]) for side in (calibration, test)]
            warned.append((drift_p(*highest) or 0.0) <= LEVEL)
        print(f"{name}, {unit}: {np.mean(rates):.4f}, {np.mean(warned):.2f}")


if __name__ == "__main__":
    main()
