"""A feature of an index, and a list of some."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from sae_desktop.api import html
from sae_desktop.api.shapes import FeatureSource
from sae_desktop.features.reading.facts import Coactive, Context, FiredToken, Share
from sae_desktop.features.reading.layout import TOP_BUCKET
from sae_desktop.features.reading.plain_data import feature_page
from sae_desktop.label_words import whose
from sae_desktop.project_labels import Label
from sae_desktop.project_note import FeatureNote
from sae_desktop.words.feature_words import FeatureWords, feature_words

Array = npt.NDArray[Any]
_SHOWN_CONTEXTS = 8
_SHOWN_LOGITS = 8
_SHOWN_ROWS = 50


class Feature:
    """One feature of an index: what it fires on, what it does, what it is called.

    Everything is read from the project's files when it is asked for.
    """

    def __init__(self, index: FeatureSource, number: int) -> None:
        self.index = index
        self.number = number

    def __repr__(self) -> str:
        return f"<Feature {self.number} of {self.index.name}: {self.name}>"

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Feature)
            and other.number == self.number
            and other.index.path == self.index.path
        )

    def __hash__(self) -> int:
        return hash((self.index.path, self.number))

    # ------------------------------------------------------------------ what it is called
    @property
    def note(self) -> FeatureNote:
        """What people wrote of it: label, star, note, tags, score."""
        return self.index.notes([self.number])[self.number]

    @property
    def label(self) -> str:
        """The label that is shown; empty: it has none."""
        return self.note.label

    @property
    def labels(self) -> list[Label]:
        """All labels, the shown one first: by people, models, imports, and rejected ones."""
        return self.index.labels_of(self.number)

    @property
    def words(self) -> FeatureWords:
        """What is said of it without a label: automatic name, strongest context, tokens."""
        return feature_words(self.index.file, self.number)

    @property
    def name(self) -> str:
        """Its label; without one its automatic name, or the text around its strongest firing."""
        return self.label or self.words.line()

    # ------------------------------------------------------------------ figures
    def __getitem__(self, column: str) -> float:
        """Return a figure of the index's columns by name, such as `feature["density"]`."""
        return float(self.index.column(column)[self.number])

    @property
    def density(self) -> float:
        """The share of tokens on which it fires."""
        return self["density"]

    @property
    def max_activation(self) -> float:
        """Its largest activation on the index's text, ‖W_dec‖-weighted."""
        return self["max_activation"]

    @property
    def histogram(self) -> tuple[Array, Array]:
        """(edges (bins + 1,), counts (bins,)) of its activations above 0."""
        return self.index.file.histogram(self.number)

    # ------------------------------------------------------------------ where it fires
    def contexts(self, before: int | None = -1, after: int | None = -1) -> list[Context]:
        """Return the kept contexts: the strongest first, then bucket by bucket from the top.

        `before`, `after`: how many tokens around the chosen one; None: the whole passage; −1: as
        many as the index was made to show. Each has `tokens` (T), `activations` (T,) and `peak`.
        """
        return self.index.file.contexts(self.number, before, after)

    @property
    def top_contexts(self) -> list[Context]:
        """The contexts of its strongest firings, the strongest first."""
        return [one for one in self.contexts() if one.bucket == TOP_BUCKET]

    @property
    def firing_tokens(self) -> list[FiredToken]:
        """The tokens on which it fires most often, with its firings on each."""
        return self.index.file.firing_tokens(self.number)

    @property
    def languages(self) -> list[Share]:
        """Its firings by language of the text; those without one last, under no name."""
        return self.index.file.languages(self.number)

    # ------------------------------------------------------------------ what it does
    @property
    def raises(self) -> list[tuple[str, float]]:
        """(token, effect on its logit) of the tokens it raises most; none without a model."""
        return self.index.file.top_logits(self.number)

    @property
    def lowers(self) -> list[tuple[str, float]]:
        """(token, effect on its logit) of the tokens it lowers most, the most lowered first."""
        return self.index.file.bottom_logits(self.number)

    # ------------------------------------------------------------------ its neighbours
    @property
    def neighbours(self) -> list[tuple[Feature, float]]:
        """(feature, cosine of the decoder directions), nearest first."""
        found = self.index.file.neighbours(self.number)
        return [(Feature(self.index, number), cosine) for number, cosine in found]

    @property
    def coactive(self) -> list[Coactive]:
        """The features that fire along with it, most correlated first."""
        return self.index.file.coactive(self.number)

    def to_dict(self) -> dict[str, Any]:
        """Return all that the index holds of it as plain data, as `sae-desktop show --json`."""
        return feature_page(self.index.file, {self.number: self.note}, self.number)

    # ------------------------------------------------------------------ in a notebook
    def _repr_html_(self) -> str:
        note = self.note
        shown = note.shown
        top = self.max_activation
        words = self.words
        figures = f"fires on {self.density:.3%} of tokens · maximum {top:.4g}"
        parts = [html.heading(f"Feature {self.number} · {note.label or words.line()}")]
        if shown is not None:
            parts.append(html.quiet(f"Label: {whose(shown)}"))
        elif words.name:
            parts.append(html.quiet("An automatic name, made by counting"))
        parts.append(html.quiet(f"{figures} · index {self.index.name}"))
        parts += [html.context_html(one, top) for one in self.contexts()[:_SHOWN_CONTEXTS]]
        effects = [
            (f"{raised[0]!r}", f"{raised[1]:+.3g}", f"{lowered[0]!r}", f"{lowered[1]:+.3g}")
            for raised, lowered in zip(
                self.raises[:_SHOWN_LOGITS], self.lowers[:_SHOWN_LOGITS], strict=False
            )
        ]
        if effects:
            parts.append(html.table(("raises", "logit", "lowers", "logit"), effects))
        return f"<div>{''.join(parts)}</div>"


class FeatureList(Sequence[Feature]):
    """Features of one index, in an order; in a notebook a table."""

    def __init__(self, index: FeatureSource, numbers: Sequence[int] | Array) -> None:
        self.of = index
        self.numbers: Array = np.asarray(numbers, dtype=np.int64)
        """(n,) int64"""

    def __len__(self) -> int:
        return len(self.numbers)

    @overload
    def __getitem__(self, place: int) -> Feature: ...
    @overload
    def __getitem__(self, place: slice) -> FeatureList: ...
    def __getitem__(self, place: int | slice) -> Feature | FeatureList:
        if isinstance(place, slice):
            return FeatureList(self.of, self.numbers[place])
        return Feature(self.of, int(self.numbers[place]))

    def __iter__(self) -> Iterator[Feature]:
        return (Feature(self.of, int(number)) for number in self.numbers)

    def __repr__(self) -> str:
        return f"<{len(self):,} features of {self.of.name}>"

    def _repr_html_(self) -> str:
        rows = []
        for feature in self[:_SHOWN_ROWS]:
            best = feature.contexts(12, 6)[:1]
            context = html.context_html(best[0], feature.max_activation) if best else ""
            rows.append(
                (feature.number, feature.name, f"{feature.density:.3%}", html.Markup(context))
            )
        more = len(self) - len(rows)
        head = ("feature", "name", "density", "strongest context")
        return html.table(head, rows) + (html.quiet(f"and {more:,} more") if more > 0 else "")
