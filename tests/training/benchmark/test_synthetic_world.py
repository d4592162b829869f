"""A synthetic world keeps to its own rules, and a dictionary is measured against its truth."""

from __future__ import annotations

import msgspec
import pytest
import torch

from sae_desktop.dictionary import Dictionary
from sae_desktop.training.benchmark.sizes import WorldSizes
from sae_desktop.training.benchmark.synthetic import World
from sae_desktop.training.benchmark.truth import matched_cosine, measure

SIZES = WorldSizes(
    features=120, width=40, most_frequent=0.3, least_frequent=0.02, roots=6, children=3, depth=2,
    correlation_rank=4, spreading_steps=20,
)  # fmt: skip
ROWS = 20_000


@pytest.fixture(scope="module")
def world() -> World:
    return World(SIZES)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_trees_are_numbered_by_generation_and_rows_obey_them(world: World) -> None:
    parent = world.parent_F
    assert parent[:6].tolist() == [-1] * 6
    assert parent[6:12].tolist() == [0, 0, 0, 1, 1, 1]
    assert parent[24:30].tolist() == [6, 6, 6, 7, 7, 7]
    assert (parent[78:] == -1).all()
    samples = world.samples(seeded(0), ROWS)
    active = samples.active(SIZES.features)
    gated = (parent >= 0).nonzero().squeeze(1)
    assert not (active[:, gated] & ~active[:, parent[gated]]).any()
    for number in range(24):
        children = (parent == number).nonzero().squeeze(1)
        assert len(children) == 3
        assert active[:, children].sum(1).max() == 1
    several = World(msgspec.structs.replace(SIZES, exclusive=False)).samples(seeded(0), ROWS)
    assert several.active(SIZES.features)[:, 6:9].sum(1).max() == 3


def test_rows_are_what_their_active_features_write(world: World) -> None:
    samples = world.samples(seeded(3), 500)
    dense = torch.zeros(500, SIZES.features)
    dense[samples.row, samples.feature] = samples.magnitude
    torch.testing.assert_close(samples.x_ND, dense @ world.directions_FD + world.bias_D)
    again = world.samples(seeded(3), 500)
    assert torch.equal(samples.x_ND, again.x_ND)
    assert float(world.bias_D.norm()) == pytest.approx(0.5)


def test_features_are_as_frequent_and_as_large_as_they_are_meant_to_be(world: World) -> None:
    samples = world.samples(seeded(1), ROWS)
    found = samples.active(SIZES.features).double().mean(0)
    free = torch.arange(78, 120)
    expected = world.probability_F[free].double()
    error = ((found[free] - expected) / (expected * (1 - expected) / ROWS).sqrt()).abs()
    assert float(error.max()) < 4.5
    assert float(found[:6].sum() / world.probability_F[:6].sum()) == pytest.approx(1, abs=0.03)
    # What being gated and excluded costs a child is made up for beforehand, nearly.
    assert float(found[6:24].sum() / world.probability_F[6:24].sum()) == pytest.approx(0.8, abs=0.1)
    first = samples.magnitude[samples.feature == 0]
    assert float(first.mean()) == pytest.approx(5.0, abs=0.05)


def test_hidden_causes_make_features_fire_together() -> None:
    strong = msgspec.structs.replace(
        SIZES, roots=0, correlation=0.6, correlation_rank=2, spreading_steps=0, features=40
    )
    world = World(strong)
    active = world.samples(seeded(0), ROWS).active(40).double()
    shared = world.causes_FR @ world.causes_FR.T
    shared.fill_diagonal_(0)
    most, least = int(shared.argmax()), int(shared.argmin())

    def together(pair: int) -> float:
        a, b = active[:, pair // 40], active[:, pair % 40]
        return float((a * b).mean() / (a.mean() * b.mean()))

    assert together(most) > 1.5
    assert together(least) < 0.7


def test_directions_are_spread_along_the_gradient_of_their_overlap() -> None:
    sizes = WorldSizes(features=30, width=8, seed=5, spreading_steps=1, bias_norm=0)
    start = World(msgspec.structs.replace(sizes, spreading_steps=0)).directions_FD
    W = start.clone().requires_grad_(True)
    gram = W @ W.T
    off = gram - torch.diag(gram.diagonal())
    (off.square().sum() + len(W) * (gram.diagonal() - 1).square().sum()).backward()
    torch.optim.Adam([W], lr=3e-4).step()
    expected = W.detach() / W.detach().norm(dim=1, keepdim=True)
    torch.testing.assert_close(World(sizes).directions_FD, expected)


def test_the_true_features_are_a_perfect_dictionary_and_others_are_not() -> None:
    sizes = WorldSizes(
        features=16, width=32, roots=0, most_frequent=0.2, least_frequent=0.05,
        magnitude_spread=0.1, magnitude_spread_spread=0.0, correlation_rank=0,
    )  # fmt: skip
    world = World(sizes)
    world.directions_FD = torch.linalg.qr(torch.randn(32, 32, generator=seeded(0))).Q[:16]
    W = world.directions_FD
    bias = -world.bias_D @ W.T
    perfect = Dictionary(W.T.clone(), bias, W.clone(), world.bias_D, torch.full((16,), 0.5))
    figures = measure(perfect, world, seeded(1), 4000)
    assert figures.f1 == figures.uniqueness == 1
    assert figures.mcc == pytest.approx(1)
    assert figures.explained_variance == pytest.approx(1, abs=1e-5)
    assert figures.l0 == figures.true_l0
    assert figures.dead == 0

    # Half of its features are silent, and the others fire on the rows of two true features.
    W_enc = torch.cat([W[:8].T + W[8:].T, torch.zeros(32, 8)], dim=1)
    both = Dictionary(W_enc, -world.bias_D @ W_enc, W.clone(), world.bias_D)
    both.threshold = torch.cat([torch.full((8,), 0.5), torch.full((8,), 1e9)])
    figures = measure(both, world, seeded(1), 4000)
    truth = world.samples(seeded(1), 2048).active(16)
    assert figures.dead == 8
    assert figures.recall == 0.5
    shares = truth[:, :8].double().mean(0) / (truth[:, :8] | truth[:, 8:]).double().mean(0)
    assert figures.precision == pytest.approx(float(shares.mean()) / 2, abs=0.02)
    assert figures.f1 == pytest.approx(float((2 * shares / (1 + shares)).mean()) / 2, abs=0.02)


def test_matching_is_the_best_one_not_the_greedy_one() -> None:
    cosines = torch.tensor([[0.9, 0.8, 0.0], [0.85, 0.1, 0.0]])
    assert matched_cosine(cosines) == pytest.approx((0.8 + 0.85) / 2)
