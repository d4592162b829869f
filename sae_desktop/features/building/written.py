"""What features write, output by output. F features, P outputs, D width of an output."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from sae_desktop.dictionary import Dictionary
from sae_desktop.dictionary.ends import End
from sae_desktop.features.building.site_rows import SiteRows, typical_norm

Array = npt.NDArray[Any]

_SAMPLE = 1024
_LEAST = 1e-12
_JOINED_CELLS = 2**28
"""Most numbers of directions side by side; more are projected to fewer dimensions."""
_PROJECTED = 1024


@dataclass(frozen=True)
class Written:
    """The outputs of a dictionary, and how large the rows of each typically are."""

    dictionary: Dictionary
    ends: tuple[End, ...]
    typical: Array
    """(P,) float32."""

    def __len__(self) -> int:
        """P."""
        return len(self.ends)

    def part(self, number: int) -> Tensor:
        """Return (n, D): what the first n features write to an output; the others write nothing."""
        return self.dictionary.decoder_part(number)

    def whole(self, number: int, first: int, last: int) -> Tensor:
        """Return (last − first, D): what these features write to an output."""
        part = self.part(number)
        found = part[first : min(last, len(part))]
        return torch.nn.functional.pad(found, (0, 0, 0, last - first - len(found)))

    def directions(self) -> list[Tensor]:
        """Return what is written to each output (n, D), in its typical norms where several are."""
        if len(self) == 1:
            return [self.dictionary.W_dec]
        return [self.part(n) / float(self.typical[n]) for n in range(len(self))]

    def joined(self) -> Tensor:
        """Return the directions side by side, (F, …).

        Those of very many numbers are projected at random: their cosines stay as they are to
        about 3%.
        """
        parts, features = self.directions(), self.dictionary.features
        if len(parts) == 1:
            return parts[0]
        width = sum(end.width for end in self.ends)
        projects = features * width > _JOINED_CELLS and width > _PROJECTED
        out = torch.zeros(features, _PROJECTED if projects else width, device=parts[0].device)
        generator = torch.Generator().manual_seed(0)
        for part, end in zip(parts, self.ends, strict=True):
            if projects:
                mixed = torch.randn(end.width, _PROJECTED, generator=generator)
                out[: len(part)] += part.float() @ mixed.to(part.device)
            else:
                out[: len(part), end.columns] = part
        return out

    def strength(self) -> Array:
        """Return (F, P): norms at each output in its typical norms, the largest of a feature 1."""
        norms = np.zeros((self.dictionary.features, len(self)), np.float32)
        for number, typical in enumerate(self.typical):
            part = self.part(number)
            norms[: len(part), number] = part.norm(dim=1).cpu().numpy() / typical
        return np.asarray(norms / np.maximum(norms.max(axis=1, keepdims=True), _LEAST))


def written_of(dictionary: Dictionary, ends: Sequence[End], rows: SiteRows) -> Written:
    """Return what a dictionary writes; `rows` are those it is indexed on.

    A site that the stores lack is measured by what the dictionary writes there for some rows.
    """
    typical = np.ones(len(ends), np.float32)
    if len(ends) > 1:
        lacking: list[int] = []
        for number, end in enumerate(ends):
            store = rows.stores[end.source] if end.source < len(rows.stores) else None
            if store is not None and end.site in store.info.sites:
                typical[number] = max(typical_norm(store, end.site), _LEAST)
            else:
                lacking.append(number)
        if lacking:
            norms = _norms_written(dictionary, ends, rows)
            for number in lacking:
                typical[number] = max(norms[number], _LEAST)
    return Written(dictionary, tuple(ends), typical)


def _norms_written(dictionary: Dictionary, ends: Sequence[End], rows: SiteRows) -> list[float]:
    count = rows.store.rows
    chosen = np.unique(np.linspace(0, count - 1, min(_SAMPLE, count)).astype(np.int64))
    values, massive = rows.gather(chosen)
    with torch.no_grad():
        written = dictionary.apply(torch.from_numpy(values[~massive]))
    return [float(written[:, end.columns].norm(dim=1).median()) for end in ends]
