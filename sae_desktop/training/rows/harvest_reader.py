"""Rows of a harvest that is under way, as a store would hold them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from sae_desktop.activations.harvest_groups import Group
from sae_desktop.activations.harvest_plan import HarvestPlan
from sae_desktop.activations.harvest_rows import BatchMaker, RowReader
from sae_desktop.activations.layout import decode_rows
from sae_desktop.activations.store_writer import StoreBatch
from sae_desktop.training.rows.data import Array, Rows


class HarvestReader:
    """Rows of groups of windows, as a store would hold them."""

    def __init__(self, plan: HarvestPlan) -> None:
        self._reader, self._maker = RowReader(plan), BatchMaker(plan)

    def read(self, group: Group, before_batch: Callable[[], None] = lambda: None) -> StoreBatch:
        """Return a group's rows, `before_batch` being called before each forward pass.

        Raises UserError for values that are not numbers.
        """
        return self._maker.batch(self._reader.read(group, before_batch))


def values_of(batch: StoreBatch, site: str) -> Array:
    """Return a site's rows as numbers, (R, D)."""
    rows = batch.activations[site]
    return decode_rows(rows.values, rows.scales)


def usable_rows(parts: Iterable[Array], limits: list[float]) -> Rows:
    """Return the numbers of rows that are not massive in any part."""
    usable = np.array(True)
    for part, limit in zip(parts, limits, strict=True):
        usable = usable & (norms(part) <= limit)
    return np.flatnonzero(usable)


def norms(values: Array) -> Array:
    """Return the lengths (R,) of rows (R, D), in float32."""
    return np.asarray(np.linalg.norm(values.astype(np.float32), axis=1))
