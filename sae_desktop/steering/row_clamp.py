"""One feature held in each row of a batch: many features tried side by side.

B rows, S tokens, D width of the site that features write.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from sae_desktop.dictionary import Dictionary
from sae_desktop.features.asking.opened import OpenedIndex
from sae_desktop.language_model.sites.resolve import Site
from sae_desktop.steering.interventions import Positions, written_before_read


class RowClamp:
    """Sets feature `chosen_B[b]` to `values_B[b]` in row b, on its tokens from `first` on.

    That is what a clamp of `SteeredSite` does of one feature a row, without a step for each row.
    """

    def __init__(
        self,
        opened: OpenedIndex,
        chosen_B: Tensor,
        values_B: Tensor,
        positions: Positions,
        *,
        first: int,
        directions_BD: Tensor | None = None,
    ) -> None:
        """`first`: the first column to be changed; `positions` says which a pass begins with.

        `directions_BD`: others of length one in place of the features' own.
        """
        self._opened, dictionary = opened, opened.dictionary
        self._chosen_B = chosen_B.to(dictionary.device)
        self._values_B = values_B.to(dictionary.device)
        own = dictionary.W_dec[self._chosen_B] if directions_BD is None else directions_BD
        self._directions_BD = own.float().to(dictionary.device)
        self._positions, self._first = positions, first
        self._added_BSD: Tensor | None = None

    def transforms(self) -> Mapping[Site, Callable[[Tensor], Tensor]]:
        """Return what is done at each site, in the order of the forward pass."""
        read, written = self._opened.site, self._opened.written
        if read == written:
            return {written: lambda x_BSD: self._write(self._read(x_BSD))}
        return {read: self._read, written: self._write}

    def _read(self, x_BSD: Tensor) -> Tensor:
        changed_BSD = x_BSD[:, max(self._first - self._positions.column, 0) :]
        dictionary: Dictionary = self._opened.dictionary
        acts_BS = row_activations(dictionary, changed_BSD, self._chosen_B)
        worth_BS = dictionary.row_scale(changed_BSD).float()[..., 0]
        amounts_BS = (self._values_B[:, None] - acts_BS) * worth_BS
        self._added_BSD = amounts_BS[..., None] * self._directions_BD[:, None]
        return x_BSD

    def _write(self, x_BSD: Tensor) -> Tensor:
        if self._added_BSD is None:
            raise written_before_read()
        kept = x_BSD.shape[1] - self._added_BSD.shape[1]
        changed_BSD = x_BSD[:, kept:] + self._added_BSD.to(x_BSD)
        return torch.cat([x_BSD[:, :kept], changed_BSD], dim=1)


def row_activations(dictionary: Dictionary, x_BSD: Tensor, chosen_B: Tensor) -> Tensor:
    """Return the activation (B, S) of feature `chosen_B[b]` at each token of row b."""
    if x_BSD.shape[1] == 1:
        return dictionary.encode_features(x_BSD[:, 0], chosen_B).float().diagonal()[:, None]
    rows = zip(x_BSD, chosen_B, strict=True)
    return torch.stack([dictionary.encode_features(x, f[None])[:, 0].float() for x, f in rows])
