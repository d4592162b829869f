"""What a monitor or a gate makes of a model's values: components, a score, whether it fires.

S tokens, I width of what is read, sites side by side, K components.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from sae_desktop.dictionary import Dictionary
from sae_desktop.dictionary.cross_layer import CrossLayerDictionary
from sae_desktop.errors import UserError
from sae_desktop.features.asking.opened import OpenedIndex
from sae_desktop.features.asking.places import Place, Places
from sae_desktop.language_model.load import LanguageModel
from sae_desktop.language_model.sites.resolve import Site, check_site, site_width
from sae_desktop.language_model.sites.site_names import parse_site
from sae_desktop.steering.gate_config import Pool, Readout, Where

_CELLS = 2**24
"""Activations computed at once where features compete, tokens × features."""


@dataclass(frozen=True, eq=False)
class Reader:
    """A readout made ready: `Readout` says what it computes."""

    places: Places
    weights_K: Tensor
    bias: float
    pool: Pool
    dictionary: Dictionary | None
    """None: components are products with `directions_KI`."""
    features_K: Tensor
    directions_KI: Tensor

    @property
    def sites(self) -> tuple[Site, ...]:
        return tuple(place.site for place in self.places)

    def components(self, x_SI: Tensor) -> Tensor:
        """Return (S, K), float32 or, of a direction, in the values' own type."""
        if self.dictionary is None:
            return x_SI @ self.directions_KI.to(x_SI).T
        dictionary = self.dictionary
        step = len(x_SI) if dictionary.separable else max(1, _CELLS // dictionary.features)
        parts = [
            dictionary.encode_features(part_SI, self.features_K)
            for part_SI in torch.split(x_SI, max(step, 1))
        ]
        return torch.cat(parts) if parts else x_SI.new_zeros(0, len(self.weights_K))

    def score(self, pooled: Tensor) -> Tensor:
        """Return (…,) of components (…, K) pooled over the tokens of a unit."""
        found: Tensor = pooled @ self.weights_K.to(pooled) + self.bias
        return found


def feature_reader(readout: Readout, opened: OpenedIndex) -> Reader:
    """Make a readout of features ready. Raises UserError for a feature that is not there.

    Features of one layer of a cross-layer transcoder read that layer alone.
    """
    for feature in readout.features:
        opened.index.check_feature(feature)
    dictionary, places, first = opened.dictionary, opened.reads, 0
    if isinstance(dictionary, CrossLayerDictionary):
        size = dictionary.blocks[0].features
        blocks = {feature // size for feature in readout.features}
        if len(blocks) == 1:
            block = blocks.pop()
            dictionary, first = dictionary.blocks[block], block * size
            places = (opened.reads[block],)
    chosen = torch.tensor(readout.features, device=opened.dictionary.device) - first
    return Reader(
        places, _weights(readout, len(readout.features)), readout.bias, readout.pool,
        dictionary, chosen, torch.zeros(0),
    )  # fmt: skip


def direction_reader(readout: Readout, direction_I: Tensor, places: Places) -> Reader:
    """Make a readout of a direction (I,) ready. Raises UserError for one of another width."""
    width = sum(place.width for place in places)
    if tuple(direction_I.shape) != (width,):
        raise UserError(
            f"The direction has {direction_I.numel():,} numbers; what is read has {width:,}.",
            next_step="Calibrate the monitor again on this model.",
        )
    return Reader(
        places, _weights(readout, 1), readout.bias, readout.pool, None,
        torch.zeros(0, dtype=torch.int64), direction_I.float()[None],
    )  # fmt: skip


def place_of(lm: LanguageModel, site: str) -> Places:
    """Return the one place at a site of a model. Raises UserError where it has none."""
    found = check_site(lm.model, parse_site(site))
    return (Place(lm, found, 0, site_width(lm.model, found)),)


def random_direction(width: int, seed: int) -> Tensor:
    """Return a direction of length one, drawn from all; the same for the same seed."""
    drawn = torch.randn(width, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.normalize(drawn, dim=0)


def _weights(readout: Readout, count: int) -> Tensor:
    weights: Sequence[float] = readout.weights or [1.0] * count
    if len(weights) != count:
        raise UserError(
            f"There are {len(weights)} weights for {count} features.",
            next_step="Give one for each.",
        )
    return torch.tensor(weights, dtype=torch.float64).float()


@dataclass(frozen=True, eq=False)
class ReadyGate:
    """A gate made ready for a forward pass."""

    reader: Reader
    above: float
    since: bool
    where: Where
