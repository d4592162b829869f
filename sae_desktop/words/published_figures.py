"""What others have published of SynthSAEBench-16k. Free of Qt and torch."""

from __future__ import annotations

from typing import NamedTuple

from sae_desktop.benchmark.config import Synthetic
from sae_desktop.words.amounts import exact_count

SAMPLES, FEATURES, L0 = 200_000_000, 4096, 25
"""Of the published trainings."""


class Published(NamedTuple):
    """A figure that was not measured here."""

    title: str
    f1: float
    source: str


_PAPER = "SynthSAEBench, arXiv 2602.14687"
_FIRST = "of the world’s first version, in which children are not scaled by their parents"
PUBLISHED = (
    Published("L1", 0.556, _PAPER),
    Published("BatchTopK", 0.732, _PAPER),
    Published("JumpReLU", 0.732, _PAPER),
    Published("Matryoshka", 0.879, _PAPER),
    Published("Matryoshka, one LISTA step, falling k", 0.97, f"Chanin, 2026; {_FIRST}"),
    Published("the same, refined when encoding", 0.989, f"published later; {_FIRST}"),
    Published("logistic regression on the truth", 0.97, f"no dictionary: it is told the truth; "
              f"{_PAPER}"),
)  # fmt: skip


def differences(told: Synthetic) -> str:
    """Return how a benchmark differs from the published trainings."""
    found = []
    if told.world != "full":
        found.append(
            f"a smaller world ({exact_count(told.true_features)} features in "
            f"{exact_count(told.width)} dimensions instead of 16,384 in 768)"
        )
    if told.samples != SAMPLES:
        found.append(f"{exact_count(told.samples)} samples instead of {exact_count(SAMPLES)}")
    if told.features != FEATURES:
        found.append(f"{exact_count(told.features)} features instead of {exact_count(FEATURES)}")
    if told.k != L0:
        found.append(f"k = {told.k} instead of an L0 of {L0}")
    if told.lista_step:
        found.append(
            f"BatchTopK and Matryoshka read each sample twice (LISTA step {told.lista_step:g})"
        )
    if told.leave_one_out:
        found.append(
            "architectures whose features have thresholds leave out those that others make up "
            f"(leave one out {told.leave_one_out:g})"
        )
    found.append("a generator of our own, after the published one, with its seed")
    return f"What differs here: {'; '.join(found)}."
