"""A second reading of what the first one leaves over, and features dropped that others make up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor
from toy_dictionaries import D, F, toy_dictionary
from toy_features import ToyData, train_architecture

from sae_desktop.dictionary import Dictionary
from sae_desktop.dictionary.architectures import ARCHITECTURES, Batch, Setup
from sae_desktop.dictionary.formats import dictionary_learning
from sae_desktop.dictionary.normalisation import Affine
from sae_desktop.dictionary.refinement import Refinement
from sae_desktop.errors import UserError
from sae_desktop.exchange.fitting_sites import save_for_saelens
from sae_desktop.training.config import TrainConfig
from sae_desktop.training.measuring.metrics import measure_fit
from sae_desktop.training.settings_check import setting_problems

FIRST = torch.linspace(0.1, 0.9, F)
X = torch.randn(30, D, generator=torch.Generator().manual_seed(1))


def refined(step: float, alone: float) -> Dictionary:
    first = FIRST if step else None
    return toy_dictionary(threshold=True, refinement=Refinement(step, first, alone))


def by_hand(dictionary: Dictionary, x: Tensor, step: float, alone: float) -> Tensor:
    """Return the activations (R, F), one row and one feature at a time."""
    plain = toy_dictionary(threshold=True)
    assert plain.threshold is not None
    out = torch.zeros(len(x), F)
    for row, values in enumerate(x):
        pre = values @ plain.W_enc + plain.b_enc
        if step:
            first = torch.where(pre > FIRST, pre, 0.0)
            left = values - first @ plain.W_dec - plain.b_dec
            pre = pre + step * left @ plain.W_enc
        a = torch.where(pre > plain.threshold, pre, 0.0)
        for feature in range(F):
            others = a.clone()
            others[feature] = 0.0
            needed = (values - others @ plain.W_dec - plain.b_dec) @ plain.W_dec[feature]
            kept = not alone or needed > alone * plain.threshold[feature]
            out[row, feature] = a[feature] if kept else 0.0
    assert 0 < int((out > 0).sum()) < out.numel()
    return out


@pytest.mark.parametrize(("step", "alone"), [(0.3, 0.0), (0.0, 0.8), (0.3, 1.0)])
def test_activations__are_those_by_hand(step: float, alone: float) -> None:
    dictionary = refined(step, alone)
    expected = by_hand(dictionary, X, step, alone)
    torch.testing.assert_close(dictionary.encode(X), expected)
    torch.testing.assert_close(dictionary.encode(X.view(5, 6, D)), expected.view(5, 6, F))
    ids = torch.tensor([7, 2])
    torch.testing.assert_close(dictionary.encode_features(X, ids), expected[:, ids])
    rows, features, values = dictionary.active(X)
    torch.testing.assert_close(values, expected[rows, features])
    assert len(values) == int((expected > 0).sum())
    torch.testing.assert_close(dictionary.apply(X), dictionary.decode(expected))


def test_scaled_and_shifted__read_the_same_rows_alike() -> None:
    dictionary = refined(0.3, 1.0)
    expected = dictionary.encode(X)
    torch.testing.assert_close(dictionary.scaled(4.0).encode(X / 4) * 4, expected)
    constant = torch.randn(D, generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(
        dictionary.shifted(constant, constant).encode(X + constant), expected
    )
    with pytest.raises(ValueError, match="alike"):
        dictionary.shifted(constant, None)


def test_gradients_of_a_reading__are_those_of_both() -> None:
    dictionary = refined(0.3, 0.0)
    x = X.double()[:4].requires_grad_()
    weights = torch.randn(F, generator=torch.Generator().manual_seed(3))
    (dictionary.encode(x.float()) * weights).sum().backward()
    assert x.grad is not None
    along, small = torch.randn(4, D).double(), 1e-3
    ends = [
        float((dictionary.encode((x.detach() + sign * small * along).float()) * weights).sum())
        for sign in (1, -1)
    ]
    slope = (ends[0] - ends[1]) / (2 * small)
    assert float((x.grad * along).sum()) == pytest.approx(slope, rel=2e-2)


@pytest.mark.parametrize("name", ["batchtopk", "matryoshka", "sorted_matryoshka"])
def test_finished_dictionary__reads_as_it_was_trained(name: str) -> None:
    generator = torch.Generator().manual_seed(0)
    setup = Setup(D, F, steps=10, k=2, lista_step=0.3, leave_one_out=0.5)
    architecture = ARCHITECTURES[name](setup, generator)
    p = architecture.parameters
    p["W_enc"] = torch.randn(F, D, generator=generator)
    p["b_enc"] = 0.1 * torch.randn(F, generator=generator)
    p["b_dec"] = torch.randn(D, generator=generator)
    architecture.buffers["threshold"] = torch.tensor(0.4)
    architecture.buffers["first_threshold"] = torch.tensor(0.7)
    affine = Affine(scale=torch.full((D,), 0.25), shift=torch.arange(D).float())
    x = affine.apply(X)
    read = x - p["b_dec"]
    pre = read @ p["W_enc"].T + p["b_enc"]
    first = pre * (pre > 0.7)
    pre = pre + 0.3 * (read - first @ p["W_dec"]) @ p["W_enc"].T
    acts = pre * (pre > 0.4)
    found = architecture.folded(affine, affine)
    without = replace_refinement(found, leave_one_out=0.0)
    torch.testing.assert_close(without.encode(X), acts / 0.25, rtol=1e-4, atol=1e-4)
    left = read - acts @ p["W_dec"]
    needed = (left @ p["W_dec"].T + acts > 0.5 * 0.4) & (acts > 0)
    torch.testing.assert_close(found.encode(X), acts * needed / 0.25, rtol=1e-4, atol=1e-4)
    assert 0 < int(needed.sum()) < int((acts > 0).sum())


@pytest.mark.parametrize("name", ["jumprelu", "gated"])
def test_features_of_thresholds_of_their_own__are_left_out_one_at_a_time(name: str) -> None:
    generator = torch.Generator().manual_seed(0)
    setup = Setup(D, F, steps=10, k=2, leave_one_out=0.5)
    architecture = ARCHITECTURES[name](setup, generator)
    p = architecture.parameters
    p["W_dec"] = torch.nn.functional.normalize(torch.randn(F, D, generator=generator))
    p["W_enc"] = torch.randn(F, D, generator=generator)
    for bias, width in (("b_enc", F), ("b_dec", D)):
        p[bias] = 0.1 * torch.randn(width, generator=generator)
    if name == "gated":
        p["r_mag"] = 0.1 * torch.randn(F, generator=generator)
        p["b_mag"] = p["b_enc"] + torch.rand(F, generator=generator)
    else:
        p["log_threshold"] = torch.randn(F, generator=generator) - 1
    affine = Affine(scale=torch.full((D,), 0.25), shift=torch.arange(D).float())
    x = affine.apply(X)
    acts = architecture.encode(x)
    least = torch.where(acts > 0, acts, torch.inf)
    found = architecture.folded(affine, affine)
    assert found.threshold is not None
    assert bool((found.threshold * 0.25 <= least + 1e-5).all())
    needed = (x - architecture.decode(acts, x)) @ p["W_dec"].T + acts
    kept = (needed > 0.5 * 0.25 * found.threshold) & (acts > 0)
    torch.testing.assert_close(found.encode(X), acts * kept / 0.25, rtol=1e-4, atol=1e-4)
    assert 0 < int(kept.sum()) < int((acts > 0).sum())
    plain = ARCHITECTURES[name](replace(setup, leave_one_out=0.0), generator)
    assert plain.folded(affine, affine).refinement is None


def replace_refinement(dictionary: Dictionary, leave_one_out: float) -> Dictionary:
    again = dictionary.to("cpu")
    assert again.refinement is not None
    again.refinement = replace(again.refinement, leave_one_out=leave_one_out)
    return again


def test_a_second_reading__leaves_less_over() -> None:
    data, whole = ToyData.make(n=48, d=24), Affine.scaling(1.0, 24)
    left = {}
    for step in (0.0, 0.3):
        generator = torch.Generator().manual_seed(0)
        setup = Setup(24, 48, 200, k=3, lista_step=step)
        architecture = ARCHITECTURES["batchtopk"](setup, generator)
        train_architecture(
            architecture,
            lambda rows, generator=generator: Batch.of(data.batch(rows, generator)),
            features=48, steps=200, rows=256,
        )  # fmt: skip
        x = data.batch(2000, torch.Generator().manual_seed(9))
        found = measure_fit(architecture.folded(whole, whole), [x])
        left[step] = found.fvu
    assert left[0.3] < 0.9 * left[0.0]


@pytest.mark.parametrize("target", [{"out_width": 4}, {"parts": (2, 4)}])
@pytest.mark.parametrize("name", ["batchtopk", "jumprelu", "gated"])
def test_what_writes_elsewhere__reads_once(name: str, target: dict[str, object]) -> None:
    setup = Setup(D, F, steps=10, k=2, lista_step=0.3, leave_one_out=1.0, **target)  # type: ignore[arg-type]
    architecture = ARCHITECTURES[name](setup, torch.Generator().manual_seed(0))
    assert "first_threshold" not in architecture.buffers
    one = Affine.scaling(1.0, D)
    other = Affine.scaling(1.0, setup.out_width or D)
    assert architecture.folded(one, other).refinement is None
    used = ("lista_step", "leave_one_out")
    config = TrainConfig(project="", name="d", target="transcoder", lista_step=0.3)
    assert "enter 0" in setting_problems(config, used)["lista_step"]
    config = TrainConfig(project="", name="d", target="crosscoder", leave_one_out=1.0)
    assert list(setting_problems(config, used)) == ["leave_one_out"]
    with pytest.raises(ValueError, match="writes what it reads"):
        toy_dictionary(threshold=True, out=4, refinement=Refinement(leave_one_out=1.0))
    with pytest.raises(ValueError, match="thresholds of the first"):
        Refinement(0.3)


def test_other_libraries__are_said_not_to_have_it(tmp_path: Path) -> None:
    dictionary = refined(0.3, 0.0)
    for write, library in (
        (save_for_saelens, "SAELens"),
        (dictionary_learning.write, "dictionary_l"),
    ):
        with pytest.raises(UserError, match=library) as caught:
            write(dictionary, tmp_path)
        assert "package" in str(caught.value.next_step)
    assert not list(tmp_path.iterdir())
