"""The rows that an index is made from: those of all its dictionary's inputs, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from sae_desktop.activations.store import ActivationStore
from sae_desktop.dictionary.ends import End
from sae_desktop.dictionary.normalisation import MASSIVE_NORM

Array = npt.NDArray[Any]


class ReadSite(msgspec.Struct, frozen=True, kw_only=True):
    """One input."""

    site: str
    source: int = 0
    """Which of the stores, that of the first model or of another."""
    massive_norm: float
    """A row of a larger norm is massive: features count as silent on it."""


def typical_norm(store: ActivationStore, site: str) -> float:
    """Return the median norm of a store's rows at a site; 0 of an empty one."""
    norms = store.norms(site)
    return float(np.median(norms)) if len(norms) else 0.0


def typical_limit(store: ActivationStore, site: str) -> float:
    """Return the norm over which a row is massive: ten times the median of the whole store."""
    return MASSIVE_NORM * typical_norm(store, site)


def read_sites(ends: Sequence[End], stores: Sequence[ActivationStore]) -> tuple[ReadSite, ...]:
    """Return what is read of the stores, which are those of the ends' sources."""
    return tuple(
        ReadSite(
            site=end.site,
            source=end.source,
            massive_norm=typical_limit(stores[end.source], end.site),
        )
        for end in ends
    )


class SiteRows:
    """Rows of several sites, of one store or of several that hold the same tokens."""

    def __init__(self, stores: Sequence[ActivationStore], sites: Sequence[ReadSite]) -> None:
        self.stores, self.sites = list(stores), list(sites)
        self.widths = [stores[site.source].width(site.site) for site in sites]

    @property
    def store(self) -> ActivationStore:
        """The first one, whose text it is."""
        return self.stores[0]

    @property
    def width(self) -> int:
        """I, of all sites together."""
        return sum(self.widths)

    def read(self, begin: int, end: int, room: int = 0) -> tuple[Array, Array]:
        """Return the rows begin … end − 1 (R, I) float32, and which of them are massive (R,).

        Where there is `room` for more rows, the rest of them are zeros.
        """
        parts = [self.stores[s.source].read(begin, end, s.site) for s in self.sites]
        return self._side_by_side(parts, room)

    def gather(self, rows: Array) -> tuple[Array, Array]:
        """Return any rows (R, I) float32, and which of them are massive (R,)."""
        return self._side_by_side(
            [self.stores[s.source].gather(rows, s.site) for s in self.sites], 0
        )

    def _side_by_side(self, parts: Sequence[Array], room: int) -> tuple[Array, Array]:
        count, column = len(parts[0]), 0
        values = np.zeros((max(room, count), self.width), np.float32)
        massive = np.zeros(len(values), np.bool_)
        for part, site in zip(parts, self.sites, strict=True):
            place = values[:count, column : column + part.shape[1]]
            place[:] = part
            # Massive at one site is massive: what it writes there would be no language.
            massive[:count] |= np.linalg.norm(place, axis=1) > site.massive_norm
            column += part.shape[1]
        return values, massive
