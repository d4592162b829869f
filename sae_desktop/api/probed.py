"""A text that a model has read, with the features that fired on it."""

from __future__ import annotations

from sae_desktop.api import html
from sae_desktop.api.feature import Feature, FeatureList
from sae_desktop.api.shapes import FeatureSource
from sae_desktop.features.config import ProbeResult

_SHOWN = 10


class ProbedText:
    """T tokens and the features that fired on them. Made by `Index.probe`."""

    def __init__(self, index: FeatureSource, result: ProbeResult) -> None:
        self.index = index
        self.result = result
        """The job's own answer."""

    def __repr__(self) -> str:
        return f"<{len(self.tokens)} tokens, {len(self.strongest())} features fired>"

    @property
    def tokens(self) -> list[str]:
        """(T), the special tokens that the model reads first among them."""
        return self.result.tokens

    def at(self, token: int) -> list[tuple[Feature, float]]:
        """Return (feature, activation) at a token, best rank first; −1: the last token."""
        place = range(len(self.tokens))[token]
        first, end = self.result.offsets[place : place + 2]
        return [
            (Feature(self.index, number), activation)
            for number, activation in zip(
                self.result.features[first:end], self.result.activations[first:end], strict=True
            )
        ]

    def activations(self, feature: int | Feature) -> list[float]:
        """Return a feature's activation at every token (T); 0 where it was not reported."""
        wanted = feature.number if isinstance(feature, Feature) else feature
        found = [0.0] * len(self.tokens)
        for position, number, activation in self.result.entries():
            if number == wanted:
                found[position] = activation
        return found

    def strongest(self) -> FeatureList:
        """Return the reported features, by their largest share of their own maximum."""
        tops = self.index.column("max_activation")
        best: dict[int, float] = {}
        for _, number, activation in self.result.entries():
            share = activation / float(tops[number]) if tops[number] > 0 else 0.0
            best[number] = max(best.get(number, 0.0), share)
        return FeatureList(self.index, sorted(best, key=lambda number: (-best[number], number)))

    def _repr_html_(self) -> str:
        rows = []
        for feature in self.strongest()[:_SHOWN]:
            lit = html.lit_text(self.tokens, self.activations(feature), feature.max_activation)
            rows.append((feature.number, feature.name, html.Markup(lit)))
        return html.table(("feature", "name", "where it fires"), rows)
