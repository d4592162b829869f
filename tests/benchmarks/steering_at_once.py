"""Features drawn at random, each steered at the strength that is suggested for it.

    python tests/benchmarks/steering_at_once.py PROJECT INDEX [--features 10] [--seed 0]

Each is steered as the window steers when a feature arrives: the example prompt, the usual
sampling, the suggested strength (of a feature without one, the one its slider begins at). Beside
it stands a random direction of the same size, measured by the same feature's own tokens: what a
text turns by chance. At the end it says how many turn without breaking, of either.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from sae_desktop.cli.render import table
from sae_desktop.features.reading.known_strength import KnownStrength
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.gui.steer.known_strengths import first_strength
from sae_desktop.jobs import SilentContext
from sae_desktop.project import Project
from sae_desktop.steering.breaking import breaking
from sae_desktop.steering.config import (
    PLAIN,
    RandomDirection,
    SteerConfig,
    VariantResult,
    clamped,
)
from sae_desktop.steering.controls import random_control
from sae_desktop.steering.effect_config import CONTINUED, FeatureStrengthConfig
from sae_desktop.steering.feature_strength import feature_strength
from sae_desktop.steering.job import steer
from sae_desktop.words.steering_verdict import SteeringVerdict, steering_verdict

_WIDE = 76


@dataclass(frozen=True)
class Drawn:
    """One feature, steered."""

    feature: int
    strength: float
    known: KnownStrength
    plain: VariantResult
    steered: VariantResult
    random: VariantResult
    verdict: SteeringVerdict
    of_random: SteeringVerdict


def drawn(index: FeatureIndex, count: int, seed: int) -> list[int]:
    """Return features that fire, drawn at random without the same twice."""
    fires = np.flatnonzero(np.asarray(index.columns["max_activation"]) > 0)
    chosen = np.random.default_rng(seed).choice(fires, min(count, len(fires)), replace=False)
    return sorted(int(feature) for feature in chosen)


def steered_at_once(project: Project, name: str, feature: int, prompt: str) -> Drawn:
    """Steer with a feature as the window does when it arrives, and with a random direction."""
    index = FeatureIndex(project.index_path(name))
    known = index.strength(feature)
    if known is None:
        asked = FeatureStrengthConfig(project=str(project.path), index=name, feature=feature)
        known = feature_strength(asked, SilentContext()).known
    strength = first_strength(known)
    own = clamped({feature: strength})
    control = random_control(own.interventions)
    act = msgspec.structs.replace(
        control.interventions[0], direction=RandomDirection(seed=feature)
    )  # another for each feature
    control = msgspec.structs.replace(control, interventions=[act])
    config = SteerConfig(
        project=str(project.path), index=name, prompt=prompt, variants=[PLAIN, own, control]
    )
    plain, found, beside = steer(config, SilentContext()).variants
    verdicts = [
        steering_verdict(result, plain, variant.interventions, known)
        for result, variant in ((found, own), (beside, control))
    ]
    assert verdicts[0] is not None
    assert verdicts[1] is not None
    return Drawn(feature, strength, known, plain, found, beside, verdicts[0], verdicts[1])


def summary(found: Sequence[Drawn]) -> str:
    """Return how many turn without breaking, of the features and of the random directions."""
    turned = sum(d.verdict.good for d in found)
    by_chance = sum(d.of_random.good for d in found)
    suggested = sum(d.known.suggested is not None for d in found)
    broken = sum(_breaks(d.steered, d.plain) for d in found)
    return (
        f"{turned} of {len(found)} features turn the text visibly without breaking it, {by_chance} "
        f"of {len(found)} random directions of the same size; {suggested} have a strength that "
        f"is suggested; {broken} of the features' texts break."
    )


def _breaks(found: VariantResult, plain: VariantResult) -> bool:
    return breaking(
        found.repetition, found.perplexity, plain.repetition, plain.perplexity
    ) is not None  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("project", type=Path)
    parser.add_argument("index")
    parser.add_argument("--features", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--prompt", default=CONTINUED[0])
    options = parser.parse_args()
    project = Project.open(options.project)
    index = FeatureIndex(project.index_path(options.index))
    features = drawn(index, options.features, options.seed)
    found = [steered_at_once(project, options.index, f, options.prompt) for f in features]
    print(f"seed {options.seed}, load {os.getloadavg()[0]:.1f}, prompt “{options.prompt}”")
    rows = [
        (
            f"#{d.feature}", f"{d.strength:g}×" + ("" if d.known.suggested else " (none works)"),
            f"{d.steered.own or 0:.0%}", f"{d.random.own or 0:.0%}", d.verdict.kind,
            d.of_random.kind,
        )
        for d in found
    ]  # fmt: skip
    print(table(("feature", "strength", "own", "random", "verdict", "of random"), rows, left={1}))
    print(f"\nplain: {_line(found[0].plain)}")
    for d in found:
        print(f"\n#{d.feature} at {d.strength:g}×: {_line(d.steered)}\n  {d.verdict.sentence}")
        print(f"  random: {_line(d.random)}\n  {d.of_random.sentence}")
    print(f"\n{summary(found)}")


def _line(result: VariantResult) -> str:
    text = " ".join((result.prompt + result.text).split())
    return text if len(text) <= 2 * _WIDE else f"{text[: 2 * _WIDE]}…"


if __name__ == "__main__":
    main()
