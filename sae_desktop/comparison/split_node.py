"""One feature of a splitting tree. Imports nothing."""

from __future__ import annotations

from dataclasses import dataclass, field

LEAST_COSINE = 0.4
MOST_PARTS = 40


@dataclass(frozen=True)
class SplitNode:
    """A feature in the tree."""

    dictionary: str
    feature: int
    cosine: float
    """With its parent; 1 for the root."""
    shared: bool = False
    """The nearest of the larger dictionary, but closer to another feature than the parent."""
    parts: list[SplitNode] = field(default_factory=list)
    left_out: int = 0
    """Parts beyond the most that are shown."""
