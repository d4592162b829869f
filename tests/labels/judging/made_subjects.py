"""A label with texts of which all is known, for judges that are made up."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sae_desktop.features.reading.judgement import Scorer
from sae_desktop.labels.examples import SILENT_KINDS, Example, Kind
from sae_desktop.labels.judging.prompts import judge_prompt
from sae_desktop.labels.judging.question import Asking, Subject

INTERVALS = 5
TOP = 10.0
_WORDS = ("river", "stone", "cloud", "ladder", "window", "paper", "garden", "silver", "bridge")


def example(number: int, kind: Kind, interval: int = 0, *, tokens: int = 12) -> Example:
    """Return a text like no other; where it fires, on one token."""
    rng = np.random.default_rng([number, interval, len(kind)])
    words = [f" {_WORDS[k]}" for k in rng.integers(0, len(_WORDS), tokens)]
    words[0] = f"{kind.title()}{number}"
    peak = int(rng.integers(1, tokens))
    activations = np.zeros(tokens, np.float32)
    if interval:
        activations[peak] = TOP * interval / INTERVALS
    return Example(
        kind=kind, row=number, document=number, tokens=tuple(words), activations=activations,
        peak=peak, activation=float(activations[peak]), interval=interval,
    )  # fmt: skip


def subject(
    label: str = "a word for water", *, per_interval: int = 6, silent: int = 10, seed: int = 0
) -> Subject:
    """Return a label with texts of five intervals and of every kind of silence."""
    firing = [
        example(100 * interval + n, "firing", interval)
        for interval in range(1, INTERVALS + 1)
        for n in range(per_interval)
    ]
    quiet = [
        example(1000 * place + n, kind)
        for place, kind in enumerate(SILENT_KINDS, start=1)
        for n in range(silent)
    ]
    return Subject(label, tuple(firing), tuple(quiet), seed)


def asking(scorer: Scorer, *, probabilities: bool = False) -> Asking:
    return Asking(judge_prompt(Path(), scorer, probabilities=probabilities), probabilities)
