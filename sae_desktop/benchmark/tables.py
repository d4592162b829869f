"""The figures of a benchmark by their columns. Free of torch and Qt."""

from __future__ import annotations

from collections.abc import Sequence

from sae_desktop.benchmark.config import Figure, Subject
from sae_desktop.benchmark.intervals import mean_over_seeds

_PLAIN = ("l0", "fvu", "dead")
_UNBOUNDED = ("l0", "fvu", "loss_recovered", "true_l0")
"""Figures that may lie outside of 0 to 1."""


def figures_of(subject: Subject) -> dict[str, Figure]:
    """Return the figures of one dictionary or control by their columns."""
    found = {name: Figure(value=getattr(subject, name)) for name in _PLAIN}
    found |= {name: Figure(value=value) for name, value in subject.truth.items()}
    if subject.loss_recovered is not None:
        found["loss_recovered"] = Figure(value=subject.loss_recovered)
    found |= {f"probe_{k}": figure for k, figure in subject.probing.items()}
    if subject.absorption is not None:
        found["absorbed"] = subject.absorption.fraction
        found["absorbed_fully"] = subject.absorption.full
    return found


def mean_figures(subjects: Sequence[Subject]) -> dict[str, Figure]:
    """Return the mean of every figure over seeds; of a single one as it is."""
    tables = [figures_of(subject) for subject in subjects]
    found: dict[str, Figure] = {}
    for name in tables[0]:
        values = [table[name] for table in tables if name in table]
        if len(values) == len(tables):
            alone = len(values) == 1
            bounded = name not in _UNBOUNDED
            many = [value.value for value in values]
            found[name] = values[0] if alone else mean_over_seeds(many, bounded=bounded)
    return found
