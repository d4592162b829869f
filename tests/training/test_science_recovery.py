"""Facts 11 to 13 and 18: true features are found, at their true size, and more finds more.

Each fact has a size that takes seconds and the full one, which is run nightly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import torch
from toy_features import (
    ToyData,
    best_cosines,
    mean_max_cosine,
    shown_alone,
    toy_architecture,
    train_toy,
    unit_directions,
)

from sae_desktop.dictionary import Dictionary
from sae_desktop.dictionary.architectures import Batch, StepState

Report = Callable[[str, object], None]

FULL = 3000
nightly = pytest.mark.nightly


# Fact 11


@pytest.mark.parametrize(
    ("steps", "seed"),
    [(1200, 0), *(pytest.param(FULL, seed, marks=nightly) for seed in range(3))],
)
def test_standard__finds_the_true_features(steps: int, seed: int, record_property: Report) -> None:
    data = ToyData.make()
    cosines = best_cosines(
        data.directions, train_toy(data, "standard", steps=steps, seed=seed).W_dec
    )
    record_property("MMCS", float(cosines.mean()))
    record_property("share above .95", float((cosines > 0.95).double().mean()))
    assert float(cosines.mean()) >= 0.98
    assert float((cosines > 0.95).double().mean()) >= 0.95


def test_random_directions__find_nothing(record_property: Report) -> None:
    truth = ToyData.make().directions
    found = [mean_max_cosine(truth, unit_directions(128, 32, seed)) for seed in range(1, 11)]
    record_property("MMCS", sum(found) / len(found))
    assert sum(found) / len(found) == pytest.approx(0.44, abs=0.02)


# Facts 12 and 13: with k active features, nothing pulls activations towards 0


@pytest.mark.parametrize(
    ("name", "least"), [("topk", 0.99), ("batchtopk", 0.97)], ids=["topk", "batchtopk"]
)
@pytest.mark.parametrize(
    ("steps", "seed"),
    [(1200, 0), *(pytest.param(FULL, seed, marks=nightly) for seed in range(3))],
)
def test_k_sparse__find_the_true_features_at_their_size(
    name: str, least: float, steps: int, seed: int, record_property: Report
) -> None:
    data = ToyData.make()
    dictionary = train_toy(data, name, k=3, steps=steps, seed=seed)
    found = mean_max_cosine(data.directions, dictionary.W_dec)
    kept = float(shown_alone(data, dictionary).median())
    record_property("MMCS", found)
    record_property("magnitude kept", kept)
    assert found >= least
    assert kept >= 0.88


@pytest.mark.parametrize(
    ("sparsity", "steps"),
    [(1.0, 1500), *(pytest.param(value, 6000, marks=nightly) for value in (0.5, 1.0, 2.0))],
)
def test_standard__shrinks_by_half_lambda_over_one_minus_p(
    sparsity: float, steps: int, record_property: Report
) -> None:
    # Orthogonal features of one magnitude a: a − act = (λ/2)/(1 − p), in normalised units.
    data = ToyData(torch.eye(16), probability=0.1, low=1.0, high=1.0)
    dictionary = train_toy(
        data, "standard", features=16, sparsity=sparsity, steps=steps, rows=512, lr=5e-3
    )
    shrunk = data.scale * (1 - shown_alone(data, dictionary))
    record_property("a − act", float(shrunk.median()))
    assert float(shrunk.median()) == pytest.approx(sparsity / 2 / (1 - 0.1), rel=0.01)


# JumpReLU's own λ suits one width; led by L0, it empties no dictionary


def _detection(data: ToyData, dictionary: Dictionary) -> tuple[float, float]:
    """Return (F1, L0) on fresh rows: how well each true feature's best one tells when it is on."""
    seeded = [torch.Generator().manual_seed(99) for _ in range(2)]
    on_TN = data.activations(20_000, seeded[0]) > 0
    acts_TF = dictionary.encode(data.batch(20_000, seeded[1]))
    best_N = (data.directions @ dictionary.W_dec.T).argmax(dim=1)
    fired_TN = acts_TF[:, best_N] > 0
    both = (fired_TN & on_TN).sum(dim=0).double()
    f1_N = 2 * both / (fired_TN.sum(dim=0) + on_TN.sum(dim=0)).clamp_min(1)
    return float(f1_N.mean()), float((acts_TF > 0).sum()) / len(acts_TF)


