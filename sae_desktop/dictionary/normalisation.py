"""Scaling of inputs, and the centre of a cloud of rows."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

MASSIVE_NORM = 10.0
"""Rows of more than this many median norms are attention sinks, not language."""


class Affine(NamedTuple):
    """normalised = (raw − shift) · scale, dimension by dimension."""

    shift: Tensor
    """(D,)"""
    scale: Tensor
    """(D,) positive; one number for all dimensions of a site."""

    @classmethod
    def scaling(cls, scalar: float, width: int) -> Affine:
        """Return the map that multiplies by one number."""
        return cls(torch.zeros(width), torch.full((width,), scalar))

    def apply(self, x: Tensor) -> Tensor:
        """Return normalised rows (…, D)."""
        return (x - self.shift) * self.scale

    def to(self, device: torch.device | str) -> Affine:
        return Affine(self.shift.to(device), self.scale.to(device))


def joined(parts: list[Affine]) -> Affine:
    """Return the map of rows that are side by side."""
    return Affine(torch.cat([p.shift for p in parts]), torch.cat([p.scale for p in parts]))


def scalar_of(norms: npt.NDArray[np.float32], width: int) -> float:
    """Return s such that rows × s have E‖x‖² = D, from row norms (T,). Needs a nonzero row."""
    mean_square = float(np.mean(np.square(norms, dtype=np.float64)))
    return float((width / mean_square) ** 0.5)


def massive_rows(norms: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """Return (T,) bool: rows of more than ten times the median norm."""
    if len(norms) == 0:
        return np.zeros(0, dtype=np.bool_)
    return np.asarray(norms > MASSIVE_NORM * np.median(norms))


def geometric_median(x_TD: Tensor, *, iterations: int = 100, tolerance: float = 1e-5) -> Tensor:
    """Return the point (D,) of least mean distance to the rows (Weiszfeld's iteration)."""
    point = x_TD.mean(dim=0)
    for _ in range(iterations):
        weights = 1 / (x_TD - point).norm(dim=1).clamp_min(1e-8)
        following = weights @ x_TD / weights.sum()
        moved = float((following - point).norm())
        point = following
        if moved <= tolerance * float(point.norm().clamp_min(1e-8)):
            break
    return point
