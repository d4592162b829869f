"""Equality of float32 rows: right to a share of the largest value of a row."""

from __future__ import annotations

import torch
from torch import Tensor

TOLERANCE = 1e-5


def assert_near(found: Tensor, wanted: Tensor) -> None:
    """Every value of a row (…, n) is right to 1e-5 of the largest one in it."""
    largest = wanted.abs().amax(dim=-1, keepdim=True).clamp_min(1e-6)
    torch.testing.assert_close(found / largest, wanted / largest, rtol=0, atol=TOLERANCE)
