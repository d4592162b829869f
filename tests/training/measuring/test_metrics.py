"""Figures of a dictionary, against the plain formulas and on cases with a known answer."""

import pytest
import torch
from torch import Tensor

from sae_desktop.dictionary import Dictionary
from sae_desktop.dictionary.architectures import ARCHITECTURES, Setup
from sae_desktop.dictionary.control import random_direction_dictionary
from sae_desktop.dictionary.cross_layer import CrossLayerDictionary
from sae_desktop.training.measuring.geometry import decoder_norms, nearest_cosines
from sae_desktop.training.measuring.metrics import DENSE_SHARE, FiringCounter, measure_fit


def _rows(rows: int, width: int, seed: int = 0) -> Tensor:
    return torch.randn(rows, width, generator=torch.Generator().manual_seed(seed))


def _scaled_identity(gain: float, width: int = 4) -> Dictionary:
    """Reconstructs gain · x of positive rows x."""
    return Dictionary(gain * torch.eye(width), torch.zeros(width), torch.eye(width),
                      torch.zeros(width))  # fmt: skip


def test_explained_variance__is_one_for_a_perfect_and_none_for_a_mean_predictor() -> None:
    x = torch.rand(500, 4) + 2
    assert measure_fit(_scaled_identity(1.0), [x[:200], x[200:]]).fvu == pytest.approx(0, abs=1e-9)
    mean = Dictionary(torch.zeros(4, 4), torch.zeros(4), torch.eye(4), x.mean(0))
    assert measure_fit(mean, [x]).fvu == pytest.approx(1, abs=1e-5)
    assert measure_fit(_scaled_identity(1.0), [x]).l0 == 4


def test_explained_variance__is_right_beside_a_mean_ten_thousand_times_the_spread() -> None:
    x = 1e4 + _rows(1000, 8).double()
    mean = Dictionary(torch.zeros(8, 8), torch.zeros(8), torch.eye(8), x.mean(0).float())
    assert measure_fit(mean, [x.float()]).fvu == pytest.approx(1, abs=1e-3)


def test_figures__equal_the_plain_formulas_whatever_the_blocks() -> None:
    x = _rows(300, 8) + 0.5
    W_dec = torch.nn.functional.normalize(_rows(24, 8, 1))
    W_enc = W_dec.T + 0.1 * _rows(8, 24, 2)
    dictionary = Dictionary(W_enc, 0.3 * _rows(1, 24, 3)[0] - 1, W_dec, torch.full((8,), 0.5))
    fit = measure_fit(dictionary, [x[:7], x[7:190], x[190:]], gains=True)
    acts = torch.relu(x @ dictionary.W_enc + dictionary.b_enc)
    y = acts @ W_dec + dictionary.b_dec
    assert fit.l0 == pytest.approx(float((acts > 0).sum(1).double().mean()))
    fvu = (x - y).pow(2).sum() / (x - x.mean(0)).pow(2).sum()
    assert fit.fvu == pytest.approx(float(fvu), rel=1e-5)
    assert fit.cosine == pytest.approx(float(torch.cosine_similarity(x, y).mean()), rel=1e-5)
    assert torch.equal(fit.counts_F, (acts > 0).sum(0))
    share = (acts > 0).double().mean(0)
    assert fit.dense_fraction == pytest.approx(float((share > DENSE_SHARE).double().mean()))
    assert 0 < fit.dense_fraction < 1
    assert fit.dead_fraction == float((share == 0).double().mean())
    written = y - dictionary.b_dec
    wanted = x - dictionary.b_dec
    assert fit.shrinkage == pytest.approx(
        float(written.pow(2).sum() / (wanted * written).sum()), rel=1e-4
    )
    # The least-squares gain of one feature with the others left as they are.
    gains = []
    for i in range(24):
        own = acts[:, i : i + 1] * W_dec[i]
        gains.append(float(((x - y + own) * own).sum() / own.pow(2).sum()))
    assert fit.feature_gain == pytest.approx(float(torch.tensor(gains).median()), rel=1e-4)


@pytest.mark.parametrize("gain", [0.5, 0.8, 1.0, 1.25])
def test_shrinkage__is_the_factor_by_which_activations_are_too_small(gain: float) -> None:
    fit = measure_fit(_scaled_identity(gain), [torch.rand(400, 4)], gains=True)
    assert fit.shrinkage == pytest.approx(gain, rel=1e-5)
    assert fit.feature_gain == pytest.approx(1 / gain, rel=1e-5)


def test_figures_of_a_skip_transcoder__count_the_skip_as_no_feature() -> None:
    x = _rows(200, 6)
    skip = _rows(6, 5, 4)
    dictionary = Dictionary(
        torch.eye(6)[:, :5].contiguous(), torch.zeros(5), torch.eye(5), torch.zeros(5), W_skip=skip
    )
    features_only = torch.relu(x[:, :5])
    fit = measure_fit(dictionary, [(x, x @ skip + 2 * features_only)])
    assert fit.shrinkage == pytest.approx(0.5, rel=1e-5)
    target = x @ skip + 2 * features_only
    wanted = features_only.pow(2).sum() / (target - target.mean(0)).pow(2).sum()
    assert fit.fvu == pytest.approx(float(wanted), rel=1e-4)


