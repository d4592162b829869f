"""Crosscoders: the L1 of norms tells features of both models from those of one."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from toy_targets import TwoModels, train_on

from sae_desktop.dictionary import Dictionary
from sae_desktop.dictionary.architectures import ARCHITECTURES, Batch, Setup
from sae_desktop.dictionary.normalisation import Affine, joined

FEATURES = 80
SPARSITY = 0.5


def crosscoder(
    data: TwoModels, name: str, *, l1_of_norms: bool = True, seed: int = 0, steps: int = 1500
) -> Dictionary:
    generator = torch.Generator().manual_seed(seed)
    parts = (data.width, data.width)
    setup = Setup(
        width=sum(parts), features=FEATURES, steps=steps, k=3, parts=parts if l1_of_norms else ()
    )
    architecture = ARCHITECTURES[name](setup, generator)
    train_on(
        architecture,
        lambda: Batch.of(data.batch(1024, generator)),
        steps=steps,
        lr=2e-3,
        sparsity=SPARSITY,
    )
    whole = joined([Affine.scaling(1.0, width) for width in parts])
    return architecture.folded(whole, whole)


def matched(data: TwoModels, found: Dictionary) -> tuple[Tensor, Tensor]:
    """Return, by true feature, its best cosine and the Δnorm of the feature that reaches it."""
    truth = torch.nn.functional.normalize(torch.cat(data.directions, dim=1))
    best = (truth @ torch.nn.functional.normalize(found.W_dec).T).max(dim=1)
    norms_a, norms_b = (part.norm(dim=1) for part in torch.split(found.W_dec, data.width, dim=1))
    delta = 0.5 * (1 + (norms_b - norms_a) / torch.maximum(norms_a, norms_b))
    return best.values, delta[best.indices]


@pytest.mark.parametrize("seed", [0, 1])
def test_l1_of_norms__tells_shared_from_exclusive_features(seed: int) -> None:
    data = TwoModels(seed=seed)
    cosine, delta = matched(data, crosscoder(data, "standard", seed=seed))
    assert float(cosine.mean()) >= 0.99
    shared, own = data.shared, data.exclusive
    # Under 0.1: of the first model alone; over 0.9: of the second; between: shared.
    right = ((delta[:shared] > 0.1) & (delta[:shared] < 0.9)).sum()
    right += (delta[shared : shared + own] < 0.1).sum() + (delta[shared + own :] > 0.9).sum()
    assert int(right) == len(delta)


def test_l1_of_norms__makes_exclusive_features_exact_where_the_norm_of_all_does_not() -> None:
    data = TwoModels()
    leak = {}
    for l1_of_norms in (True, False):
        _, delta = matched(data, crosscoder(data, "standard", l1_of_norms=l1_of_norms, steps=800))
        first = delta[data.shared : data.shared + data.exclusive]
        leak[l1_of_norms] = float(torch.cat([first, 1 - delta[-data.exclusive :]]).mean())
    assert leak[True] < 1e-4, leak
    assert leak[False] > 10 * leak[True]
