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
    fire together cannot have; so the work is Σ over rows of (features active)²/2: each pair is
    looked at once, by the feature of the smaller number. The firings by row lie meanwhile in a
    file in `folder` (by default that of temporary files), 8 bytes each; memory is that of R and F
    numbers and one block. Dead features have −1.
    """
    context = context or SilentContext()
    features = firings.features
    ids = np.full((features, count), -1, np.int32)
    pearson = np.zeros((features, count), np.float32)
    share = np.zeros((features, count), np.float32)
    with tempfile.TemporaryDirectory(dir=folder, ignore_cleanup_errors=True) as scratch:
        table = _RowTable(firings, Path(scratch), context)
        work = np.zeros((features, 2)), np.zeros(features + 1, np.int32)
        places = table.offsets[:-1].copy()
        for block in firings.by_feature(_FEATURES):
            context.check_cancelled()
            context.progress(block.first, features, "features", "Finding co-active features")
            _correlate(
                block.first, block.offsets, block.rows, block.values, firings.rows,
                table.offsets, table.ids, table.values, places, table.counts, table.mean,
                table.std, *work, ids, pearson, share,
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
        self.counts = np.zeros(features, np.int64)
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
                self.counts += np.bincount(ids, minlength=features)
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
    places: Array,
    counts: Array,
    mean: Array,
    std: Array,
    sums: Array,
    touched: Array,
    ids: Array,
    pearson: Array,
    share: Array,
) -> None:
    """Offer the features of one block and those of larger numbers to each other.

    `places` (R,) say where in each row the features begin that have not been looked at: blocks
    come in order. `sums` (F, 2) are Σxy and on how many rows both fire, side by side in memory.
    `ids`, `pearson` and `share` (F, N) hold the best so far.
    """
    kept = ids.shape[1]
    for local in range(len(offsets) - 1):
        me = first + local
        found = pairs = 0
        for entry in range(offsets[local], offsets[local + 1]):
            row = rows[entry]
            places[row] += 1  # past this feature itself
            pairs += row_offsets[row + 1] - places[row]
        if pairs > len(sums):
            # Looking through all features costs less than to note those met.
            for entry in range(offsets[local], offsets[local + 1]):
                value, start = float(values[entry]), np.uint64(places[rows[entry]])
                # Numbers without a sign are not looked at for whether they count from the end.
                for place in range(start, np.uint64(row_offsets[rows[entry] + 1])):
                    met = np.uint64(row_ids[place])
                    sums[met, 0] += value * row_values[place]
                    sums[met, 1] += 1.0
            for other in range(me + 1, len(sums)):
                touched[found] = other
                found += sums[other, 1] > 0.0
        else:
            for entry in range(offsets[local], offsets[local + 1]):
                row, value = rows[entry], float(values[entry])
                for place in range(places[row], row_offsets[row + 1]):
                    other = row_ids[place]
                    if sums[other, 1] == 0.0:
                        touched[found] = other
                        found += 1
                    sums[other, 0] += value * row_values[place]
                    sums[other, 1] += 1.0
        for number in range(found):
            other = touched[number]
            spread = std[me] * std[other]
            r = 0.0
            if spread > 0.0:
                r = (sums[other, 0] / row_count - mean[me] * mean[other]) / spread
            for side in range(2):
                own, with_it = (me, other) if side == 0 else (other, me)
                if r > 0.0 and r > pearson[own, kept - 1]:
                    # Insertion into the sorted list of the best; an empty place has 0.
                    place = kept - 1
                    while place > 0 and pearson[own, place - 1] < r:
                        ids[own, place] = ids[own, place - 1]
                        pearson[own, place] = pearson[own, place - 1]
                        share[own, place] = share[own, place - 1]
                        place -= 1
                    ids[own, place] = with_it
                    pearson[own, place] = r
                    share[own, place] = sums[other, 1] / counts[own]
            sums[other, 0] = sums[other, 1] = 0.0
