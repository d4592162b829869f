"""Reading what features fire on beside a pass that is steered: by the models as they are.

Where features read several sites, or several models, what they fire on is known only when all of
them have been read; what they write may come before. Their activations are then those of the plain
models on the same tokens.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from sae_desktop.features.asking.places import Place, Places, models_of, values_at
from sae_desktop.language_model.load import LanguageModel
from sae_desktop.language_model.sites.resolve import Site
from sae_desktop.steering.generate import PaddedTokens, ReadBefore, Transforms, forward
from sae_desktop.steering.interventions import Positions


class PlainReader:
    """Reads places of models on a text that grows, going on from what was read before."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._caches: dict[int, object] = {}

    def read(self, batch: PaddedTokens, done: int) -> Tensor:
        """Return the values (B, S, I) at the columns from `done` on, side by side."""
        found: dict[Place, Tensor] = {}
        for lm in models_of(self._places):
            cache = self._caches.get(id(lm)) if done else None
            start = done if cache is not None else 0
            values: dict[Site, Tensor] = {}
            looks = {p.site: partial(_keep, values, p.site) for p in self._places if p.lm is lm}
            nobody = Positions([0] * len(batch.ids_BS), 0, [1] * len(batch.ids_BS))
            _, self._caches[id(lm)] = forward(
                lm, batch, looks, nobody,
                done=start, cache=cache, use_cache=True, last_only=True,
            )  # fmt: skip
            for place in self._places:
                if place.lm is lm:
                    found[place] = values[place.site][:, done - start :]
        whole = [found[place] for place in self._places]
        return torch.cat([value.to(whole[0].device) for value in whole], dim=-1)


class Looks:
    """Takes the values at places while a model reads texts; their other models read beside it."""

    def __init__(self, lm: LanguageModel, places: Places) -> None:
        self._lm, self._places = lm, places
        self._values: dict[Site, Tensor] = {}
        self._beside: dict[Place, Tensor] = {}

    def transforms(self) -> Transforms:
        """Return what is done at each site of the first model: it is only looked at."""
        own = [place for place in self._places if place.lm is self._lm]
        looks = {place.site: partial(_keep, self._values, place.site) for place in own}
        return ReadBefore(looks, self._read_others) if len(own) < len(self._places) else looks

    def _read_others(self, batch: PaddedTokens, done: int) -> None:
        for place in self._places:
            if place.lm is not self._lm:
                self._beside[place] = values_at((place,), batch.ids_BS, None)[:, done:]

    def rows(self, places: Places, row: int, tokens: slice) -> Tensor:
        """Return the values (T, I) at some of the places, side by side, at tokens of a row."""
        found = [
            (self._values[p.site] if p.lm is self._lm else self._beside[p])[row, tokens]
            for p in places
        ]
        return torch.cat([value.to(found[0].device) for value in found], dim=-1)


def _keep(values: dict[Site, Tensor], site: Site, x_BSD: Tensor) -> Tensor:
    values[site] = x_BSD
    return x_BSD
