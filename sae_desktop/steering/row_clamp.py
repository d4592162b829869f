"""One feature held in each row of a batch: many features tried side by side.

B rows, S tokens, D width of a site that features write, O of all of them in the steered model, in
the order of its pass, I of what they read.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from sae_desktop.dictionary import Dictionary
from sae_desktop.features.asking.opened import OpenedIndex
from sae_desktop.steering.generate import ReadBefore, Transforms
from sae_desktop.steering.interventions import Positions, written_before_read
from sae_desktop.steering.plain_reader import PlainReader
from sae_desktop.steering.prepare import in_one_pass, written_in_order


class RowClamp:
    """Sets feature `chosen_B[b]` to `values_B[b]` in row b, on its tokens from `first` on.

    That is what a clamp of `SteeredSite` does of one feature a row, without a step for each row.
    Where features read or write several sites, their activations are those of the plain models.
    """

    def __init__(
        self,
        opened: OpenedIndex,
        chosen_B: Tensor,
        values_B: Tensor,
        positions: Positions,
        *,
        first: int,
        directions_BO: Tensor | None = None,
    ) -> None:
        """`first`: the first column to be changed; `positions` says which a pass begins with.

        `directions_BO`: others of length one in place of the features' own.
        """
        self._opened, dictionary = opened, opened.dictionary
        self._chosen_B = chosen_B.to(dictionary.device)
        self._values_B = values_B.to(dictionary.device)
        self._places = written_in_order(opened)
        if directions_BO is None:
            rows = dictionary.decoder_rows(self._chosen_B)
            directions_BO = torch.cat([rows[:, place.columns] for place in self._places], dim=1)
        whole_BO = directions_BO.float().to(dictionary.device)
        self._directions = torch.split(whole_BO, [p.width for p in self._places], dim=1)
        self._positions, self._first = positions, first
        self._amounts_BS: Tensor | None = None

    def transforms(self) -> Transforms:
        """Return what is done at each site, in the order of the forward pass."""
        written = {place.site: partial(self._write, n) for n, place in enumerate(self._places)}
        if not in_one_pass(self._opened):
            reader = PlainReader(self._opened.reads)
            return ReadBefore(written, lambda batch, done: self.take(reader.read(batch, done)))
        read = self._opened.site
        if read in written:
            return {read: lambda x_BSD: self._write(0, self._read(x_BSD))}
        return {read: self._read, **written}

    def take(self, x_BSI: Tensor) -> None:
        """Take what the features read of the tokens of the next pass."""
        changed_BSI = x_BSI[:, max(self._first - self._positions.column, 0) :]
        dictionary: Dictionary = self._opened.dictionary
        acts_BS = row_activations(dictionary, changed_BSI, self._chosen_B)
        worth_BS = dictionary.row_scale(changed_BSI).float()[..., 0]
        self._amounts_BS = (self._values_B[:, None] - acts_BS) * worth_BS

    def _read(self, x_BSD: Tensor) -> Tensor:
        self.take(x_BSD)
        return x_BSD

    def _write(self, output: int, x_BSD: Tensor) -> Tensor:
        if self._amounts_BS is None:
            raise written_before_read()
        kept = x_BSD.shape[1] - self._amounts_BS.shape[1]
        added_BSD = self._amounts_BS[..., None] * self._directions[output][:, None]
        changed_BSD = x_BSD[:, kept:] + added_BSD.to(x_BSD)
        return torch.cat([x_BSD[:, :kept], changed_BSD], dim=1)


def row_activations(dictionary: Dictionary, x_BSD: Tensor, chosen_B: Tensor) -> Tensor:
    """Return the activation (B, S) of feature `chosen_B[b]` at each token of row b."""
    if x_BSD.shape[1] == 1:
        return dictionary.encode_features(x_BSD[:, 0], chosen_B).float().diagonal()[:, None]
    rows = zip(x_BSD, chosen_B, strict=True)
    return torch.stack([dictionary.encode_features(x, f[None])[:, 0].float() for x, f in rows])
