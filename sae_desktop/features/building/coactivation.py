"""Which features fire along with which, exactly. F features, R rows, N kept."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sae_desktop.features.building.loops import compiled
from sae_desktop.features.reading.firings import Firings
from sae_desktop.jobs import JobContext, SilentContext

_ROWS = 65_536
_FEATURES = 256

Array = npt.NDArray[Any]


def coactive_arrays(
    firings: Firings, count: int, context: JobContext | None = None, folder: Path | None = None
) -> dict[str, Array]:
    """Return the `coactive/…` arrays of an index: ids (F, N), pearson and share.

    Pearson is that of two features' activations over all R rows, zeros counted:
    (Σxy/R − x̄ȳ) / (σ_x σ_y). Only correlations above 0 are kept, which two features that never
    fire together cannot have; so the work is Σ over rows of (features active)². The firings by
    row lie meanwhile in a file in `folder` (by default that of temporary files), 8 bytes each;
    memory is that of R and F numbers and one block. Dead features have −1.
    """
    context = context or SilentContext()
    features = firings.features
    ids = np.full((features, count), -1, np.int32)
    pearson = np.zeros((features, count), np.float32)
    share = np.zeros((features, count), np.float32)
    with tempfile.TemporaryDirectory(dir=folder, ignore_cleanup_errors=True) as scratch:
        table = _RowTable(firings, Path(scratch), context)
        work = np.zeros(features), np.zeros(features, np.int32), np.zeros(features + 1, np.int32)
        for block in firings.by_feature(_FEATURES):
            context.check_cancelled()
            context.progress(block.first, features, "features", "Finding co-active features")
            span = slice(block.first, block.first + len(block.offsets) - 1)
            _correlate(
                block.first, block.offsets, block.rows, block.values, firings.rows,
                table.offsets, table.ids, table.values, table.mean, table.std,
                *work, ids[span], pearson[span], share[span],
            )  # fmt: skip
        context.progress(features, features, "features", "Finding co-active features")
        table.close()
    return {"coactive/ids": ids, "coactive/pearson": pearson, "coactive/share": share}


class _RowTable:
    """All firings by row, mapped from a file, with the mean and deviation of every feature."""

    def __init__(self, firings: Firings, folder: Path, context: JobContext) -> None:
        rows, features = firings.rows, firings.features
        self.offsets = np.zeros(rows + 1, np.int64)
        sums, squares = np.zeros(features), np.zeros(features)
        names = folder / "features", folder / "values"
        with names[0].open("wb") as ids_file, names[1].open("wb") as values_file:
            for block in firings.by_row(_ROWS):
                context.check_cancelled()
                context.progress(block.first, rows, "rows", "Sorting firings by row")
                ids = np.ascontiguousarray(block.features, np.int32)
                values = np.ascontiguousarray(block.values, np.float32)
                ids_file.write(ids.data)
                values_file.write(values.data)
                last = block.first + len(block.offsets) - 1
                lengths = np.diff(block.offsets)
                begin = self.offsets[block.first]
                self.offsets[block.first + 1 : last + 1] = begin + np.cumsum(lengths)
                exact = values.astype(np.float64)
                sums += np.bincount(ids, exact, features)
                squares += np.bincount(ids, exact**2, features)
        context.progress(rows, rows, "rows", "Sorting firings by row")
        total = int(self.offsets[-1])
        self.ids, self.values = (
            np.asarray(np.memmap(name, dtype, "r", shape=(total,)) if total else np.empty(0, dtype))
            for name, dtype in zip(names, (np.int32, np.float32), strict=True)
        )
        self.mean = sums / max(rows, 1)
        self.std = np.sqrt(np.maximum(squares / max(rows, 1) - self.mean**2, 0.0))

    def close(self) -> None:
        """Let go of the files, so that they can be removed."""
        del self.ids, self.values


@compiled
def _correlate(
    first: int,
    offsets: Array,
    rows: Array,
    values: Array,
    row_count: int,
    row_offsets: Array,
    row_ids: Array,
    row_values: Array,
    mean: Array,
    std: Array,
    products: Array,
    together: Array,
    touched: Array,
    ids: Array,
    pearson: Array,
    share: Array,
) -> None:
    """Fill ids, pearson and share for the features of one block."""
    kept = ids.shape[1]
    for local in range(len(offsets) - 1):
        me = first + local
        found = pairs = 0
        for entry in range(offsets[local], offsets[local + 1]):
            pairs += row_offsets[rows[entry] + 1] - row_offsets[rows[entry]]
        if pairs > len(together):
            # Looking through all features costs less than to note those met.
            for entry in range(offsets[local], offsets[local + 1]):
                value, start = float(values[entry]), np.uint64(row_offsets[rows[entry]])
                # Numbers without a sign are not looked at for whether they count from the end.
                for place in range(start, np.uint64(row_offsets[rows[entry] + 1])):
                    met = np.uint64(row_ids[place])
                    together[met] += 1
                    products[met] += value * row_values[place]
            for other in range(len(together)):
                touched[found] = other
                found += together[other] > 0
        else:
            for entry in range(offsets[local], offsets[local + 1]):
                row, value = rows[entry], float(values[entry])
                for place in range(row_offsets[row], row_offsets[row + 1]):
                    other = row_ids[place]
                    if together[other] == 0:
                        touched[found] = other
                        found += 1
                    together[other] += 1
                    products[other] += value * row_values[place]
        fired = offsets[local + 1] - offsets[local]
        size = 0
        for number in range(found):
            other = touched[number]
            spread = std[me] * std[other]
            r = 0.0
            if other != me and spread > 0.0:
                r = (products[other] / row_count - mean[me] * mean[other]) / spread
            if r > 0.0 and (size < kept or r > pearson[local, kept - 1]):
                # Insertion into the sorted list of the best.
                place = min(size, kept - 1)
                while place > 0 and pearson[local, place - 1] < r:
                    ids[local, place] = ids[local, place - 1]
                    pearson[local, place] = pearson[local, place - 1]
                    share[local, place] = share[local, place - 1]
                    place -= 1
                ids[local, place] = other
                pearson[local, place] = r
                share[local, place] = together[other] / fired
                size = min(size + 1, kept)
        for number in range(found):
            together[touched[number]] = 0
            products[touched[number]] = 0.0
