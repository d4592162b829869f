"""Facts of sparse dictionaries on toy data whose features are known."""

import pytest
import torch
from toy_features import ToyData, mean_max_cosine, train_toy

from sae_desktop.dictionary import Dictionary
from sae_desktop.dictionary.normalisation import geometric_median, massive_rows, scalar_of
from sae_desktop.training.metrics import measure_fit
from sae_desktop.training.schedules import learning_rate, sparsity_coefficient


def test_schedules__warm_up_and_decay_as_in_the_paper() -> None:
    assert sparsity_coefficient(25, 1000, 5.0) == pytest.approx(2.5)
    assert sparsity_coefficient(50, 1000, 5.0) == sparsity_coefficient(999, 1000, 5.0) == 5.0
    assert learning_rate(0, 1000, 1e-3) == learning_rate(800, 1000, 1e-3) == 1e-3
    assert learning_rate(900, 1000, 1e-3) == pytest.approx(5e-4)
    assert learning_rate(1000, 1000, 1e-3) == 0


def test_scalar__brings_the_mean_square_norm_to_the_width() -> None:
    x = 7 * torch.randn(20_000, 16) + 3
    scaled = x * scalar_of(x.norm(dim=1).numpy(), 16)
    assert abs(float(scaled.pow(2).sum(1).mean()) / 16 - 1) < 0.01


def test_massive_rows__are_those_of_more_than_ten_median_norms() -> None:
    norms = torch.tensor([1.0, 1.1, 0.9, 9.9, 10.5]).numpy()
    assert massive_rows(norms[:4]).tolist() == [False, False, False, False]
    assert massive_rows(norms).tolist() == [False] * 5  # the median is 1.1 now
    assert massive_rows(torch.tensor([1.0, 1.0, 1.0, 10.1]).numpy()).tolist()[-1]


def test_geometric_median__is_not_moved_by_a_far_row() -> None:
    x = torch.randn(999, 4, generator=torch.Generator().manual_seed(0))
    far = torch.cat([x, torch.full((1, 4), 1e6)])
    assert float(geometric_median(far).norm()) < 0.2
    assert float(far.mean(0).norm()) > 100


def test_explained_variance__is_one_for_a_perfect_and_none_for_a_mean_predictor() -> None:
    x = torch.rand(500, 4) + 2
    identity = Dictionary(torch.eye(4), torch.zeros(4), torch.eye(4), torch.zeros(4))
    assert measure_fit(identity, [x[:200], x[200:]]).fvu == pytest.approx(0, abs=1e-9)
    mean = Dictionary(torch.zeros(4, 4), torch.zeros(4), torch.eye(4), x.mean(0))
    assert measure_fit(mean, [x]).fvu == pytest.approx(1, abs=1e-5)
    assert measure_fit(identity, [x]).l0 == 4


def test_standard__finds_the_true_features_and_random_directions_do_not() -> None:
    data = ToyData.make()
    dictionary = train_toy(data, "standard", l1=1.0)
    cosines = (data.directions @ dictionary.W_dec.T).max(dim=1).values
    assert float(cosines.mean()) >= 0.97
    assert float((cosines > 0.95).float().mean()) >= 0.95
    random = torch.randn(128, 32, generator=torch.Generator().manual_seed(1))
    assert mean_max_cosine(data.directions, random) == pytest.approx(0.44, abs=0.04)


def test_batchtopk__finds_the_true_features_and_keeps_their_magnitude() -> None:
    data = ToyData.make()
    dictionary = train_toy(data, "batchtopk", k=3)
    assert mean_max_cosine(data.directions, dictionary.W_dec) >= 0.97
    best = (data.directions @ dictionary.W_dec.T).argmax(dim=1)
    alone = data.directions * data.scale  # each true feature by itself, at magnitude 1
    kept = dictionary.encode(alone)[torch.arange(64), best] / data.scale
    assert float(kept.median()) >= 0.88


def test_standard__shrinks_by_half_lambda_over_one_minus_p() -> None:
    # Orthogonal features of one magnitude: a − act = (λ/2)/(1−p), in normalised units.
    data = ToyData(torch.eye(16), probability=0.1, low=1.0, high=1.0)
    dictionary = train_toy(data, "standard", features=16, l1=1.0, steps=3000, rows=512, lr=5e-3)
    best = (data.directions @ dictionary.W_dec.T).argmax(dim=1)
    shown = dictionary.encode(data.directions * data.scale)[torch.arange(16), best]
    assert float((data.scale - shown).median()) == pytest.approx(0.5556, rel=0.03)


def test_batchtopk__inference_does_not_depend_on_batch_mates() -> None:
    data = ToyData.make()
    generator = torch.Generator().manual_seed(4)
    dictionary = train_toy(data, "batchtopk", steps=200)
    x = data.batch(64, generator)
    together = dictionary.encode(x)
    alone = torch.cat([dictionary.encode(row[None]) for row in x])
    torch.testing.assert_close(together, alone)
