"""Crosscoders: the L1 of norms tells features of both models from those of one."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from toy_targets import TwoModels, train_on

from sae_desktop.dictionary import Dictionary
from sae_desktop.dictionary.architectures import ARCHITECTURES, Batch, Setup
from sae_desktop.dictionary.normalisation import Affine, joined

FEATURES = 80


def crosscoder(
    data: TwoModels,
    name: str,
    *,
    l1_of_norms: bool = True,
    seed: int = 0,
    steps: int = 3000,
    sparsity: float = 0.2,
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
        sparsity=sparsity,
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


@pytest.mark.nightly
@pytest.mark.parametrize("seed", [0, 1])
def test_l1_of_norms__tells_shared_from_exclusive_features(
    seed: int, record_property: Callable[[str, object], None]
) -> None:
    data = TwoModels(seed=seed)
    cosine, delta = matched(data, crosscoder(data, "standard", seed=seed))
    assert float(cosine.mean()) >= 0.99
    shared, own = data.shared, data.exclusive
    # Under 0.1: of the first model alone; over 0.9: of the second; about a half: shared. A
    # larger λ, or a shorter run, leaves shared features unevenly shared.
    first, second = delta[shared : shared + own], delta[shared + own :]
    assert bool((first < 0.1).all())
    assert bool((second > 0.9).all())
    even = (delta[:shared] >= 0.4) & (delta[:shared] <= 0.6)
    right = int(even.sum()) + len(first) + len(second)
    record_property("accuracy", right / len(delta))
    assert right / len(delta) >= 0.93


def test_l1_of_norms__makes_exclusive_features_exact_where_the_norm_of_all_does_not() -> None:
    data = TwoModels()
    leak = {}
    for l1_of_norms in (True, False):
        found = crosscoder(data, "standard", l1_of_norms=l1_of_norms, steps=800, sparsity=0.5)
        _, delta = matched(data, found)
        first = delta[data.shared : data.shared + data.exclusive]
        leak[l1_of_norms] = float(torch.cat([first, 1 - delta[-data.exclusive :]]).mean())
    assert leak[True] < 1e-4, leak
    assert leak[False] > 10 * leak[True]


@pytest.mark.parametrize("name", ["standard", "topk", "batchtopk", "matryoshka", "jumprelu"])
def test_folding__keeps_what_parts_of_different_scales_read_and_write(name: str) -> None:
    generator = torch.Generator().manual_seed(0)
    parts, features = (3, 5), 16
    setup = Setup(width=8, features=features, steps=10, k=2, parts=parts)
    architecture = ARCHITECTURES[name](setup, generator)
    x = torch.randn(400, 8, generator=generator)
    architecture.initialise_from(Batch.of(x))
    # JumpReLU begins with a row exactly on each threshold, where rounding decides.
    architecture.parameters["b_enc"] += 0.01
    affine = joined(
        [
            Affine(torch.full((3,), 2.0), torch.full((3,), 0.05)),
            Affine(torch.full((5,), -1.0), torch.full((5,), 7.0)),
        ]
    )
    if "threshold" in architecture.buffers:
        architecture.buffers["threshold"].fill_(0.3)
        pre = architecture.pre_activations(x)
        acts = pre * (pre > 0.3)
    else:
        acts = architecture.encode(x)
    expected = architecture.decode(acts, x) / affine.scale + affine.shift
    folded = architecture.folded(affine, affine)
    raw = x / affine.scale + affine.shift
    assert float(((folded.encode(raw) > 0) != (acts > 0)).double().mean()) < 1e-3
    torch.testing.assert_close(folded.apply(raw), expected, rtol=1e-3, atol=1e-3)
    for number, written in enumerate(torch.split(expected, parts, dim=1)):
        part = folded.part(number)
        assert part.out_width == parts[number]
        torch.testing.assert_close(part.apply(raw), written, rtol=1e-3, atol=1e-3)


def test_part__is_silent_where_a_feature_leaves_it_alone() -> None:
    W_dec = torch.nn.functional.normalize(torch.randn(6, 5))
    W_dec[2, :2] = 0
    found = Dictionary(torch.randn(5, 6), torch.ones(6), W_dec, torch.zeros(5), parts=(2, 3))
    x = torch.randn(50, 5)
    acts, part = found.encode(x), found.part(0)
    norms = W_dec[:, :2].norm(dim=1)
    torch.testing.assert_close(part.encode(x), acts * norms)
    assert float(acts[:, 2].max()) > 0 == float(part.encode(x)[:, 2].max())
