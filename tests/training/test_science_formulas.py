"""Facts 1 to 4 and 6 to 8: normalisation, the start, folding, gradients, what is kept.

Fact 5 is in test_schedules.py; 6 has its fast paths in tests/dictionary/test_fast_gradients.py;
7 is in test_metrics.py.
"""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from toy_features import ToyData, train_architecture, train_toy

from sae_desktop.dictionary.architectures import (
    ARCHITECTURES,
    Architecture,
    Batch,
    Setup,
    StepState,
)
from sae_desktop.dictionary.architectures.jumprelu import Constants
from sae_desktop.dictionary.normalisation import (
    Affine,
    geometric_median,
    massive_rows,
    scalar_of,
)

D, OUT, F, T, K = 5, 4, 12, 20, 3
ALIVE = StepState(0.7, torch.zeros(F, dtype=torch.bool))
KEEPS_ITS_NORM = {"standard", "jumprelu"}

SETUPS = {
    "dictionary": Setup(D, F, steps=100, k=K),
    "skip transcoder": Setup(D, F, steps=100, k=K, out_width=OUT, skip=True),
    "crosscoder": Setup(D, F, steps=100, k=K, parts=(3, 2)),
}


def _random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def _batch(setup: Setup) -> Batch:
    x = _random(T, setup.width).double()
    return Batch.of(x) if setup.out_width is None else Batch(x, _random(T, OUT, seed=1).double())


def _in_double(name: str, setup: Setup, batch: Batch) -> Architecture:
    """An architecture away from its start, float64 throughout."""
    architecture = ARCHITECTURES[name](setup, torch.Generator().manual_seed(2))
    architecture.initialise_from(Batch(*(rows.float() for rows in batch)))
    for number, (key, value) in enumerate(architecture.parameters.items()):
        moved = value.double() + 0.1 * _random(*value.shape, seed=10 + number).double()
        architecture.parameters[key] = moved.requires_grad_(True)
    return architecture


# Fact 1


@pytest.mark.parametrize("factor", [1.0, 37.0, 1e-3])
def test_scalar__brings_the_mean_square_norm_to_the_width(factor: float) -> None:
    x = factor * (7 * _random(20_000, 16) + 3)
    scaled = x * scalar_of(x.norm(dim=1).numpy(), 16)
    assert abs(float(scaled.pow(2).sum(1).mean()) / 16 - 1) < 0.01


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_scaling_the_activations__leaves_the_relative_outputs(name: str) -> None:
    data = ToyData.make(n=24, d=12)
    x = 3.7 * data.batch(512, torch.Generator().manual_seed(1))
    outputs = []
    for factor in (1.0, 53.0):
        generator = torch.Generator().manual_seed(0)
        rows = factor * 3.7 * data.batch(8192, generator)
        affine = Affine.scaling(scalar_of(rows.norm(dim=1).numpy(), 12), 12)
        architecture = ARCHITECTURES[name](Setup(12, 32, steps=40, k=K), generator)
        train_architecture(
            architecture,
            lambda count, f=factor, a=affine, g=generator: Batch.of(
                a.apply(f * 3.7 * data.batch(count, g))
            ),
            features=32, steps=40, rows=256,
        )  # fmt: skip
        dictionary = architecture.folded(affine, affine)
        outputs.append(dictionary.apply(factor * x) / factor)
    # Where rounding moves an activation over its threshold, a whole feature comes or goes.
    off = (outputs[0] - outputs[1]).norm(dim=1) > 1e-3 * outputs[0].norm(dim=1)
    assert float(off.double().mean()) < 0.02


def test_massive_rows__are_those_of_more_than_ten_median_norms() -> None:
    norms = torch.tensor([1.0, 1.1, 0.9, 9.9, 10.5]).numpy()
    assert massive_rows(norms[:4]).tolist() == [False, False, False, False]
    assert massive_rows(norms).tolist() == [False] * 5  # the median is 1.1 now
    assert massive_rows(torch.tensor([1.0, 1.0, 1.0, 10.1]).numpy()).tolist()[-1]


def test_geometric_median__is_not_moved_by_a_far_row() -> None:
    x = _random(999, 4)
    far = torch.cat([x, torch.full((1, 4), 1e6)])
    assert float(geometric_median(far).norm()) < 0.2
    assert float(far.mean(0).norm()) > 100


# Fact 2


