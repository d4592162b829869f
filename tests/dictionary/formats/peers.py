"""What the comparisons with other libraries share."""

from __future__ import annotations

import torch
from near import assert_near
from torch import Tensor

from sae_desktop.dictionary import Dictionary

SIZES = [(12, 32), (16, 16)]
K = 4


def rows(width: int, count: int = 300) -> Tensor:
    """Rows as a model's: correlated, off the origin, of different lengths."""
    generator = torch.Generator().manual_seed(7)
    mix = torch.randn(width, width, generator=generator)
    lengths = torch.rand(count, 1, generator=generator) + 0.5
    return torch.randn(count, width, generator=generator) @ mix * lengths + 0.3


def shake(module: torch.nn.Module, *, norms: bool = True) -> None:
    """Give every parameter other values; the decoder's rows other lengths, too."""
    generator = torch.Generator().manual_seed(11)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=generator))
            if name == "threshold":
                parameter.abs_()
            if name == "W_dec" and norms:
                parameter.mul_(torch.linspace(0.5, 2.0, len(parameter))[:, None])


def assert_same(ours: Dictionary, acts: Tensor, norms: Tensor, written: Tensor, x: Tensor) -> None:
    """The same features fire, as strongly (times their decoder norm), and write the same."""
    found = ours.encode(x)
    assert torch.equal(found > 0, acts > 0)
    assert 0 < int((acts > 0).sum()) < acts.numel()
    assert_near(found, acts * norms)
    assert_near(ours.apply(x), written)
