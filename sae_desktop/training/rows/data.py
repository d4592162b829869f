"""Which rows of a store a run trains on, and what they are normalised by.

Whole documents are held out for figures; rows that are massive at any site are left out if asked.
Each part of a batch, the rows of one site, has a scalar of its own, and a centre where it has
one: its mean is taken off if asked, or where it is large beside the spread around it.

Shape legend: T rows, D width of a part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from sae_desktop.activations.store import ActivationStore
from sae_desktop.dictionary.architectures import Batch
from sae_desktop.dictionary.normalisation import Affine, joined, massive_rows, scalar_of
from sae_desktop.errors import UserError
from sae_desktop.training.config import RowsOf
from sae_desktop.training.rows.document_split import HeldOutBy, held_out_rows

HELD_OUT_SHARE = 0.1
MAX_HELD_OUT = 65_536

FEWEST_ROWS = 100
"""Fewer rows than this teach nothing."""

CENTRE_LIMIT = 1.0
"""`auto` takes the mean off where ‖μ‖ is more than this many ‖σ‖, ‖σ‖² = E‖x − μ‖²: where
more than half of E‖x‖² is one vector that every row shares."""

_NO_SPREAD = 1e-5
"""‖σ‖/‖μ‖ below this is rounding: the rows are all the same."""
_MEASURED_ROWS = 65_536
_CHUNK = 4096

Array = npt.NDArray[Any]
Rows = npt.NDArray[np.int64]
Centre = Literal["auto", "always", "never"]


@dataclass(frozen=True)
class Split:
    """Row numbers of a store by their use; `excluded` are the massive ones."""

    training: Rows
    held_out: Rows
    excluded: Rows
    scalar: float
    """Raw rows × scalar have E‖x‖² = D over the training rows, at the first site."""
    texts: int = 0
    """How many texts the rows are of; 0 where the last rows are held out, whatever their text."""


class SiteRows(NamedTuple):
    """One site of a store: the rows of one part of a batch."""

    store: ActivationStore
    site: str

    def gather(self, rows: Rows) -> Array:
        """Return the given rows as stored, (T, D)."""
        return self.store.gather(rows, self.site)

    @property
    def width(self) -> int:
        """D."""
        return self.store.width(self.site)


def split_rows(
    store: ActivationStore,
    site: str,
    *,
    exclude_massive: bool,
    rows: int | None = None,
    by: HeldOutBy = "documents",
) -> Split:
    """Divide the first `rows` rows of a store (all, by default) by one site.

    Raises UserError when the store is empty, all its rows are zero, or one is not finite.
    """
    parts = [SiteRows(store, site)]
    return split_parts(parts, exclude_massive=exclude_massive, rows=rows, by=by)


def split_parts(
    parts: Sequence[SiteRows],
    *,
    exclude_massive: bool,
    rows: int | None = None,
    by: HeldOutBy = "documents",
    of: RowsOf = "both",
) -> Split:
    """Divide the first `rows` rows of the stores, which hold the same tokens row by row.

    Held out are all rows of some documents; of a store with too few, and with `by` rows, the last
    ones. A row that is massive at any of the sites, among those of texts or of pictures, is
    excluded. Raises UserError as `split_rows`, and for a store with no rows `of` a kind.
    """
    first = parts[0].store
    count = min(part.store.rows for part in parts)
    count = count if rows is None else min(rows, count)
    if count < 2:
        raise UserError(
            f"The store “{first.folder.name}” holds {count} rows.",
            next_step="Harvest more before training.",
        )
    massive = np.zeros(count, dtype=np.bool_)
    kinds = _kinds(first, count)
    for part in parts:
        norms = part.store.norms(part.site)[:count]
        _refuse_not_finite(part, norms)
        for kind in kinds.values() if exclude_massive else ():
            massive[kind] |= massive_rows(norms[kind])
    wanted_R = _wanted(first, kinds, count, of)
    wanted = min(MAX_HELD_OUT, max(1, int(count * HELD_OUT_SHARE)))
    found = held_out_rows(first, count, wanted) if by == "documents" else None
    held = np.zeros(count, dtype=np.bool_)
    held[slice(count - wanted, None) if found is None else found[0]] = True
    usable = ~massive & wanted_R
    training, held_out = np.flatnonzero(usable & ~held), np.flatnonzero(usable & held)
    for part in parts:
        if len(training) == 0 or not float(part.store.norms(part.site)[training].max()) > 0:
            raise UserError(
                f"The store “{part.store.folder.name}” holds nothing to train on: every row of "
                f"“{part.site}” is zero.",
                next_step="Harvest or import the activations again.",
            )
    return Split(
        training=training,
        held_out=held_out,
        excluded=np.flatnonzero(massive & wanted_R),
        scalar=scalar_of(first.norms(parts[0].site)[training], parts[0].width),
        texts=0 if found is None else found[1],
    )


def _kinds(store: ActivationStore, count: int) -> dict[RowsOf, Array]:
    """Return which of the first rows (R,) are of texts, and which of pictures: the norms of the
    two may have nothing to do with each other."""
    if not len(store.pictures):
        return {"text": np.ones(count, dtype=np.bool_)}
    pictures = store.pictures.of_rows(0, count) >= 0
    return {"text": ~pictures, "pictures": pictures}


def _wanted(store: ActivationStore, kinds: Mapping[RowsOf, Array], count: int, of: RowsOf) -> Array:
    if of == "both":
        return np.ones(count, dtype=np.bool_)
    found = kinds.get(of, np.zeros(count, dtype=np.bool_))
    if not found.any():
        raise UserError(
            f"The store “{store.folder.name}” has no rows of {'texts' * (of == 'text')}"
            f"{'pictures' * (of == 'pictures')}.",
            kept="Nothing was changed.",
            next_step="Train on both, or choose another store.",
        )
    return found


def _refuse_not_finite(part: SiteRows, norms: Array) -> None:
    broken = np.flatnonzero(~np.isfinite(norms))
    if len(broken):
        raise UserError(
            f"The store “{part.store.folder.name}” holds {len(broken):,} rows with values that "
            f"are not finite (NaN or infinite), the first of them row {broken[0]:,}.",
            kept="Nothing was changed.",
            next_step="Harvest or import them again as float32, or without these rows.",
        )


def measure_affine(
    values: Array, centre: Centre, *, what: str, mean_square: float | None = None
) -> Affine:
    """Return the map of a part's raw rows to E‖x‖² = D, from a sample (T, D) of them.

    `mean_square` is E‖x‖² where it is known from more rows. `what` names the rows in the
    UserError that says that they are all the same.
    """
    width = values.shape[1]
    mean_D = np.zeros(width)
    for begin in range(0, len(values), _CHUNK):
        mean_D += values[begin : begin + _CHUNK].sum(axis=0, dtype=np.float64)
    mean_D /= len(values)
    spread = 0.0
    for begin in range(0, len(values), _CHUNK):
        spread += float(np.square(values[begin : begin + _CHUNK] - mean_D).sum())
    spread = (spread / len(values)) ** 0.5
    length = float(np.linalg.norm(mean_D))
    if spread <= _NO_SPREAD * length:
        raise UserError(
            f"All rows of {what} are the same: there is nothing to learn from them.",
            kept="Nothing was changed.",
            next_step="Harvest or import other activations.",
        )
    centred = centre == "always" or (centre == "auto" and length > CENTRE_LIMIT * spread)
    if not centred:
        square = spread**2 + length**2 if mean_square is None else mean_square
        return Affine.scaling(float((width / square) ** 0.5), width)
    shift = torch.from_numpy(mean_D).float()
    return Affine(shift, torch.full((width,), width**0.5 / spread))


def part_affine(part: SiteRows, training: Rows, centre: Centre) -> Affine:
    """Return the normalisation of one site's training rows. Raises UserError as above."""
    return measure_affine(
        part.gather(evenly(training, _MEASURED_ROWS)),
        centre,
        what=f"“{part.site}” in the store “{part.store.folder.name}”",
        mean_square=float(np.mean(np.square(part.store.norms(part.site)[training], dtype="f8"))),
    )


