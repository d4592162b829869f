"""How well a dictionary fits rows of activations, and how often its features fire.

Shape legend: T rows, I input width, O output width, F features. A plain dictionary writes to
the site it reads, so I = O and the row to be reconstructed is the row that is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from sae_desktop.devices.abilities import float64_of
from sae_desktop.dictionary import Dictionary

DENSE_SHARE = 0.1
"""A feature that fires on more than this share of the rows is dense."""

_ACTIVATIONS_AT_ONCE = 2**25

Block = Tensor | tuple[Tensor, Tensor]
"""Raw rows (T, D), or what is read (T, I) beside what is to be reconstructed (T, O)."""


class Fit(NamedTuple):
    """Figures over a set of rows: y is to be reconstructed, ŷ is the reconstruction.

    w is the part of ŷ that the features write, ŷ less the bias and the skip; r is what they
    should have written, y less the bias and the skip.
    """

    l0: float
    """Active features per row, mean."""
    fvu: float
    """Σ‖y − ŷ‖² / Σ‖y − ȳ‖²; explained variance is 1 − FVU."""
    cosine: float
    """Cosine of y and ŷ, mean over rows."""
    rows: int
    shrinkage: float
    """Σ‖w‖² / Σ⟨r, w⟩: what is written as a share of the same direction's best length. 1 where
    no common factor would lower the error; below 1, activations are too small (the relative
    reconstruction bias of Rajamanoharan et al., 2024, "Gated Sparse Autoencoders")."""
    counts_F: Tensor
    """(F,) int64 on the CPU: rows on which each feature fires."""
    part_fvu: tuple[float, ...]
    """The FVU of each part, where the output has several."""
    feature_gain: float
    """The factor by which a feature's activation alone would have to be multiplied for the
    error to be least, 1 + Σ a⟨y − ŷ, d⟩ / Σ a², median over features that fired; above 1,
    activations are too small. NaN where not asked for."""

    @property
    def densities_F(self) -> Tensor:
        """(F,) float64: shares of rows on which the features fire."""
        return self.counts_F.double() / max(self.rows, 1)

    @property
    def dense_fraction(self) -> float:
        """Share of the features that fire on more than DENSE_SHARE of the rows."""
        return float((self.densities_F > DENSE_SHARE).double().mean())

    @property
    def dead_fraction(self) -> float:
        """Share of the features that fire on none of the rows."""
        return float((self.counts_F == 0).double().mean())


def measure_fit(dictionary: Dictionary, blocks: Iterable[Block], *, gains: bool = False) -> Fit:
    """Measure over blocks of raw rows; memory does not grow with the blocks' size.

    `gains` asks for the per-feature gain, which costs another dense product.
    """
    sums = _Sums(dictionary, gains)
    for x_TI, y_TO in _pieces(blocks, dictionary):
        sums.add(x_TI, y_TO)
    return sums.fit()


def count_fires(dictionary: Dictionary, blocks: Iterable[Block]) -> tuple[Tensor, int]:
    """Return (F,) int64 on the CPU, on how many rows each feature fires, and how many there are."""
    counts_F, rows = torch.zeros(dictionary.features, dtype=torch.int64), 0
    for x_TI, _ in _pieces(blocks, dictionary):
        counts_F += (dictionary.encode(x_TI) > 0).sum(dim=0).cpu()
        rows += len(x_TI)
    return counts_F, rows


def _pieces(blocks: Iterable[Block], dictionary: Dictionary) -> Iterator[tuple[Tensor, Tensor]]:
    """Cut blocks so that their activations fit into a buffer of bounded size."""
    rows = max(1, _ACTIVATIONS_AT_ONCE // dictionary.features)
    for block in blocks:
        x, y = (block, block) if isinstance(block, Tensor) else block
        for begin in range(0, len(x), rows):
            x_TI = x[begin : begin + rows].to(dictionary.device, torch.float32)
            same = x is y
            y_TO = x_TI if same else y[begin : begin + rows].to(dictionary.device, torch.float32)
            yield x_TI, y_TO


class _Sums:
    """What the figures are made of. Totals are kept in float64 on the CPU."""

    def __init__(self, dictionary: Dictionary, gains: bool) -> None:
        self._dictionary = dictionary
        self._gains = gains
        features, width = dictionary.features, dictionary.out_width
        self._rows, self._cosine, self._power, self._agreement = 0, 0.0, 0.0, 0.0
        self._counts_F = torch.zeros(features, dtype=torch.int64)
        self._error_O, self._total_O, self._squares_O = torch.zeros(
            3, width, dtype=torch.float64
        ).unbind()
        self._pull_F, self._squares_F = torch.zeros(2, features, dtype=torch.float64).unbind()
        self._shift_O: Tensor | None = None

    def add(self, x_TI: Tensor, y_TO: Tensor) -> None:
        acts_TF = self._dictionary.encode(x_TI)
        reconstruction = self._dictionary.decode(acts_TF, x_TI)
        error_TO = y_TO - reconstruction
        written_TO = reconstruction - self._dictionary.b_dec
        if self._dictionary.W_skip is not None:
            written_TO = written_TO - x_TI @ self._dictionary.W_skip
        self._counts_F += (acts_TF > 0).sum(dim=0).cpu()
        self._error_O += _double(error_TO.pow(2).sum(dim=0))
        power_O = _double(written_TO.pow(2).sum(dim=0))
        self._power += float(power_O.sum())
        self._agreement += float((power_O + _double((error_TO * written_TO).sum(dim=0))).sum())
        cosines = torch.nn.functional.cosine_similarity(y_TO, reconstruction, dim=1)
        self._cosine += float(cosines.sum())
        # Sums of squares around a point of the cloud: a large mean would drown the variance.
        if self._shift_O is None:
            self._shift_O = y_TO.mean(dim=0)
        moved_TO = y_TO - self._shift_O
        self._total_O += _double(moved_TO.sum(dim=0))
        self._squares_O += _double(moved_TO.pow(2).sum(dim=0))
        self._rows += len(x_TI)
        if self._gains:
            self._squares_F += _double(acts_TF.pow(2).sum(dim=0))
            pull_TF = self._dictionary.dots(error_TO).mul_(acts_TF)
            self._pull_F += _double(pull_TF.sum(dim=0))

    def fit(self) -> Fit:
        rows = max(self._rows, 1)
        variance_O = self._squares_O - self._total_O.pow(2) / rows
        return Fit(
            l0=float(self._counts_F.sum()) / rows,
            fvu=_ratio(float(self._error_O.sum()), float(variance_O.sum())),
            cosine=self._cosine / rows,
            rows=self._rows,
            shrinkage=_ratio(self._power, self._agreement),
            counts_F=self._counts_F,
            part_fvu=_part_fvu(self._error_O, variance_O, self._dictionary.parts),
            feature_gain=self._median_gain(),
        )

    def _median_gain(self) -> float:
        fired = self._squares_F > 0
        if not bool(fired.any()):
            return float("nan")
        return float((1 + self._pull_F[fired] / self._squares_F[fired]).median())


def _part_fvu(error_O: Tensor, variance_O: Tensor, parts: Sequence[int]) -> tuple[float, ...]:
    if not parts:
        return ()
    errors, variances = torch.split(error_O, list(parts)), torch.split(variance_O, list(parts))
    return tuple(
        _ratio(float(e.sum()), float(v.sum())) for e, v in zip(errors, variances, strict=True)
    )


def _double(values: Tensor) -> Tensor:
    return values.cpu().double()


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole > 0 else float("nan")


class FiringCounter:
    """Rows since each feature last fired, and how often it fired in a recent window."""

    def __init__(self, features: int, device: torch.device) -> None:
        self.silent_rows = torch.zeros(features, dtype=torch.int64, device=device)
        self.recent_counts = torch.zeros(features, dtype=torch.int64, device=device)
        self.recent_rows = torch.zeros((), dtype=torch.int64)

    def update(self, fired_F: Tensor, rows: int) -> None:
        """Count a batch: fired_F (F,) says on how many of its rows each feature fired."""
        self.silent_rows += rows
        self.silent_rows.masked_fill_(fired_F > 0, 0)
        self.recent_counts += fired_F
        self.recent_rows += rows

    def dead(self, window: int) -> Tensor:
        """Return (F,) bool: silent over the last `window` rows."""
        return self.silent_rows >= window

    def take_densities(self) -> Tensor:
        """Return (F,) shares of rows on which features fired since the last call."""
        densities = float64_of(self.recent_counts) / max(int(self.recent_rows), 1)
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
