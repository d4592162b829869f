"""Firings without a dense array of activations are those of the dense one."""

from __future__ import annotations

import pytest
import torch

from sae_desktop.dictionary import Dictionary


@pytest.mark.parametrize("kind", ["relu", "threshold", "negative threshold", "k"])
def test_active__is_what_encode_has_above_0(kind: str) -> None:
    generator = torch.Generator().manual_seed(0)
    W_enc = torch.randn(12, 40, generator=generator)
    threshold = None
    if "threshold" in kind:
        threshold = torch.rand(40, generator=generator) - (2.0 if "negative" in kind else 0.0)
    dictionary = Dictionary(
        W_enc,
        torch.randn(40, generator=generator),
        torch.nn.functional.normalize(torch.randn(40, 12, generator=generator), dim=1),
        torch.zeros(12),
        threshold,
        k=5 if kind == "k" else None,
    )
    x = torch.randn(30, 12, generator=generator)
    dense = dictionary.encode(x)
    rows, features, values = dictionary.active(x)
    found = torch.zeros_like(dense)
    found[rows, features] = values
    torch.testing.assert_close(found, dense)
    assert (values > 0).all()
    assert (torch.diff(rows * 40 + features) > 0).all()
    assert len(rows) == int((dense > 0).sum())
