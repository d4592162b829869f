import pytest

from sae_desktop.training.schedules import learning_rate, sparsity_coefficient
from sae_desktop.training.trainer import Recipe


def test_schedules__warm_up_and_decay_as_in_the_paper() -> None:
    recipe = Recipe(steps=1000, lr=1e-3, sparsity=5.0, dead_window=1)
    assert sparsity_coefficient(25, recipe) == pytest.approx(2.5)
    assert sparsity_coefficient(50, recipe) == sparsity_coefficient(999, recipe) == 5.0
    assert learning_rate(0, recipe) == learning_rate(800, recipe) == 1e-3
    assert learning_rate(900, recipe) == pytest.approx(5e-4)
    assert learning_rate(1000, recipe) == 0


def test_schedules__follow_the_shares_of_the_recipe() -> None:
    recipe = Recipe(
        steps=100, lr=1.0, sparsity=2.0, dead_window=1,
        lr_warm_up=0.1, lr_decay=0.0, sparsity_warm_up=1.0,
    )  # fmt: skip
    assert learning_rate(0, recipe) == pytest.approx(0.1)
    assert learning_rate(9, recipe) == learning_rate(99, recipe) == 1.0
    assert sparsity_coefficient(50, recipe) == pytest.approx(1.0)