def test_standard__starts_with_directions_of_norm_a_tenth_and_no_biases() -> None:
    architecture = ARCHITECTURES["standard"](Setup(64, 500, steps=1), torch.Generator())
    architecture.initialise_from(Batch.of(_random(100, 64)))
    p = architecture.parameters
    assert float((p["W_dec"].norm(dim=1) - 0.1).abs().max()) <= 1e-6
    assert torch.equal(p["W_enc"], p["W_dec"])  # the encoder is kept transposed
    assert float(p["b_enc"].abs().max()) == float(p["b_dec"].abs().max()) == 0


@pytest.mark.parametrize("name", sorted(set(ARCHITECTURES) - KEEPS_ITS_NORM))
def test_architectures_of_unit_rows__start_with_the_encoder_along_the_decoder(name: str) -> None:
    architecture = ARCHITECTURES[name](Setup(64, 500, steps=1), torch.Generator())
    p = architecture.parameters
    torch.testing.assert_close(p["W_dec"].norm(dim=1), torch.ones(500))
    cosines = torch.nn.functional.cosine_similarity(p["W_enc"], p["W_dec"])
    torch.testing.assert_close(cosines, torch.ones(500))


# Facts 3 and 4


def test_standard_loss__does_not_gain_by_scale() -> None:
    batch = _batch(SETUPS["dictionary"])
    architecture = _in_double("standard", SETUPS["dictionary"], batch)
    before = architecture.loss(batch, ALIVE).total.item()
    p = architecture.parameters
    with torch.no_grad():
        for feature, factor in enumerate(torch.logspace(-2, 2, F).tolist()):
            p["W_enc"][feature] *= factor
            p["b_enc"][feature] *= factor
            p["W_dec"][feature] /= factor
    after = architecture.loss(batch, ALIVE)
    assert after.total.item() == pytest.approx(before, rel=1e-5)
    assert after.terms["sparsity"].item() > 0


@pytest.mark.parametrize("kind", ["dictionary", "skip transcoder"])
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_folding__keeps_reconstruction_activations_and_l0(name: str, kind: str) -> None:
    setup = SETUPS[kind]
    batch = _batch(setup)
    architecture = _in_double(name, setup, batch)
    for key, value in architecture.parameters.items():
        architecture.parameters[key] = value.detach()
    architecture.constrain_parameters()  # as after every update
    acts = architecture.encode(batch.x_TI)
    if "threshold" in architecture.buffers:  # inference is by the threshold, not by the batch
        architecture.buffers["threshold"].fill_(0.3)
        pre = architecture.pre_activations(batch.x_TI)  # type: ignore[attr-defined]
        acts = pre * (pre > architecture.buffers["threshold"])
    source = Affine(_random(D).double(), torch.full((D,), 0.25).double())
    target = source if setup.out_width is None else Affine(
        _random(OUT).double(), torch.full((OUT,), 3.0).double()
    )  # fmt: skip
    dictionary = architecture.folded(source, target)
    raw = batch.x_TI / source.scale + source.shift
    found = dictionary.encode(raw)
    assert torch.equal(found > 0, acts > 0)
    torch.testing.assert_close(dictionary.W_dec.norm(dim=1), torch.ones(F).double())
    norms = architecture.parameters["W_dec"].norm(dim=1)
    torch.testing.assert_close(found, acts * norms / target.scale[0])
    expected = architecture.decode(acts, batch.x_TI) / target.scale + target.shift
    torch.testing.assert_close(dictionary.apply(raw), expected)


# Fact 6


def _objective(architecture: Architecture, batch: Batch, names: set[str]) -> Tensor:
    terms = architecture.loss(batch, ALIVE).terms
    return torch.stack([terms[name] for name in sorted(names & set(terms))]).sum()


@pytest.mark.parametrize("kind", SETUPS)
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_gradients_of_the_formula__equal_finite_differences(name: str, kind: str) -> None:
    setup = SETUPS[kind]
    batch = _batch(setup)
    architecture = _in_double(name, setup, batch)
    if name == "sorted_matryoshka":
        # What stops a gradient is no slope: test_sorted_matryoshka holds what reaches a level.
        vars(architecture)["levels_alone"] = False
    terms = set(architecture.loss(batch, ALIVE).terms)
    for key, parameter in architecture.parameters.items():
        if key == "log_threshold":
            continue  # a jump's gradient is an estimate: the test after this one
        # Gated's last term reads a frozen decoder, and so teaches the gate alone.
        frozen = name == "gated" and key in ("W_dec", "b_dec", "W_skip")
        taken = terms - {"auxiliary"} if frozen else terms
        (exact,) = torch.autograd.grad(_objective(architecture, batch, taken), parameter)
        values, flat = exact.flatten(), parameter.data.view(-1)
        scale = float(values.abs().max())
        for place in range(len(flat)):
            kept, both = float(flat[place]), []
            for step in (1e-6, -1e-6):
                flat[place] = kept + step
                both.append(_objective(architecture, batch, taken).item())
            flat[place] = kept
            slope = (both[0] - both[1]) / 2e-6
            assert slope == pytest.approx(float(values[place]), rel=1e-5, abs=1e-6 * scale), key


