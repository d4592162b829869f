import pytest
import torch
from torch import Tensor

from sae_desktop.dictionary.architectures import BatchTopK, Setup, Standard, StepState
from sae_desktop.dictionary.kernels import (
    Active,
    gather_pre_activations,
    largest_positive,
    sparse_decode,
)

T, D, F, K = 40, 8, 24, 3


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(1)


@pytest.mark.parametrize("hint", [0.0, 0.5, 100.0])
def test_largest_positive__is_what_a_full_sort_gives_whatever_the_hint(
    generator: torch.Generator, hint: float
) -> None:
    pre = torch.randn(T, F, generator=generator)
    flat, smallest = largest_positive(pre, K * T, hint)
    expected = pre.flatten().topk(K * T)
    assert flat.tolist() == sorted(expected.indices.tolist())
    assert smallest == float(expected.values[-1])


def test_largest_positive__with_ties_keeps_the_count_and_with_few_positives_takes_them() -> None:
    pre = torch.ones(4, 4)
    assert len(largest_positive(pre, 5, 0.0)[0]) == 5
    pre = -torch.ones(4, 4)
    pre[1, 2] = 3.0
    assert largest_positive(pre, 5, 2.0) == (torch.tensor([6]), 3.0)
    assert largest_positive(-torch.ones(2, 2), 1, 0.0)[1] == 0.0


def _dense_loss(x: Tensor, p: dict[str, Tensor], flat: Tensor) -> Tensor:
    """The formula with dense autograd, the same entries kept."""
    pre = (x - p["b_dec"]) @ p["W_enc"].T + p["b_enc"]
    mask = torch.zeros(pre.numel()).index_fill(0, flat, 1.0).view_as(pre)
    error = x - (pre.relu() * mask) @ p["W_dec"] - p["b_dec"]
    return error.pow(2).sum() / len(x)


def test_batchtopk__sparse_gradients_equal_dense_autograd(generator: torch.Generator) -> None:
    architecture = BatchTopK(Setup(D, F, K, 100), generator)
    architecture.parameters["b_dec"] = torch.randn(D, generator=generator)
    architecture.parameters["b_enc"] = 0.1 * torch.randn(F, generator=generator)
    architecture.to(torch.device("cpu"))
    x = torch.randn(T, D, generator=generator)
    p = architecture.parameters

    loss = architecture.loss(x, StepState(0.0, torch.zeros(F, dtype=torch.bool)))
    fast = torch.autograd.grad(loss.total, list(p.values()))
    pre = (x - p["b_dec"]) @ p["W_enc"].T + p["b_enc"]
    flat, _ = largest_positive(pre.detach(), K * T, 0.0)
    naive_loss = _dense_loss(x, p, flat)
    naive = torch.autograd.grad(naive_loss, list(p.values()))

    torch.testing.assert_close(loss.total, naive_loss, rtol=1e-5, atol=1e-5)
    for name, a, b in zip(p, fast, naive, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5, msg=name)
    assert loss.l0 == K


def test_batchtopk__auxiliary_gradient_reaches_the_dead_features_alone(
    generator: torch.Generator,
) -> None:
    architecture = BatchTopK(Setup(D, F, K, 100), generator)
    architecture.to(torch.device("cpu"))
    dead = torch.zeros(F, dtype=torch.bool)
    dead[[2, 5]] = True
    architecture.parameters["b_enc"].data[dead] = -5.0
    x = torch.randn(T, D, generator=generator)
    total = architecture.loss(x, StepState(0.0, dead)).total
    plain = architecture.loss(x, StepState(0.0, torch.zeros_like(dead))).total
    (grad,) = torch.autograd.grad(total - plain, [architecture.parameters["W_dec"]])
    assert float(grad[~dead].abs().max()) < 1e-6
    assert float(total.detach()) > float(plain.detach())


def test_kernels__gradients_equal_finite_differences(generator: torch.Generator) -> None:
    x = torch.randn(6, 4, generator=generator, dtype=torch.float64)
    W = torch.randn(5, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    b = torch.randn(5, generator=generator, dtype=torch.float64, requires_grad=True)
    W_dec = torch.randn(5, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    active = Active.from_flat(torch.tensor([0, 3, 7, 8, 21, 29]), 6, 5)

    def through(W: Tensor, b: Tensor, W_dec: Tensor) -> Tensor:
        pre = (x @ W.T + b).detach()
        return sparse_decode(gather_pre_activations(pre, x, W, b, active), active, W_dec)

    assert torch.autograd.gradcheck(through, (W, b, W_dec))


def test_standard__loss_is_the_papers_and_stands_rescaling(generator: torch.Generator) -> None:
    architecture = Standard(Setup(D, F, K, 100), generator)
    architecture.to(torch.device("cpu"))
    p = architecture.parameters
    x = torch.randn(T, D, generator=generator)
    state = StepState(5.0, torch.zeros(F, dtype=torch.bool))
    f = (x @ p["W_enc"].T + p["b_enc"]).relu()
    x_hat = f @ p["W_dec"] + p["b_dec"]
    by_hand = (x - x_hat).pow(2).sum(1).mean() + 5 * (f * p["W_dec"].norm(dim=1)).sum(1).mean()
    before = architecture.loss(x, state).total
    torch.testing.assert_close(before, by_hand)
    with torch.no_grad():
        scale = torch.rand(F, generator=generator) + 0.5
        p["W_enc"] *= scale[:, None]
        p["b_enc"] *= scale
        p["W_dec"] /= scale[:, None]
    torch.testing.assert_close(architecture.loss(x, state).total, before, rtol=1e-5, atol=0)


def test_standard__begins_with_directions_of_norm_a_tenth(generator: torch.Generator) -> None:
    p = Standard(Setup(D, F, K, 100), generator).parameters
    norms = p["W_dec"].norm(dim=1)
    assert float((norms - 0.1).abs().max()) < 1e-6
    assert torch.equal(p["W_enc"], p["W_dec"])
    assert not p["b_enc"].any()
    assert not p["b_dec"].any()
