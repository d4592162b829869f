"""How large a synthetic world is, and how its features hang together. Free of torch."""

from __future__ import annotations

import msgspec


class WorldSizes(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers of SynthSAEBench's generative model (Chanin & Garriga-Alonso, 2026).

    As they stand they are those of SynthSAEBench-16k, version 2.
    """

    features: int = 16_384
    width: int = 768
    """D, of the activations that are made."""
    most_frequent: float = 0.4
    """Probability with which the first feature is active; those after it follow Zipf's law."""
    least_frequent: float = 5e-4
    zipf_exponent: float = 0.5
    first_magnitude: float = 5.0
    """Mean of an active feature's magnitude; it changes evenly from the first to the last."""
    last_magnitude: float = 4.0
    magnitude_spread: float = 0.5
    """Mean of the features' standard deviations of the magnitude."""
    magnitude_spread_spread: float = 0.5
    """How much that standard deviation itself varies from feature to feature."""
    roots: int = 128
    """Features at the top of a tree; 0: there are no trees."""
    children: int = 4
    depth: int = 3
    """Generations below a root."""
    exclusive: bool = True
    """Whether at most one child of a parent is active."""
    scale_children: bool = True
    """Whether a child's magnitude is multiplied by its parent's, relative to the parent's mean."""
    correlation_rank: int = 25
    """Hidden causes that features share; 0: features outside a tree are independent."""
    correlation: float = 0.1
    """Standard deviation of a feature's weight on one hidden cause."""
    spreading_steps: int = 100
    """Steps of Adam that turn the features' random directions away from each other."""
    spreading_rate: float = 3e-4
    bias_norm: float = 0.5
    seed: int = 42


SMALL = WorldSizes(features=2048, width=128, most_frequent=0.3, roots=16)
"""A world as dense, and its features as crowded, in which a dictionary of 512 learns in minutes."""
