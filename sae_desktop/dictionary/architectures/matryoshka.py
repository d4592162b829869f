"""Matryoshka BatchTopK (Bussmann et al., 2025): nested dictionaries that each reconstruct.

The first features must do by themselves, so general concepts come first and are not
absorbed into their special cases. Group shares as in the best of the runs on SAEBench.
"""

from __future__ import annotations

import itertools

import torch

from sae_desktop.dictionary.architectures.base import Setup
from sae_desktop.dictionary.architectures.batchtopk import BatchTopK

GROUP_SHARES = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 17 / 32)


class Matryoshka(BatchTopK):
    """The mean of the nested errors is minimised."""

    title = "Matryoshka BatchTopK"
    summary = "Nested dictionaries: general features come first and are not absorbed."

    def __init__(
        self,
        setup: Setup,
        generator: torch.Generator,
        group_sizes: tuple[int, ...] | None = None,
    ) -> None:
        """Take the nested groups' sizes, or the usual shares of the features."""
        super().__init__(setup, generator)
        self._group_sizes = group_sizes or shared_out(setup.features)
        if sum(self._group_sizes) != setup.features:
            raise ValueError(f"groups {group_sizes} do not add up to {setup.features} features")

    @property
    def group_sizes(self) -> tuple[int, ...]:
        return self._group_sizes


def shared_out(features: int) -> tuple[int, ...]:
    """Return the sizes of the groups by `GROUP_SHARES`; empty groups are left out."""
    ends = [round(features * end) for end in itertools.accumulate(GROUP_SHARES)]
    sizes = [end - begin for begin, end in itertools.pairwise([0, *ends])]
    return tuple(size for size in sizes if size)
