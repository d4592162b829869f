"""A feature as other programs describe it: a common form between an index and their files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from sae_desktop.exchange.places import without_place
from sae_desktop.features.reading.facts import Context, PictureContext
from sae_desktop.features.reading.layout import OTHER_KIND, TOP_BUCKET
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.features.reading.same_concept_text import same_concept_text
from sae_desktop.project_labels import REJECTED, Label
from sae_desktop.project_notes import Notes


@dataclass
class ContextRecord:
    """A text on which a feature fires. T tokens."""

    tokens: list[str]
    values: list[float]
    """(T,) activations."""
    peak: int
    """The token it is about."""
    bounds: tuple[float, float] | None = None
    """Of the bucket it was drawn from, in units of activation; None: it is one of the top ones."""
    share: float = 0.0
    """Of the feature's firings, those in that bucket."""
    source: str = ""
    title: str = ""
    before: list[str] = field(default_factory=list)
    """Tokens before the first one: of the text, but not read together with these."""
    picture: PictureContext | None = None
    """Where it is a picture: the tokens are then one, which says so in words."""


@dataclass
class FeatureRecord:
    """One feature and what is known of it; empty where it is not."""

    feature: int
    max_activation: float = 0.0
    density: float = 0.0
    histogram: list[float] = field(default_factory=list)
    """Firings in equal bins from 0 to the maximum."""
    raises: list[tuple[str, float]] = field(default_factory=list)
    lowers: list[tuple[str, float]] = field(default_factory=list)
    neighbours: list[tuple[int, float]] = field(default_factory=list)
    coactive: list[tuple[int, float]] = field(default_factory=list)
    neurons: list[tuple[int, int, float]] = field(default_factory=list)
    """(layer, neuron, Pearson correlation)."""
    contexts: list[ContextRecord] = field(default_factory=list)
    label: str = ""
    note: str = ""
    concept: str = ""
    """Whether it is one concept in words and pictures, in a sentence; empty: not measured."""
    labels: list[Label] = field(default_factory=list)
    """All labels that are not rejected, the shown one first."""

    @property
    def shown(self) -> Label | None:
        """The label that is shown, with who made it and how well it fits."""
        return self.labels[0] if self.label and self.labels else None


def records_of(
    index: FeatureIndex, notes: Notes | None, features: Iterable[int]
) -> Iterator[FeatureRecord]:
    """Yield features of an index as records, every context with all the text that was kept."""
    for feature in features:
        record = _record(index, feature)
        if notes is not None:
            note = notes.note(index.info.dictionary, feature)
            record.label, record.note = note.label, note.note
            labels = notes.labels_of(index.info.dictionary, feature)
            record.labels = [label for label in labels if label.state != REJECTED]
        yield record


def _record(index: FeatureIndex, feature: int) -> FeatureRecord:
    _, counts = index.histogram(feature)
    shares = _bucket_shares(index, feature)
    return FeatureRecord(
        feature=feature,
        max_activation=float(index.columns["max_activation"][feature]),
        density=float(index.columns["density"][feature]),
        histogram=[float(count) for count in counts],
        raises=index.top_logits(feature),
        lowers=index.bottom_logits(feature),
        neighbours=index.neighbours(feature),
        coactive=[(other.feature, other.pearson) for other in index.coactive(feature)],
        neurons=[(n.layer, n.neuron, n.pearson) for n in index.neurons(feature)],
        concept=same_concept_text(index.kinds, feature),
        contexts=[
            _context(index, feature, context, shares)
            for context in index.contexts(feature, None, None)
        ],
    )


def _context(
    index: FeatureIndex, feature: int, context: Context, shares: list[float]
) -> ContextRecord:
    bounds, share = None, 0.0
    if context.bucket not in (TOP_BUCKET, OTHER_KIND):
        edges = index.bucket_edges(feature)
        bounds = (float(edges[context.bucket - 1]), float(edges[context.bucket]))
        share = shares[context.bucket - 1]
    before = context.tokens[: context.read[0]] if context.read is not None else []
    context = context.as_read()
    values = [float(value) for value in context.activations]
    values[context.peak] = context.activation  # the others are kept in half precision
    return ContextRecord(
        tokens=context.tokens,
        values=values,
        peak=context.peak,
        bounds=bounds,
        share=share,
        source=without_place(context.source),
        title=without_place(context.title),
        before=before,
        picture=context.picture,
    )


def _bucket_shares(index: FeatureIndex, feature: int) -> list[float]:
    """Return the share of a feature's firings in each bucket, to the width of a bin."""
    edges, counts = index.histogram(feature)
    total = float(counts.sum()) or 1.0
    centres = (edges[:-1] + edges[1:]) / 2
    bounds = index.bucket_edges(feature)
    found, _ = np.histogram(centres, bins=np.maximum.accumulate(bounds), weights=counts)
    return [float(share) / total for share in found]
