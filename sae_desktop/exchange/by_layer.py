"""Features of a cross-layer transcoder for programs that know one dictionary for each layer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from sae_desktop.exchange.records import FeatureRecord
from sae_desktop.features.reading.layout import IndexInfo


@dataclass(frozen=True)
class LayerFeatures:
    """The features whose activations are those of one site, numbered from 0 there."""

    site: str
    first: int
    """The dictionary's number of its feature 0."""
    count: int
    """Features of the layer, those not chosen too."""
    chosen: Sequence[int]

    def own(self, records: Iterable[FeatureRecord]) -> Iterator[FeatureRecord]:
        """Yield records with the layer's own numbers; features of other layers are left out."""
        for record in records:
            yield replace(
                record,
                feature=record.feature - self.first,
                neighbours=self._within(record.neighbours),
                coactive=self._within(record.coactive),
            )

    def _within(self, pairs: Iterable[tuple[int, float]]) -> list[tuple[int, float]]:
        return [(i - self.first, v) for i, v in pairs if 0 <= i - self.first < self.count]


def by_layer(info: IndexInfo, chosen: Sequence[int]) -> list[LayerFeatures]:
    """Return the chosen features layer by layer; all as one but for a cross-layer transcoder."""
    sites = [end.site for end in info.inputs]
    if len(sites) < 2 or info.inputs == info.outputs or info.features % len(sites):
        return [LayerFeatures(info.site, 0, info.features, chosen)]
    count = info.features // len(sites)
    return [
        LayerFeatures(site, count * n, count, [f for f in chosen if f // count == n])
        for n, site in enumerate(sites)
        if any(f // count == n for f in chosen)
    ]
