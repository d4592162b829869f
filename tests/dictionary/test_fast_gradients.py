"""Every fast path against the plain formula: the loss and all gradients."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from sae_desktop.dictionary import selection
from sae_desktop.dictionary.architectures import (
    ARCHITECTURES,
    Architecture,
    Batch,
    Setup,
    StepState,
    gated,
    standard,
)

T, D, OUT, F, K = 40, 8, 6, 48, 3


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "BLOCK_BYTES", 1)
    monkeypatch.setattr(selection, "FEWEST_ROWS", 16)


def _trained_like(name: str, setup: Setup, batch: Batch) -> Architecture:
    """An architecture whose biases and norms are not those of the start."""
    generator = torch.Generator().manual_seed(1)
    architecture = ARCHITECTURES[name](setup, generator)
    architecture.initialise_from(batch)
    for key in ("b_enc", "b_dec", "W_skip"):
        if key in architecture.parameters:
            value = architecture.parameters[key]
            value += 0.1 * torch.randn(value.shape, generator=generator)
    architecture.to(torch.device("cpu"))
    return architecture


def _batch(setup: Setup) -> Batch:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(T, setup.width, generator=generator)
    if setup.out_width is None:
        return Batch.of(x)
    return Batch(x, torch.randn(T, setup.out_width, generator=generator))


def _plain(
    architecture: Architecture, batch: Batch, state: StepState
) -> tuple[Tensor, list[Tensor]]:
    loss = architecture.loss(batch, state)
    return loss.total.detach(), list(
        torch.autograd.grad(
            loss.total,
            list(architecture.parameters.values()),
            allow_unused=True,
            materialize_grads=True,
        )
    )


SETUPS = {
    "dictionary": Setup(D, F, steps=100, k=K),
    "transcoder": Setup(D, F, steps=100, k=K, out_width=OUT),
    "skip": Setup(D, F, steps=100, k=K, out_width=OUT, skip=True),
    "crosscoder": Setup(D, F, steps=100, k=K, parts=(5, 3)),
}


@pytest.mark.parametrize("dead", [False, True], ids=["alive", "some dead"])
@pytest.mark.parametrize("kind", SETUPS)
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_gradients__equal_those_of_the_plain_formula(name: str, kind: str, dead: bool) -> None:
    _hold_to_formula(name, SETUPS[kind], dead)


@pytest.mark.parametrize("name", ["topk", "batchtopk", "matryoshka", "sorted_matryoshka"])
def test_gradients__equal_those_of_the_plain_formula_while_k_falls(name: str) -> None:
    setup = Setup(D, F, steps=100, k=K, k_start=4 * K)
    _hold_to_formula(name, setup, dead=False, share=0.4)


@pytest.mark.parametrize("dead", [False, True], ids=["alive", "some dead"])
@pytest.mark.parametrize("name", ["batchtopk", "matryoshka", "sorted_matryoshka"])
def test_gradients__equal_those_of_the_plain_formula_where_rows_are_read_twice(
    name: str, dead: bool
) -> None:
    setup = Setup(D, F, steps=100, k=K, lista_step=0.3)
    _hold_to_formula(name, setup, dead)


@pytest.mark.parametrize("kind", SETUPS)
def test_gradients__equal_those_of_the_plain_formula_where_k_is_aimed_at(kind: str) -> None:
    _hold_to_formula("jumprelu", replace(SETUPS[kind], aims_at_k=True), dead=False)


@pytest.mark.parametrize("share", [0.0, 2.0], ids=["dense", "sparse"])
@pytest.mark.parametrize("kind", SETUPS)
@pytest.mark.parametrize("name", ["standard", "gated"])
def test_both_paths__equal_the_plain_formula(
    name: str, kind: str, share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = {"standard": standard, "gated": gated}[name]
    monkeypatch.setattr(module, "SPARSE_SHARE", share)
    taken: list[str] = []
    sparse, owner = {
        "standard": ("_sparse_sums", standard.Standard),
        "gated": ("_sparse_gradients", gated.Gated),
    }[name]
    whole = getattr(owner, sparse)

    def told(*args: object) -> object:
        taken.append(sparse)
        return whole(*args)

    monkeypatch.setattr(owner, sparse, told)
    _hold_to_formula(name, SETUPS[kind], dead=False)
    assert bool(taken) == (share > 1)


def _hold_to_formula(name: str, setup: Setup, dead: bool, share: float = 1.0) -> None:
    """Compare the loss and all gradients of an architecture with autograd's of its formula."""
    batch = _batch(setup)
    architecture = _trained_like(name, setup, batch)
    dead_F = torch.zeros(F, dtype=torch.bool)
    dead_F[[2, 5, 11, 13, 17]] = dead
    state = StepState(0.7, dead_F, share)
    total, expected = _plain(architecture, batch, state)
    for _ in range(2):  # the second time with what the first has learned
        fast = architecture.gradients(batch, state)
        torch.testing.assert_close(fast.total, total, rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(torch.stack(list(fast.terms.values())).sum(), total)
        for (key, parameter), wanted in zip(architecture.parameters.items(), expected, strict=True):
            assert parameter.grad is not None, key
            scale = float(wanted.abs().max())
            torch.testing.assert_close(
                parameter.grad, wanted, rtol=1e-5, atol=1e-5 * max(scale, 1e-3), msg=key
            )
    acts = architecture.encode(batch.x_TI)
    assert fast.fired_F.equal((acts > 0).sum(dim=0))
    assert fast.l0 == pytest.approx(float((acts > 0).sum()) / T)
