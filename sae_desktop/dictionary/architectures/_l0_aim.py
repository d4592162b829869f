"""A λ that penalises only while more features are active than wanted.

A weight of the sparsity loss that suits one width and one kind of data empties a dictionary on
another: at λ = 10, right for rows of width 256, nothing is active on rows of width 64. Where no
λ was chosen, the recipe's is therefore taken as the most, in units of what an active feature
explains, D/k, and what of it is used falls to nothing as L0 comes down to k.
"""

from __future__ import annotations

import math

from torch import Tensor, tensor

from sae_desktop.dictionary.architectures.base import Setup

REFERENCE_WIDTH, REFERENCE_K = 256, 32
"""For which the recipe's numbers were found right; what counts of λ is its part of E‖x‖² = D."""
_FULL_ABOVE = 0.25
"""L0 over k by this share: the whole of λ."""
_MEMORY = 0.8
"""Of the running mean of L0, over batches."""
BUFFER = "recent_l0"


def activation_unit(width: int, k: int) -> float:
    """Return the usual size of an activation, √(D/k), as a multiple of that of the reference."""
    return math.sqrt(width / k * REFERENCE_K / REFERENCE_WIDTH)


class L0Aim:
    """Remembers L0 in a buffer, and says how much of λ is to be used."""

    def __init__(self, buffers: dict[str, Tensor], setup: Setup, width: int) -> None:
        """Take the architecture's buffers, and the width of what it writes."""
        self._buffers = buffers
        self._k = setup.k
        self._most = activation_unit(width, setup.k) ** 2
        if setup.aims_at_k:
            buffers[BUFFER] = tensor(-1.0)  # none yet

    def share(self) -> float:
        """Return what λ is multiplied by; 1 where a λ was chosen."""
        if BUFFER not in self._buffers:
            return 1.0
        l0 = float(self._buffers[BUFFER])
        over = 1.0 if l0 < 0 else (l0 / self._k - 1) / _FULL_ABOVE
        return self._most * min(1.0, max(0.0, over))

    def update(self, l0: float) -> None:
        """Take the L0 of a batch."""
        if BUFFER not in self._buffers:
            return
        recent = self._buffers[BUFFER]
        before = l0 if float(recent) < 0 else float(recent)
        recent.fill_(_MEMORY * before + (1 - _MEMORY) * l0)
