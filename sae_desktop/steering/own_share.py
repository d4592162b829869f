"""How much of each continuation is the steered features' own, as the plain model reads it."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from sae_desktop.steering.config import Variant
from sae_desktop.steering.generate import Transforms
from sae_desktop.steering.own_tokens import own_tokens
from sae_desktop.steering.plain_reader import Looks
from sae_desktop.steering.prepare import Preparer


class OwnShares:
    """Reads the sites of the steered features while the plain model reads what was written."""

    def __init__(self, preparer: Preparer, variants: Sequence[Variant]) -> None:
        self._features = [_steered(variant) for variant in variants]
        self._opened = {
            index: preparer.opened_of(index) for found in self._features for index, _ in found
        }
        places = {place for opened in self._opened.values() for place in opened.reads}
        self._looks = Looks(preparer.model, tuple(places))

    def transforms(self) -> Transforms:
        """Return what is done at each site while texts are read: they are only looked at."""
        return self._looks.transforms()

    def share(self, variant: int, row: int, start: int, ids: Sequence[int]) -> float | None:
        """Return the share of a row's tokens from `start` on that are a variant's features' own.

        None where it steers with no feature, or nothing was written.
        """
        features = self._features[variant]
        if not features or not ids:
            return None
        written_T = torch.tensor(list(ids))
        own_T = torch.zeros(len(ids), dtype=torch.bool)
        for index, feature in features:
            opened = self._opened[index]
            x_TI = self._looks.rows(opened.reads, row, slice(start, start + len(ids)))
            chosen = torch.tensor([feature], device=opened.dictionary.device)
            acts_T = opened.dictionary.encode_features(x_TI, chosen)[:, 0].cpu()
            own_T = own_T | own_tokens(opened.index, feature, written_T, acts_T)
        return float(own_T.float().mean())


def _steered(variant: Variant) -> list[tuple[str, int]]:
    """Return index and number of each feature that a variant steers with, once."""
    acts = variant.interventions
    return list(dict.fromkeys((a.index, a.feature) for a in acts if a.feature is not None))