@pytest.mark.parametrize(
    ("steps", "rows", "least", "seed"),
    [(600, 512, 0.8, 0), *(pytest.param(1500, 1024, 0.85, s, marks=nightly) for s in range(3))],
)
def test_jumprelu__led_by_l0_comes_down_to_k_and_finds_the_true_features(
    steps: int, rows: int, least: float, seed: int, record_property: Report
) -> None:
    data = ToyData.make()  # 3.2 features a row, of width 32
    led = train_toy(
        data, "jumprelu", k=3, sparsity=None, aims_at_k=True, steps=steps, rows=rows, seed=seed
    )
    f1, l0 = _detection(data, led)
    record_property("F1", f1)
    record_property("L0", l0)
    assert l0 == pytest.approx(3.0, rel=0.1)
    assert f1 >= least


@pytest.mark.parametrize(
    ("name", "least"), [("standard", 0.7), ("gated", 0.75), ("jumprelu", 0.75)]
)
@pytest.mark.parametrize(
    ("n", "width", "k", "steps", "seed"),
    [
        (64, 32, 3, 400, 0),
        *(pytest.param(64, 32, 3, 600, seed, marks=nightly) for seed in (1, 2)),
        *(pytest.param(256, 64, 5, 600, seed, marks=nightly) for seed in range(3)),
        pytest.param(1024, 256, 20, 600, 0, marks=nightly),
    ],
)
def test_led_by_l0__comes_within_a_tenth_of_k(
    name: str,
    least: float,
    n: int,
    width: int,
    k: int,
    steps: int,
    seed: int,
    record_property: Report,
) -> None:
    data = ToyData.make(n, width, probability=k / n)
    led = train_toy(
        data, name, features=n, k=k, sparsity=None, aims_at_k=True, steps=steps, rows=512, seed=seed
    )
    f1, l0 = _detection(data, led)
    record_property("F1", f1)
    record_property("L0", l0)
    assert l0 == pytest.approx(k, rel=0.1)
    assert f1 >= least


@nightly
def test_jumprelu__with_the_recipes_lambda_is_empty_on_narrow_rows(record_property: Report) -> None:
    data = ToyData.make()
    f1, l0 = _detection(data, train_toy(data, "jumprelu", sparsity=10.0, steps=2000))
    record_property("F1", f1)
    record_property("L0", l0)
    assert l0 < 0.1


# Fact 18


def _losses(sizes: Sequence[tuple[int, int]], rows: int, report: Report) -> list[float]:
    """Return the standard loss on fresh rows after training, for pairs of features and steps."""
    data, found = ToyData.make(), []
    x = data.batch(20_000, torch.Generator().manual_seed(99))
    for features, steps in sizes:
        architecture = toy_architecture(data, "standard", features=features, steps=steps, rows=rows)
        state = StepState(1.0, torch.zeros(features, dtype=torch.bool))
        with torch.no_grad():
            found.append(float(architecture.loss(Batch.of(x), state).total))
    report("losses", [round(loss, 4) for loss in found])
    return found


SIZES = (16, 32, 64, 128, 256)


@pytest.mark.parametrize(
    ("sizes", "steps", "rows"),
    [((16, 32, 64, 256), 600, 512), pytest.param(SIZES, 2000, 1024, marks=nightly)],
)
def test_loss__falls_with_the_number_of_features(
    sizes: Sequence[int], steps: int, rows: int, record_property: Report
) -> None:
    losses = _losses([(size, steps) for size in sizes], rows, record_property)
    assert losses == sorted(losses, reverse=True), losses


@pytest.mark.parametrize(
    ("steps", "rows"),
    [
        ((250, 500, 1000), 512),
        pytest.param((500, 1000, 2000, 4000), 1024, marks=nightly),
    ],
)
def test_loss__falls_with_steps(steps: Sequence[int], rows: int, record_property: Report) -> None:
    losses = _losses([(128, count) for count in steps], rows, record_property)
    assert losses == sorted(losses, reverse=True), losses
