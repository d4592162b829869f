"""What the Training panel advises, and what it leaves unsaid."""

from __future__ import annotations

import msgspec
import pytest

from sae_desktop.training.config import TrainConfig
from sae_desktop.words.advice import advice
from sae_desktop.words.curve_buffer import CurveBuffer


def config(**values: object) -> TrainConfig:
    fields: dict[str, object] = {"project": "p", "name": "new", "activations": "acts"}
    return TrainConfig(**(fields | values))  # type: ignore[arg-type]


def filled(**columns: list[float]) -> CurveBuffer:
    buffer = CurveBuffer()
    for place in range(len(columns["rows"])):
        buffer.append({name: values[place] for name, values in columns.items()})
    return buffer


def run(tokens: int = 1_000, points: int = 60, **last: float) -> tuple[TrainConfig, CurveBuffer]:
    """A run near its end whose columns stand at `last` throughout."""
    buffer = CurveBuffer()
    for point in range(1, points + 1):
        values = {"rows": tokens * point / points, "step": float(point), "loss": 1.0}
        buffer.append(values | last)
    return config(tokens=tokens, k=32, features=512), buffer


def test_advice__says_nothing_of_a_good_run() -> None:
    made, buffer = run(
        fvu=0.1,
        l0=31.0,
        dead_fraction=0.01,
        dense_fraction=0.02,
        gradient_norm=0.4,
        shrinkage=0.99,
        waited_share=0.01,
        loss_recovered=0.97,
    )
    assert advice(made, buffer, heeds=["k"], width=128) == {}


@pytest.mark.parametrize(
    ("heeds", "last", "column", "words"),
    [
        (["sparsity"], {"fvu": 0.6, "l0": 2.0}, "fvu", "λ is too large"),
        (["sparsity"], {"fvu": 1.2, "l0": 2.0}, "fvu", "0% of the variance"),
        (["sparsity"], {"fvu": 0.6, "l0": 20.0}, "fvu", "a smaller λ"),
        (["k"], {"fvu": 0.6, "l0": 32.0}, "fvu", "a larger k"),
        (["sparsity"], {"l0": 0.5}, "l0", "a smaller λ"),
        (["k"], {"l0": 60.0}, "l0", "where k asks for 32"),
        (["k"], {"l0": 30.0}, "l0", "is not sparse"),
        (["sparsity"], {"l0": 400.0}, "l0", "a larger λ"),
        (["k"], {"dead_fraction": 0.3}, "dead_fraction", "30%"),
        (["k"], {"dense_fraction": 0.3}, "dense_fraction", "a smaller k"),
        (["sparsity"], {"shrinkage": 0.6}, "shrinkage", "60%"),
        (["k"], {"waited_share": 0.5}, "waited_share", "50%"),
        (["k"], {"loss_recovered": -0.2}, "loss_recovered", "worse"),
    ],
)
def test_advice__speaks_under_the_curve_it_concerns(
    heeds: list[str], last: dict[str, float], column: str, words: str
) -> None:
    made, buffer = run(**last)
    width = 50 if last.get("l0") == 30.0 else 0
    found = advice(made, buffer, heeds=heeds, width=width)
    assert set(found) == {column}
    assert words in found[column]


def test_advice__waits_until_the_curves_have_settled() -> None:
    made, buffer = run(tokens=1_000, dead_fraction=0.9)
    early = msgspec.structs.replace(made, tokens=100_000)
    assert advice(early, buffer) == {}


def test_advice__a_rising_loss_is_the_learning_rates_unless_lambda_warms_up() -> None:
    made, buffer = run(points=5)
    for point in range(60):
        buffer.append({"rows": 1_001.0 + point, "loss": 1.0 + 0.03 * point})
    assert "rising" in advice(made, buffer)["loss"]
    warming = CurveBuffer()
    for point in range(60):
        values = {"rows": 900.0 + point, "loss": 1.0 + 0.03 * point}
        warming.append(values | {"sparsity_coefficient": 0.1 * point})
    assert advice(made, warming) == {}


def test_advice__an_exploded_loss_is_told_at_once() -> None:
    made, _ = run()
    buffer = filled(rows=[float(n) for n in range(12)], loss=[1.0] * 11 + [1e4])
    assert "exploded" in advice(msgspec.structs.replace(made, tokens=10**9), buffer)["loss"]


def test_advice__an_fvu_that_still_falls_asks_for_more_rows() -> None:
    made, _ = run()
    buffer = filled(
        rows=[float(100 * n) for n in range(1, 11)], fvu=[0.9 - 0.04 * n for n in range(10)]
    )
    assert "still falling" in advice(made, buffer)["fvu"]


def test_advice__a_gradient_that_jumps_is_told() -> None:
    made, buffer = run(gradient_norm=2.0)
    assert advice(made, buffer) == {}
    buffer.append({"rows": 1_001.0, "loss": 1.0, "gradient_norm": 50.0})
    assert "25 times" in advice(made, buffer)["gradient_norm"]


def test_advice__a_loss_that_jumps_is_told() -> None:
    made, buffer = run(points=5)
    for point in range(80):
        buffer.append({"rows": 1_001.0 + point, "loss": 1.0 if point % 2 else 2.5})
    assert "jumps" in advice(made, buffer)["loss"]