@dataclass(frozen=True)
class Side:
    """What a batch's x, or its y, is made of: parts side by side, each with its affine map."""

    affines: tuple[Affine, ...]

    @property
    def widths(self) -> tuple[int, ...]:
        return tuple(len(affine.shift) for affine in self.affines)

    @property
    def affine(self) -> Affine:
        """The map of all parts together."""
        return joined(list(self.affines))

    def to(self, device: torch.device) -> Side:
        return Side(tuple(affine.to(device) for affine in self.affines))

    def raw(self, parts: Sequence[Array]) -> Tensor:
        """Return raw rows as float32, the parts side by side."""
        return torch.cat([torch.from_numpy(part).float() for part in parts], dim=1)

    def normalise(self, parts: Sequence[Tensor], out: Tensor) -> Tensor:
        """Write normalised rows of the parts, (T, D) each of any dtype, into `out`."""
        targets = torch.split(out, list(self.widths), dim=1)
        for part, affine, target in zip(parts, self.affines, targets, strict=True):
            target.copy_(part, non_blocking=True)
            target.sub_(affine.shift).mul_(affine.scale)
        return out


@dataclass(frozen=True)
class Sides:
    """How the parts of a row become a batch: inputs first, then outputs where there are some."""

    x: Side
    y: Side | None = None
    """None: the input itself is reconstructed."""

    @property
    def source(self) -> Affine:
        """What an architecture's `folded` reads through."""
        return self.x.affine

    @property
    def target(self) -> Affine:
        """What an architecture's `folded` writes to."""
        return (self.y or self.x).affine

    def to(self, device: torch.device) -> Sides:
        return Sides(self.x.to(device), None if self.y is None else self.y.to(device))

    def raw(self, parts: Sequence[Array]) -> Batch:
        """Return raw rows as a batch, float32."""
        count = len(self.x.affines)
        x_TI = self.x.raw(parts[:count])
        return Batch(x_TI, x_TI if self.y is None else self.y.raw(parts[count:]))

    def batch(self, parts: Sequence[Tensor], out: Batch) -> Batch:
        """Write normalised rows into `out` and return it."""
        count = len(self.x.affines)
        self.x.normalise(parts[:count], out.x_TI)
        if self.y is not None:
            self.y.normalise(parts[count:], out.y_TO)
        return out

    def empty(self, rows: int, device: torch.device) -> Batch:
        """Return room for a batch."""
        x_TI = torch.empty(rows, sum(self.x.widths), device=device)
        if self.y is None:
            return Batch(x_TI, x_TI)
        return Batch(x_TI, torch.empty(rows, sum(self.y.widths), device=device))

    def tensors(self) -> dict[str, Tensor]:
        """Return what `restored` makes the same again of."""
        sides = [("x", self.x)] + ([("y", self.y)] if self.y is not None else [])
        found: dict[str, Tensor] = {}
        for name, side in sides:
            for number, affine in enumerate(side.affines):
                found[f"{name}.{number}.shift"] = affine.shift
                found[f"{name}.{number}.scale"] = affine.scale
        return found

    @classmethod
    def restored(cls, tensors: dict[str, Tensor]) -> Sides:
        """Return the sides whose `tensors` these are."""

        def side(name: str) -> Side:
            count = sum(key.startswith(f"{name}.") for key in tensors) // 2
            return Side(
                tuple(
                    Affine(tensors[f"{name}.{n}.shift"], tensors[f"{name}.{n}.scale"])
                    for n in range(count)
                )
            )

        y = side("y")
        return cls(side("x"), y if y.affines else None)


def held_out_windows(store: ActivationStore, rows: Rows) -> Array:
    """Return the windows of a store, entries of its table, whose first and last row are among
    `rows`; where none is whole, those that have any."""
    windows = store.windows
    inside = np.zeros(store.rows + 1, dtype=np.int64)
    inside[rows + 1] = 1
    count = np.cumsum(inside)
    ends = windows["first_row"] + windows["length"]
    found = count[ends] - count[windows["first_row"]]
    whole = found >= np.maximum(windows["length"] - _MASSIVE_IN_WINDOW, 1)
    return np.asarray(windows[whole if whole.any() else found > 0])


_MASSIVE_IN_WINDOW = 2
"""Rows of a held-out window that may be missing among those held out: massive ones."""


def evenly(rows: Rows, count: int) -> Rows:
    """Return at most `count` of the rows, evenly spaced."""
    if len(rows) <= count:
        return rows
    return np.asarray(rows[np.linspace(0, len(rows) - 1, count).astype(np.int64)])
