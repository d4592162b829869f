"""Gated dictionaries: the paper's formulas, which parameter learns from what, exact folding."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from toy_features import ToyData, mean_max_cosine
from toy_targets import train_on

from sae_desktop.dictionary.architectures import Batch, Setup, StepState
from sae_desktop.dictionary.architectures.gated import Gated
from sae_desktop.dictionary.normalisation import Affine, joined

D, F, LAMBDA = 6, 10, 0.7
STEPS = 600


def gated(**changes: object) -> Gated:
    """One whose every parameter is random and doubles, so that every formula is put to work."""
    generator = torch.Generator().manual_seed(0)
    architecture = Gated(Setup(**({"width": D, "features": F, "steps": 10} | changes)), generator)
    for name, tensor in architecture.parameters.items():
        if name != "W_dec":
            tensor = tensor + 0.3 * torch.randn(tensor.shape, generator=generator)
        architecture.parameters[name] = tensor.double().requires_grad_()
    return architecture


def rows(count: int = 40, width: int = D) -> Tensor:
    return torch.randn(count, width, generator=torch.Generator().manual_seed(1)).double()


def state() -> StepState:
    return StepState(LAMBDA, torch.zeros(F, dtype=torch.bool))


def test_loss__is_the_papers() -> None:
    architecture, x = gated(), rows()
    p = architecture.parameters
    total = torch.zeros(())
    for row in x:
        gate = p["W_enc"] @ (row - p["b_dec"]) + p["b_enc"]
        magnitude = (p["r_mag"].exp()[:, None] * p["W_enc"]) @ (row - p["b_dec"]) + p["b_mag"]
        f = (gate > 0) * magnitude.relu()
        total = total + (row - f @ p["W_dec"] - p["b_dec"]).square().sum()
        total = total + LAMBDA * gate.relu().abs().sum()
        total = total + (row - gate.relu() @ p["W_dec"] - p["b_dec"]).square().sum()
    loss = architecture.loss(Batch.of(x), state())
    torch.testing.assert_close(loss.total, total / len(x))
    torch.testing.assert_close(sum(loss.terms.values()), loss.total)
    acts = architecture.encode(x)
    assert torch.equal(loss.fired_F, (acts > 0).sum(dim=0))
    assert loss.l0 == pytest.approx(float((acts > 0).double().sum(dim=1).mean()))


def test_decoder__learns_nothing_from_the_auxiliary_term() -> None:
    architecture, x = gated(), rows()
    loss = architecture.loss(Batch.of(x), state())
    W_dec, W_enc = architecture.parameters["W_dec"], architecture.parameters["W_enc"]
    alone = torch.autograd.grad(loss.terms["reconstruction"], W_dec, retain_graph=True)[0]
    assert torch.equal(torch.autograd.grad(loss.total, W_dec, retain_graph=True)[0], alone)
    # The gate is a step: what it lets through gives it no gradient, the other terms do.
    loss.terms["auxiliary"].backward(retain_graph=True)
    assert W_dec.grad is None
    assert float(W_enc.grad.abs().min(dim=1).values.sum()) > 0


@pytest.mark.parametrize("name", ["r_mag", "b_mag", "W_dec"])
def test_gradient__equals_finite_differences(name: str) -> None:
    architecture, x = gated(), rows()
    loss = architecture.loss(Batch.of(x), state())
    # Of the part that this parameter learns from: the decoder is frozen in the last term.
    part = loss.terms["reconstruction"]
    parameter = architecture.parameters[name]
    exact = torch.autograd.grad(part, parameter)[0].flatten()
    flat = parameter.data.view(-1)
    for place in range(0, len(flat), 7):
        values = []
        for step in (1e-6, -1e-6):
            kept = float(flat[place])
            flat[place] = kept + step
            terms = architecture.loss(Batch.of(x), state()).terms
            values.append(terms["reconstruction"].item())
            flat[place] = kept
        assert (values[0] - values[1]) / 2e-6 == pytest.approx(float(exact[place]), abs=1e-6)


@pytest.mark.parametrize(
    "changes",
    [{}, {"out_width": 4}, {"out_width": 4, "skip": True}, {"parts": (2, 4)}],
    ids=["dictionary", "transcoder", "skip", "crosscoder"],
)
@pytest.mark.parametrize("sparse", [True, False], ids=["sparse", "in blocks"])
def test_gradients__equal_those_of_the_formula(
    changes: dict[str, object], sparse: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sae_desktop.dictionary.architectures._blocks.BLOCK_BYTES", 1)
    monkeypatch.setattr("sae_desktop.dictionary.architectures._blocks.FEWEST_ROWS", 16)
    architecture = gated(**changes)
    for name, tensor in architecture.parameters.items():
        architecture.parameters[name] = tensor.detach().float().requires_grad_()
    if "W_skip" in architecture.parameters:
        architecture.parameters["W_skip"].data.normal_()
    x = rows().float()
    batch = Batch(x, rows(width=4).float()) if "out_width" in changes else Batch.of(x)
    plain = architecture.loss(batch, state())
    parameters = list(architecture.parameters.values())
    expected = torch.autograd.grad(plain.total, parameters, materialize_grads=True)
    architecture.buffers["open_share"].fill_(0.0 if sparse else 1.0)
    fast = architecture.gradients(batch, state())
    assert 0 < float(architecture.buffers["open_share"]) < 1
    torch.testing.assert_close(fast.total, plain.total.detach())
    for name, term in plain.terms.items():
        torch.testing.assert_close(fast.terms[name], term.detach())
    assert torch.equal(fast.fired_F, plain.fired_F)
    assert fast.l0 == pytest.approx(plain.l0)
    for name, gradient in zip(architecture.parameters, expected, strict=True):
        found = architecture.parameters[name].grad
        torch.testing.assert_close(found, gradient, rtol=1e-4, atol=1e-5, msg=name)


def test_update__keeps_decoder_rows_units_and_their_gradient_across() -> None:
    architecture, x = gated(), rows()
    architecture.gradients(Batch.of(x), state())
    architecture.constrain_gradients()
    W_dec = architecture.parameters["W_dec"]
    assert float((W_dec.grad * W_dec.data).sum(dim=1).abs().max()) < 1e-6
    W_dec.data.add_(W_dec.grad)
    architecture.constrain_parameters()
    torch.testing.assert_close(W_dec.norm(dim=1), torch.ones(F).double())


@pytest.mark.parametrize("transcoder", [False, True])
def test_folding__keeps_reconstruction_activations_and_l0(transcoder: bool) -> None:
    architecture = gated(**({"out_width": 4, "skip": True} if transcoder else {}))
    generator = torch.Generator().manual_seed(3)
    source = Affine(torch.randn(D, generator=generator).double(), torch.full((D,), 0.25).double())
    out = 4 if transcoder else D
    target = Affine(torch.ones(out).double(), torch.full((out,), 2.0).double())
    target = target if transcoder else source
    x = rows()
    acts = architecture.encode(x)
    written = architecture.decode(acts, x)
    dictionary = architecture.folded(source, target)
    raw = x / source.scale + source.shift
    torch.testing.assert_close(dictionary.encode(raw), (acts / target.scale[0]).detach())
    torch.testing.assert_close(
        dictionary.apply(raw), (written / target.scale + target.shift).detach()
    )
    torch.testing.assert_close(dictionary.W_dec.norm(dim=1), torch.ones(F).double())


def test_crosscoder__pays_for_the_sum_of_the_parts_norms() -> None:
    architecture = gated(width=6, parts=(2, 4))
    x = rows()
    W_dec = architecture.parameters["W_dec"]
    norms = W_dec[:, :2].norm(dim=1) + W_dec[:, 2:].norm(dim=1)
    gate = architecture.pre_activations(x).relu()
    loss = architecture.loss(Batch.of(x), state())
    torch.testing.assert_close(loss.terms["sparsity"], LAMBDA * (gate @ norms).mean())
    parts = joined([Affine.scaling(0.5, 2), Affine.scaling(3.0, 4)])
    parts = Affine(parts.shift.double(), parts.scale.double())
    dictionary = architecture.folded(parts, parts)
    assert dictionary.parts == (2, 4)


def test_gated__finds_the_features_of_toy_data_and_does_not_shrink() -> None:
    data = ToyData.make()
    generator = torch.Generator().manual_seed(0)
    architecture = Gated(Setup(width=32, features=128, steps=STEPS), generator)
    train_on(
        architecture,
        lambda: Batch.of(data.batch(512, generator)),
        steps=STEPS,
        lr=2e-3,
        sparsity=2.0,
    )
    whole = Affine.scaling(1.0, 32)
    dictionary = architecture.folded(whole, whole)
    assert mean_max_cosine(data.directions, dictionary.W_dec) >= 0.97
    x = data.batch(4096, torch.Generator().manual_seed(9))
    written = dictionary.apply(x)
    along = float((written * x).sum() / written.pow(2).sum())
    assert along == pytest.approx(1.0, abs=0.05)
