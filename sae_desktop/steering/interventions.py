"""What steering does to activations, as functions of them (Scaling Monosemanticity, steering).

Shape legend in names: B sequences, S tokens, D model width, n features acted on.
"""

from __future__ import annotations

from torch import Tensor


def clamp(x_BSD: Tensor, acts_BSn: Tensor, values_n: Tensor, directions_nD: Tensor) -> Tensor:
    """Return x + Σ (vᵢ − aᵢ)·dᵢ: each feature's activation set to v, all else as it was.

    That is the reconstruction with the features set to their values plus the untouched error.
    `directions_nD` are the features' unit decoder rows.
    """
    return x_BSD + (values_n - acts_BSn) @ directions_nD
