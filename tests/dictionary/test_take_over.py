"""Taking over: what is given a finished dictionary before training folds back to that one."""

from __future__ import annotations

import pytest
import torch

from sae_desktop.dictionary import Dictionary
from sae_desktop.dictionary.architectures import ARCHITECTURES, Setup
from sae_desktop.dictionary.normalisation import Affine
from sae_desktop.dictionary.refinement import Refinement

WIDTH, OUT, FEATURES, K = 12, 7, 40, 5
GENERATOR = torch.Generator().manual_seed(2)
CENTRED = Affine(30 * torch.randn(WIDTH, generator=GENERATOR), torch.full((WIDTH,), 0.07))
WRITTEN = Affine(torch.randn(OUT, generator=GENERATOR), torch.full((OUT,), 11.0))
NAMES = ["standard", "topk", "batchtopk", "matryoshka", "sorted_matryoshka", "jumprelu", "gated"]
THRESHOLD = torch.full((FEATURES,), 1.7)
ROWS = CENTRED.shift + 10 * torch.randn(300, WIDTH, generator=GENERATOR)


def dictionary(architecture: str, *, out: int = WIDTH, skip: bool = False) -> Dictionary:
    """A finished one of any library: its decoder's rows are not of norm one."""
    one = architecture in ("batchtopk", "matryoshka", "sorted_matryoshka")
    W_dec = torch.rand(FEATURES, 1, generator=GENERATOR).add(0.2)
    thresholds = torch.rand(FEATURES, generator=GENERATOR).add(0.5)
    return Dictionary(
        torch.randn(WIDTH, FEATURES, generator=GENERATOR) / WIDTH**0.5,
        5 * torch.randn(FEATURES, generator=GENERATOR) - 2,
        torch.nn.functional.normalize(torch.randn(FEATURES, out, generator=GENERATOR))
        * (1.0 if one or architecture == "topk" else W_dec),
        20 * torch.randn(out, generator=GENERATOR),
        None if architecture in ("standard", "topk") else THRESHOLD if one else thresholds,
        k=K if architecture == "topk" else None,
        W_skip=torch.randn(WIDTH, out, generator=GENERATOR) if skip else None,
    )


def begun(architecture: str, parent: Dictionary, target: Affine, **setup: object) -> Dictionary:
    made = ARCHITECTURES[architecture](
        Setup(width=WIDTH, features=FEATURES, steps=10, k=K, **setup),  # type: ignore[arg-type]
        torch.Generator().manual_seed(5),
    )
    made.take_over(parent, CENTRED, target)
    return made.folded(CENTRED, target)


@pytest.mark.parametrize("architecture", NAMES)
def test_every_architecture__begins_as_what_it_takes_over(architecture: str) -> None:
    parent = dictionary(architecture)
    found = begun(architecture, parent, CENTRED)
    # An activation is in units of what it writes, whatever the norms were before.
    acts = parent.encode(ROWS) * parent.W_dec.norm(dim=1)
    assert 0 < float((acts > 0).float().mean()) < 0.9
    torch.testing.assert_close(found.encode(ROWS), acts, rtol=1e-5, atol=1e-3)
    written = parent.apply(ROWS)
    assert float((found.apply(ROWS) - written).norm()) < 1e-5 * float(written.norm())
    norms = found.W_dec.norm(dim=1)
    torch.testing.assert_close(norms, torch.ones_like(norms))


@pytest.mark.parametrize("architecture", NAMES)
@pytest.mark.parametrize("skip", [False, True])
def test_transcoder__begins_as_what_it_takes_over(architecture: str, skip: bool) -> None:
    parent = dictionary(architecture, out=OUT, skip=skip)
    found = begun(architecture, parent, WRITTEN, out_width=OUT, skip=skip)
    written = parent.apply(ROWS)
    assert float((found.apply(ROWS) - written).norm()) < 1e-5 * float(written.norm())


@pytest.mark.parametrize("architecture", ["batchtopk", "matryoshka"])
def test_one_threshold__is_not_made_of_many(architecture: str) -> None:
    with pytest.raises(ValueError, match="threshold of its own"):
        begun(architecture, dictionary("jumprelu"), CENTRED)


def test_feature_that_writes_nothing__harms_no_other() -> None:
    parent = dictionary("standard")
    parent.W_dec[3] = 0
    found = begun("standard", parent, CENTRED)
    assert bool(torch.isfinite(found.W_enc).all())
    written = parent.apply(ROWS)
    assert float((found.apply(ROWS) - written).norm()) < 1e-5 * float(written.norm())


def test_second_reading__is_taken_over_with_its_threshold() -> None:
    parent = dictionary("batchtopk")
    parent.W_dec = torch.nn.functional.normalize(parent.W_dec)
    parent.refinement = Refinement(0.3, torch.full((FEATURES,), 2.9), 0.8)
    found = begun("batchtopk", parent, CENTRED, lista_step=0.3, leave_one_out=0.8)
    acts = parent.encode(ROWS)
    assert not torch.equal(acts > 0, dictionary("batchtopk").encode(ROWS) > 0)
    torch.testing.assert_close(found.encode(ROWS), acts, rtol=1e-5, atol=1e-3)