def test_figures_of_parts__are_those_of_each_by_itself() -> None:
    x = _rows(200, 5).abs()
    y = torch.cat([x, 3 * x[:, :2]], dim=1)
    W_dec = torch.cat([0.9 * torch.eye(5), 3 * torch.eye(5)[:, :2]], dim=1)
    norms = W_dec.norm(dim=1)
    dictionary = Dictionary(
        torch.eye(5) * norms, torch.zeros(5), W_dec / norms[:, None], torch.zeros(7), parts=(5, 2)
    )
    fit = measure_fit(dictionary, [(x, y)])
    first = 0.01 * x.pow(2).sum() / (x - x.mean(0)).pow(2).sum()
    assert fit.part_fvu[0] == pytest.approx(float(first), rel=1e-4)
    assert fit.part_fvu[1] == pytest.approx(0, abs=1e-6)
    assert measure_fit(_scaled_identity(1.0), [torch.rand(9, 4)]).part_fvu == ()


def test_figures__do_not_depend_on_how_much_fits_into_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    x = _rows(500, 8)
    dictionary = random_direction_dictionary(x, 32, 4.0, seed=0)
    whole = measure_fit(dictionary, [x], gains=True)
    monkeypatch.setattr("sae_desktop.training.measuring.metrics._ACTIVATIONS_AT_ONCE", 32 * 3)
    cut = measure_fit(dictionary, [x], gains=True)
    assert torch.equal(whole.counts_F, cut.counts_F)
    for name in ("l0", "fvu", "cosine", "shrinkage", "feature_gain"):
        assert getattr(cut, name) == pytest.approx(getattr(whole, name), rel=1e-5), name


def test_random_control__has_no_common_shrinkage_left() -> None:
    x = _rows(2000, 16) + 3
    control = random_direction_dictionary(x, 64, 6.0, seed=0)
    assert measure_fit(control, [x]).shrinkage == pytest.approx(1, abs=1e-3)


def test_nearest_cosines__are_those_of_the_whole_matrix() -> None:
    W_dec = _rows(200, 16)
    unit = torch.nn.functional.normalize(W_dec)
    cosines = (unit @ unit.T).fill_diagonal_(-2)
    torch.testing.assert_close(nearest_cosines(W_dec), cosines.max(dim=1).values)


def test_nearest_cosines__of_layers_of_their_own_are_those_of_the_whole_matrix() -> None:
    torch.manual_seed(0)
    blocks = [
        Dictionary(torch.randn(4, 7), torch.zeros(7), torch.randn(7, width), torch.zeros(width))
        for width in (8, 4)
    ]
    dictionary = CrossLayerDictionary(blocks, torch.zeros(8))
    found = nearest_cosines(dictionary)
    torch.testing.assert_close(found, nearest_cosines(dictionary.W_dec))
    assert len(found) == 14


def test_nearest_cosines_of_a_sample__are_some_of_the_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sae_desktop.training.measuring.geometry._COSINES_AT_ONCE", 200 * 7)
    W_dec = _rows(200, 16)
    everything = nearest_cosines(W_dec)
    sample = nearest_cosines(W_dec, products=200 * 16 * 90, seed=1)
    assert len(sample) == 90
    assert (sample[:, None] - everything[None]).abs().min(dim=1).values.max() < 1e-6
    assert not torch.equal(sample, nearest_cosines(W_dec, products=200 * 16 * 90, seed=2))


def test_nearest_cosines__count_a_duplicate_as_one_and_a_zero_row_as_nothing() -> None:
    W_dec = torch.tensor([[2.0, 0.0], [1.0, 0.0], [0.0, 0.0], [0.0, 3.0]])
    assert nearest_cosines(W_dec).tolist() == [1.0, 1.0, 0.0, 0.0]
    assert len(nearest_cosines(W_dec[:1])) == 0


@pytest.mark.parametrize("name", list(ARCHITECTURES))
def test_decoder_norms__are_as_trained(name: str) -> None:
    setup = Setup(width=8, features=16, steps=10, k=2)
    architecture = ARCHITECTURES[name](setup, torch.Generator().manual_seed(0))
    norms = decoder_norms(architecture)
    assert norms.shape == (16,)
    torch.testing.assert_close(norms, architecture.parameters["W_dec"].norm(dim=1))


def test_dead__is_a_feature_silent_for_just_the_window_and_no_row_less() -> None:
    counter = FiringCounter(2, torch.device("cpu"))
    counter.update(torch.tensor([1, 1]), 10)
    counter.update(torch.tensor([1, 0]), 99)
    assert counter.dead(100).tolist() == [False, False]
    counter.update(torch.tensor([1, 0]), 1)
    assert counter.dead(100).tolist() == [False, True]
    counter.update(torch.tensor([0, 1]), 1)
    assert counter.dead(100).tolist() == [False, False]
