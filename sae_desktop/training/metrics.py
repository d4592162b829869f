"""How well a dictionary fits rows of activations."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor

from sae_desktop.dictionary import Dictionary


class Fit(NamedTuple):
    """Figures over a set of rows."""

    l0: float
    """Active features per row, mean."""
    fvu: float
    """Σ‖x − x̂‖² / Σ‖x − x̄‖²; explained variance is 1 − FVU."""
    cosine: float
    """Cosine of x and x̂, mean over rows."""
    rows: int


def measure_fit(dictionary: Dictionary, blocks: Iterable[Tensor]) -> Fit:
    """Measure over blocks of raw rows (T, D). All sums are kept in float64."""
    active, error, cosine, rows = 0.0, 0.0, 0.0, 0
    total = torch.zeros(dictionary.width, dtype=torch.float64)
    squares = 0.0
    for x_TD in blocks:
        x_TD = x_TD.to(dictionary.device, torch.float32)
        activations = dictionary.encode(x_TD)
        reconstruction = dictionary.decode(activations)
        active += float((activations > 0).sum())
        error += float((x_TD - reconstruction).double().pow(2).sum())
        cosine += float(torch.nn.functional.cosine_similarity(x_TD, reconstruction, dim=1).sum())
        wide = x_TD.double()
        total += wide.sum(dim=0).cpu()
        squares += float(wide.pow(2).sum())
        rows += len(x_TD)
    variance = squares - float(total.pow(2).sum()) / max(rows, 1)
    return Fit(
        l0=active / max(rows, 1),
        fvu=error / variance if variance > 0 else float("nan"),
        cosine=cosine / max(rows, 1),
        rows=rows,
    )


class FiringCounter:
    """Rows since each feature last fired, and how often it fired in a recent window."""

    def __init__(self, features: int, device: torch.device) -> None:
        self.silent_rows = torch.zeros(features, dtype=torch.int64, device=device)
        self.recent_counts = torch.zeros(features, dtype=torch.int64, device=device)
        self.recent_rows = torch.zeros((), dtype=torch.int64)

    def update(self, fired_F: Tensor, rows: int) -> None:
        """Count a batch: fired_F (F,) says on how many of its rows each feature fired."""
        self.silent_rows += rows
        self.silent_rows[fired_F > 0] = 0
        self.recent_counts += fired_F
        self.recent_rows += rows

    def dead(self, window: int) -> Tensor:
        """Return (F,) bool: silent over the last `window` rows."""
        return self.silent_rows >= window

    def take_densities(self) -> Tensor:
        """Return (F,) shares of rows on which features fired since the last call."""
        densities = self.recent_counts.double() / max(int(self.recent_rows), 1)
        self.recent_counts.zero_()
        self.recent_rows.zero_()
        return densities

    def state(self) -> dict[str, Tensor]:
        return {
            "silent_rows": self.silent_rows,
            "recent_counts": self.recent_counts,
            "recent_rows": self.recent_rows,
        }

    def restore(self, state: dict[str, Tensor]) -> None:
        for name, own in self.state().items():
            own.copy_(state[name])
