"""Seconds by hand: products at the machine's rate, bytes at its memory's, entries one by one."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from sae_desktop.sizing.config import Rates
from sae_desktop.sizing.times import (
    Figures,
    IndexWork,
    figure_seconds,
    harvest_seconds_per_token,
    index_parts,
    step_bytes,
    step_operations,
    step_seconds,
)
from sae_desktop.training.planning.needs import Load

RATES = Rates(
    name="by hand", float32=1e9, low=2e9, bandwidth=1e9, disk_write=1e9, disk_read=1e9,
    entries=1e6, stream=1e-6, step=1.0,
)  # fmt: skip
LOAD = Load(
    weights_fixed=8, weights_per_feature=17, features=100, width=8, out_width=8,
    reconstructs_input=True, batch=10, pairs_per_row=4, groups=1, low_precision=True,
    low_share=0.5, step_bytes=lambda features, rows, element: 0.0, metric_rows=20,
    keep_checkpoints=1, points=1, snapshots=1,
)  # fmt: skip
WORK = IndexWork(
    rows=1000, features=100, width=8, k=4, vocabulary=50, neurons=30, neuron_rows=100,
    forward=1e-3, exact_features=200,
)  # fmt: skip


def test_forward_pass__is_two_operations_a_weight_and_attention_and_the_rest() -> None:
    # 2 · 1,000 weights + 2 layers · 16 tokens · 32 wide · 2; 2 layers · 32 · 1 µs.
    seconds = harvest_seconds_per_token(2, 1000, 32, 16, RATES, low=False)
    assert seconds == pytest.approx((2000 + 2048) / 1e9 + 64e-6)
    low = harvest_seconds_per_token(2, 1000, 32, 16, RATES, low=True)
    assert low == pytest.approx((2000 + 2048) / 2e9 + 64e-6)


def test_step__has_the_encoders_product_alone_where_k_are_kept_and_five_elsewhere() -> None:
    assert step_operations(LOAD) == 2 * 10 * 100 * 8
    assert step_operations(replace(LOAD, low_share=1.0)) == 5 * 2 * 10 * 100 * 8


def test_step__reads_and_writes_what_it_holds() -> None:
    weights = 14 * 4 * (8 + 17 * 100)
    pairs = 2 * 4 * (4 * 10) * (3 * 8 + 8)
    compared = 3 * 2 * 10 * 100
    rows = 6 * 4 * 10 * 16
    errors = 4 * 4 * 1 * 10 * 8
    assert step_bytes(LOAD) == weights + pairs + compared + rows + errors
    seconds = step_seconds(LOAD, RATES)
    assert seconds == pytest.approx(16_000 / 2e9 + step_bytes(LOAD) / 1e9)
    twice = msgspec.structs.replace(RATES, step=2.0)
    assert step_seconds(LOAD, twice) == pytest.approx(2 * seconds)


def test_step__in_float32_where_a_formula_is_differentiated() -> None:
    plain = replace(LOAD, low_share=0.0)
    products = step_seconds(plain, RATES) - step_bytes(plain) / 1e9
    assert products == pytest.approx(80_000 / 1e9)


def test_figures__are_fits_and_cosines() -> None:
    figures = Figures(fits=3, rows=20, snapshots=2, cosine_operations=1000)
    assert figure_seconds(LOAD, figures, RATES) == pytest.approx(
        (3 * 2 * 20 * 100 * 16 + 2000) / 1e9
    )


def test_index__is_counted_part_by_part() -> None:
    parts = index_parts(WORK, RATES)
    assert parts["encoding"] == pytest.approx(2 * 1000 * 100 * 8 / 1e9 + 0.02 * 1e5 / 1e6)
    assert parts["counting"] == pytest.approx(12 * 4000 / 1e6)
    assert parts["co-activation"] == pytest.approx(0.2 * 1000 * 8 / 1e6)
    assert parts["neurons"] == pytest.approx(
        1.4 * 100 * 1e-3 + (0.8 * 100 * 30 + 0.003 * 100 * 4 * 30) / 1e6
    )
    assert "neurons" not in index_parts(replace(WORK, neurons=0), RATES)


def test_neighbours__are_exact_up_to_a_size_and_always_on_a_card() -> None:
    exact = index_parts(WORK, RATES)["neighbours"]
    assert exact == pytest.approx(2 * 1e4 * 8 / 1e9 + 0.1 * 1e4 / 1e6)
    descent = index_parts(replace(WORK, features=201), RATES)["neighbours"]
    assert descent == pytest.approx(40_000 * 201 / 1e6)
    card = msgspec.structs.replace(RATES, device="cuda")
    there = index_parts(replace(WORK, features=201), card)["neighbours"]
    assert there == pytest.approx((2 * 201**2 * 8 + 3 * 4 * 201**2) / 1e9)


@pytest.mark.parametrize("field", ["features", "width", "batch", "pairs_per_row", "groups"])
def test_step__takes_longer_for_more_of_anything(field: str) -> None:
    more = replace(LOAD, **{field: 2 * getattr(LOAD, field)})
    assert step_seconds(more, RATES) > step_seconds(LOAD, RATES)


@pytest.mark.parametrize("field", ["rows", "features", "width", "k", "vocabulary", "neurons"])
def test_index__takes_longer_for_more_of_anything(field: str) -> None:
    more = replace(WORK, **{field: 2 * getattr(WORK, field)})
    whole = sum(index_parts(WORK, RATES).values())
    if field == "features":  # beyond the exact ones another way is taken
        more = replace(more, features=150)
    assert sum(index_parts(more, RATES).values()) > whole
