"""The inputs of targets as they are found, the largest of each, and the influence they give.

S sources in the order of `attributing.Sources`; a row is a target's inputs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from sae_desktop.circuits.reading.graph_file import Array
from sae_desktop.devices.abilities import has_float64

LOGIT_ROW = -1
"""The place among sources of a target that is none: a logit."""


@dataclass
class Rows:
    """Sparse rows; the first are those of the logits."""

    most: int
    """Entries kept of a row."""
    targets: list[int] = field(default_factory=list)
    """Of each row, its target's place among the sources, or LOGIT_ROW."""
    columns: list[Array] = field(default_factory=list)
    """int32, of each row, the largest first."""
    weights: list[Array] = field(default_factory=list)
    """float32."""
    totals: list[float] = field(default_factory=list)
    """The sum of each whole row."""
    sizes: list[float] = field(default_factory=list)
    """The sum of the sizes of each whole row."""

    def add(self, targets: list[int], edges_BS: Tensor) -> None:
        """Keep the largest entries of each row (S,), and the sums of all of it."""
        sums = _exact_sums(edges_BS)
        sizes = edges_BS.abs()
        whole = _exact_sums(sizes)
        kept = min(self.most, edges_BS.shape[1])
        _, order = sizes.topk(kept, dim=1)
        values = edges_BS.gather(1, order).to("cpu", torch.float32).numpy()
        places = order.to("cpu", torch.int32).numpy()
        for row, target in enumerate(targets):
            nonzero = int(np.count_nonzero(values[row]))
            self.targets.append(target)
            self.columns.append(places[row, :nonzero].copy())
            self.weights.append(values[row, :nonzero].copy())
            self.totals.append(sums[row])
            self.sizes.append(whole[row])

    def __len__(self) -> int:
        return len(self.targets)

    def influence(self, layers_S: Array, chances: Array) -> Array:
        """Return the influence of each source on the logits, by the rows there are, (S,)."""
        found = np.zeros(len(layers_S))
        targets = np.array(self.targets)
        layer_of = np.where(targets < 0, np.iinfo(np.int16).max, layers_S[targets])
        reach = np.zeros(len(targets))
        reach[: len(chances)] = chances / max(float(chances.sum()), 1e-30)
        for layer in np.unique(layer_of)[::-1]:
            rows = np.flatnonzero(layer_of == layer)
            inner = rows[targets[rows] >= 0]
            reach[inner] = found[targets[inner]]
            rows = rows[reach[rows] > 0]
            if not len(rows):
                continue
            columns = np.concatenate([self.columns[row] for row in rows])
            shares = np.concatenate(
                [np.abs(self.weights[row]) * (reach[row] / (self.sizes[row] or 1)) for row in rows]
            )
            found += np.bincount(columns, shares, minlength=len(found))
        return found

    # ------------------------------------------------------------ on disk
    def save(self, path: Path, first: int) -> None:
        """Write the rows from `first` on."""
        with path.open("wb") as file:
            np.savez(
                file,
                targets=np.array(self.targets[first:], np.int64),
                lengths=np.array([len(row) for row in self.columns[first:]], np.int64),
                columns=np.concatenate([*self.columns[first:], np.zeros(0, np.int32)]),
                weights=np.concatenate([*self.weights[first:], np.zeros(0, np.float32)]),
                totals=np.array(self.totals[first:]),
                sizes=np.array(self.sizes[first:]),
            )

    def load(self, path: Path) -> None:
        """Add the rows of a file. Raises ValueError, OSError or KeyError for a damaged one."""
        with np.load(path, allow_pickle=False) as found:
            ends = np.cumsum(found["lengths"])
            columns, weights = found["columns"], found["weights"]
            if len(columns) != (ends[-1] if len(ends) else 0) or len(columns) != len(weights):
                raise ValueError("the rows are cut short")
            self.targets += found["targets"].tolist()
            self.columns += np.split(columns.astype(np.int32), ends[:-1]) if len(ends) else []
            self.weights += np.split(weights.astype(np.float32), ends[:-1]) if len(ends) else []
            self.totals += found["totals"].tolist()
            self.sizes += found["sizes"].tolist()


def _exact_sums(edges_BS: Tensor) -> list[float]:
    """Return the sum of each row (S,), made in double precision."""
    if not has_float64(edges_BS.device):
        edges_BS = edges_BS.cpu()
    found: list[float] = edges_BS.sum(dim=1, dtype=torch.float64).tolist()
    return found
