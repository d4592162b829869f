"""Rows of very many sites: few are in memory at once, and what was moved on is let go of."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from sae_desktop.activations.config import HarvestConfig
from sae_desktop.activations.harvest_groups import window_groups
from sae_desktop.activations.harvest_plan import group_batches, plan_harvest
from sae_desktop.corpus.windows import BEGINNING
from sae_desktop.training.checkpoint import StreamPosition
from sae_desktop.training.rows.data import Array
from sae_desktop.training.rows.stream_feed import EVERY_ROW, StreamFeed


def test_group__of_wide_rows_is_of_fewer_batches(toy_model_folder: Path, tmp_path: Path) -> None:
    assert [group_batches(100, most) for most in (2**62, 400, 399, 150, 1)] == [4, 4, 3, 1, 1]
    for number in range(12):
        words = " ".join(f"word{number}{place}" for place in range(12))
        (tmp_path / f"{number:02}.txt").write_text(words)
    config = HarvestConfig(
        project="", name="", model=str(toy_model_folder), corpus=str(tmp_path),
        site="blocks.0.mlp.hook_in", sites=("blocks.0.hook_mlp_out",), context_size=16,
        batch_tokens=32, dtype="float32",
    )  # fmt: skip
    plan = plan_harvest(config)
    of_batch = 4 * sum(plan.widths) * 32
    for batches in (1, 2, 4):
        groups = window_groups(plan.with_groups(batches * of_batch), BEGINNING, EVERY_ROW)
        tokens = [sum(batch.ids_BS.numel() for batch in group.batches) for group in groups]
        assert len(tokens) > 2
        assert all(abs(count / 32 - batches) < 1 for count in tokens[:-1])


def test_feed__holds_nothing_of_what_it_has_put_into_its_pools() -> None:
    held: list[weakref.ref[Array]] = []

    def harvested() -> Iterator[tuple[list[Array], StreamPosition]]:
        for number in range(8):
            assert not any(one() is not None for one in held)
            rows = [np.full((10, 3), number, np.float32), np.full((10, 2), -number, np.float32)]
            held.extend(map(weakref.ref, rows))
            yield rows, StreamPosition(ordinal=number)
            del rows

    first = StreamPosition(ordinal=0)
    feed = StreamFeed(
        cast(Any, None), ["a", "b"], [np.inf, np.inf], start=first, first=first, seed=0,
        pool_rows=16, total=64,
    )  # fmt: skip
    feed._rows = cast(Any, harvested())
    drawn = [feed.take(position, 8) for position in range(0, 64, 8)]
    seen = np.concatenate([part[:, 0] for part, _ in drawn])
    assert sorted(seen) == pytest.approx(sorted(np.arange(64) // 10))
    assert all(np.array_equal(one[:, 0], -two[:, 0]) for one, two in drawn)
    # The second pool begins within the second piece of rows.
    assert (feed.place(1).ordinal, feed.place(1).skip) == (1, 6)
    feed.close()