@pytest.mark.parametrize("name", ["topk", "batchtopk", "matryoshka"])
def test_gradients_of_dead_features__equal_finite_differences(name: str) -> None:
    setup = Setup(D, F, steps=100, k=1)
    batch = _batch(setup)
    architecture = _in_double(name, setup, batch)
    for key in ("W_enc", "b_enc"):  # so weak that others are kept
        architecture.parameters[key].data[-4:] *= 0.01
    silent = architecture.loss(batch, ALIVE).fired_F == 0
    assert 2 <= int(silent.sum()) < F
    state = StepState(0.0, silent)
    total = architecture.loss(batch, state).total
    for key in ("W_enc", "b_enc", "W_dec"):
        parameter = architecture.parameters[key]
        (exact,) = torch.autograd.grad(total, parameter, retain_graph=True)
        assert float(exact[silent].abs().max()) > 0, key
        for feature in torch.nonzero(silent).flatten().tolist():
            view = parameter.data[feature].view(-1)
            for place in range(len(view)):
                kept, both = float(view[place]), []
                for step in (1e-6, -1e-6):
                    view[place] = kept + step
                    both.append(architecture.loss(batch, state).total.item())
                view[place] = kept
                wanted = float(exact[feature].view(-1)[place])
                assert (both[0] - both[1]) / 2e-6 == pytest.approx(wanted, rel=1e-5, abs=1e-8)


def test_gradient_of_a_jump__is_the_straight_through_estimate() -> None:
    setup = SETUPS["dictionary"]
    batch = _batch(setup)
    architecture = _in_double("jumprelu", setup, batch)
    p = architecture.parameters
    norms, threshold = p["W_dec"].norm(dim=1).detach(), p["log_threshold"].exp().detach()
    pre = (batch.x_TI @ p["W_enc"].T + p["b_enc"]).detach()
    f = (pre * (pre > threshold)).requires_grad_(True)
    error = f @ p["W_dec"].detach() + p["b_dec"].detach() - batch.y_TO
    loss = (error.pow(2).sum() + ALIVE.sparsity * torch.tanh(4 * f * norms).sum()) / T
    (grad_f,) = torch.autograd.grad(loss, f)
    assert architecture.constants == Constants(4.0, 2.0, 0.1, 3e-6)  # the recipe's own
    near = (pre - threshold).abs() < 2.0 / 2
    wanted = -threshold / 2.0 * (grad_f * near).sum(dim=0)
    below = (pre < threshold).sum(dim=0)
    wanted += 3e-6 / T * threshold * norms * below
    (found,) = torch.autograd.grad(architecture.loss(batch, ALIVE).total, p["log_threshold"])
    torch.testing.assert_close(found, wanted)


# Fact 8


@pytest.mark.parametrize("name", ["topk", "batchtopk", "matryoshka"])
@pytest.mark.parametrize("k", [1, 3])
def test_k_sparse__keep_at_most_k_of_each_row_or_on_average(name: str, k: int) -> None:
    architecture = ARCHITECTURES[name](Setup(8, 32, steps=100, k=k), torch.Generator())
    x = 5 * _random(200, 8)
    active = (architecture.encode(x) > 0).sum(dim=1)
    assert float(active.float().mean()) <= k
    assert architecture.gradients(
        Batch.of(x), StepState(0.0, torch.zeros(32, dtype=torch.bool))
    ).l0 == pytest.approx(float(active.float().mean()))
    if name == "topk":
        assert int(active.max()) <= k
    else:
        assert int(active.max()) > k  # the batch shares them out


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_inference__does_not_depend_on_batch_mates(name: str) -> None:
    data = ToyData.make()
    dictionary = train_toy(data, name, steps=60, rows=256)
    x = data.batch(64, torch.Generator().manual_seed(4))
    together = dictionary.encode(x)
    alone = torch.cat([dictionary.encode(row[None]) for row in x])
    assert float(together.max()) > 0
    torch.testing.assert_close(together, alone)
