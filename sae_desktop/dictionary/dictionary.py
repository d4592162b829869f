"""A trained dictionary, ready to be applied to raw activations."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class Dictionary:
    """F features of a D-wide site, everything folded in.

    Input scaling and decoder norms are folded into the weights: the decoder rows have norm
    one, so an activation is what Scaling Monosemanticity calls f_i·‖W_dec,i‖, in the units
    of the raw activations.

        encode:  a = ReLU(x·W_enc + b_enc), and 0 where a ≤ threshold if there is one
        decode:  x̂ = a·W_dec + b_dec
    """

    def __init__(
        self,
        W_enc: Tensor,
        b_enc: Tensor,
        W_dec: Tensor,
        b_dec: Tensor,
        threshold: Tensor | None = None,
        *,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Take W_enc (D, F), b_enc (F,), W_dec (F, D), b_dec (D,) and threshold (F,)."""
        width, features = W_enc.shape
        shapes = {
            "W_dec": (W_dec.shape, (features, width)),
            "b_enc": (b_enc.shape, (features,)),
            "b_dec": (b_dec.shape, (width,)),
        }
        if threshold is not None:
            shapes["threshold"] = (threshold.shape, (features,))
        for name, (found, wanted) in shapes.items():
            if tuple(found) != wanted:
                raise ValueError(f"{name} has shape {tuple(found)}, not {wanted}")
        self.W_enc = W_enc
        self.b_enc = b_enc
        self.W_dec = W_dec
        self.b_dec = b_dec
        self.threshold = threshold
        self.metadata: dict[str, Any] = metadata or {}

    @property
    def features(self) -> int:
        """F."""
        return int(self.W_enc.shape[1])

    @property
    def width(self) -> int:
        """D."""
        return int(self.W_enc.shape[0])

    @property
    def device(self) -> torch.device:
        return self.W_enc.device

    def encode(self, x: Tensor) -> Tensor:
        """Return the activations (…, F) of raw model activations x (…, D)."""
        return self._activate(
            torch.nn.functional.linear(self._cast(x), self.W_enc.T, self.b_enc), self.threshold
        )

    def encode_features(self, x: Tensor, ids: Tensor) -> Tensor:
        """Return the activations (…, n) of the features `ids` (n,) only."""
        threshold = None if self.threshold is None else self.threshold[ids]
        return self._activate(self._cast(x) @ self.W_enc[:, ids] + self.b_enc[ids], threshold)

    def decode(self, activations: Tensor) -> Tensor:
        """Return the reconstruction (…, D) from activations (…, F)."""
        return activations @ self.W_dec + self.b_dec

    def to(self, device: torch.device | str) -> Dictionary:
        """Return this dictionary on another device."""
        return Dictionary(
            self.W_enc.to(device),
            self.b_enc.to(device),
            self.W_dec.to(device),
            self.b_dec.to(device),
            None if self.threshold is None else self.threshold.to(device),
            metadata=self.metadata,
        )

    def _cast(self, x: Tensor) -> Tensor:
        return x.to(device=self.W_enc.device, dtype=self.W_enc.dtype)

    @staticmethod
    def _activate(pre: Tensor, threshold: Tensor | None) -> Tensor:
        if threshold is None:
            return torch.relu_(pre)
        # A threshold below 0 would let a negative value through.
        return pre.mul_(pre > threshold.clamp_min(0))
