"""An index, opened for reading: what it tells of a feature. Free of torch and Qt."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from sae_desktop.features.reading.context_reader import ContextReader
from sae_desktop.features.reading.facts import (
    AlignedFiring,
    Coactive,
    Context,
    FiredToken,
    Neuron,
    Share,
)
from sae_desktop.features.reading.firing_files import StoredFirings, kept_firings
from sae_desktop.features.reading.index_file import IndexFile, decoded
from sae_desktop.features.reading.layout import OTHER_KIND, TOP_BUCKET

Array = npt.NDArray[Any]


class FeatureIndex(IndexFile):
    """An index of F features, its arrays mapped from the file."""

    def firings(self) -> StoredFirings | None:
        """Return all activations the index was made from; None when they were not kept.

        Raises UserError when they are damaged.
        """
        # Those of an index that is not finished belong to the job that makes it.
        if not self.info.dictionary_hash or self.info.whole_rows:
            return None
        paths = kept_firings(self.path, self.info.texts, self.info.dictionary_hash)
        return StoredFirings.open(paths) if paths else None

    # ------------------------------------------------------------------ figures
    @cached_property
    def has_logits(self) -> bool:
        """False for an index made without a model."""
        found = self.array("logits/top_ids")
        return found is not None and found.shape[1] > 0

    def histogram(self, feature: int) -> tuple[Array, Array]:
        """Return (edges (bins + 1,), counts (bins,)) of the activations above 0."""
        counts = self.arrays["histogram/counts"][feature]
        top = float(self.columns["max_activation"][feature])
        return np.linspace(0.0, top, len(counts) + 1), np.asarray(counts)

    # ------------------------------------------------------------------ contexts
    def bucket_edges(self, feature: int) -> Array:
        """Return the bounds (B + 1,) of the feature's buckets, in units of activation."""
        return np.asarray(self.arrays["contexts/edges"][feature], dtype=np.float32)

    def bucket_name(self, bucket: int) -> str:
        """Return "top", "other" (pictures or text, whichever is rarer among the top), or the
        bucket's share of the maximum or of the firings: "20-40%"."""
        if bucket in (TOP_BUCKET, OTHER_KIND):
            return "top" if bucket == TOP_BUCKET else "other"
        step = 100 / self.info.buckets
        return f"{(bucket - 1) * step:.0f}-{bucket * step:.0f}%"

    def contexts(
        self, feature: int, before: int | None = -1, after: int | None = -1
    ) -> list[Context]:
        """Return the kept contexts: the strongest first, then bucket by bucket from the top.

        `before` and `after` say how many tokens stand around the chosen one, within the reach;
        None: the whole passage; −1: as many as the index was made to show.
        """
        self.release_maps()
        reach = self.info.context_tokens
        self.read_ahead(feature, max(reach, before or 0, after or 0))
        rows = self.arrays["contexts/row"][feature]
        return [
            self.context(feature, int(slot), before, after) for slot in np.flatnonzero(rows >= 0)
        ]

    def strongest_rows(self, feature: int) -> Array:
        """Return the rows of the feature's strongest contexts, the strongest first."""
        return np.asarray(self.arrays["contexts/row"][feature][self.strongest_slots(feature)])

    def strongest_slots(self, feature: int) -> Array:
        """Return the places among its contexts of the feature's strongest, the strongest first."""
        rows = self.arrays["contexts/row"][feature]
        return np.flatnonzero((self.arrays["contexts/bucket"] == TOP_BUCKET) & (rows >= 0))

    def context(
        self, feature: int, slot: int, before: int | None = -1, after: int | None = -1
    ) -> Context:
        """Return one context, drawn with as much text as is asked for (see `contexts`)."""
        return self._contexts.read(feature, slot, before, after)

    @cached_property
    def _contexts(self) -> ContextReader:
        return ContextReader(self)

    # ------------------------------------------------------------------ directions
    def top_logits(self, feature: int, *, centred: bool = False) -> list[tuple[str, float]]:
        """Return (token, effect) of the tokens the feature raises most, strongest first.

        `centred`: above the median over the vocabulary.
        """
        return self._logits("top", feature, centred)

    def bottom_logits(self, feature: int, *, centred: bool = False) -> list[tuple[str, float]]:
        """Return (token, effect) of the tokens the feature lowers most, strongest first."""
        return self._logits("bottom", feature, centred)

    def _logits(self, side: str, feature: int, centred: bool) -> list[tuple[str, float]]:
        if not self.has_logits:
            return []
        ids = self.arrays[f"logits/{side}_ids"][feature]
        values = self.arrays[f"logits/{side}_values"][feature]
        median = self.array("logits/median")
        less = float(median[feature]) if centred and median is not None else 0.0
        return [(self.token(int(i)), float(v) - less) for i, v in zip(ids, values, strict=True)]

    def neighbours(self, feature: int) -> list[tuple[int, float]]:
        """Return (feature, cosine of the decoder directions), nearest first.

        None of an index that is not finished.
        """
        if self.array("neighbours/ids") is None:
            return []
        ids = self.arrays["neighbours/ids"][feature]
        cosines = self.arrays["neighbours/cosines"][feature]
        return [(int(i), float(c)) for i, c in zip(ids, cosines, strict=True) if i >= 0]

    # ------------------------------------------------------------------ company
    def coactive(self, feature: int) -> list[Coactive]:
        """Return the features that fire along with this one, most correlated first."""
        ids = self.array("coactive/ids")
        if ids is None:
            return []
        pearson, share = self.arrays["coactive/pearson"], self.arrays["coactive/share"]
        return [
            Coactive(int(i), float(r), float(s))
            for i, r, s in zip(ids[feature], pearson[feature], share[feature], strict=True)
            if i >= 0
        ]

    def languages(self, feature: int) -> list[Share]:
        """Return the feature's firings by language, in the order of the info; those in documents
        without one come last, under no name."""
        return self._shares("languages", self.info.languages, feature)

    def sources(self, feature: int) -> list[Share]:
        """Return the feature's firings by source, as by language."""
        return self._shares("sources", self.info.sources, feature)

    def _shares(self, kind: str, names: list[str], feature: int) -> list[Share]:
        counts = self.array(f"{kind}/counts")
        if counts is None:
            return []
        tokens = self.arrays[f"{kind}/tokens"]
        sums = self.array(f"{kind}/sums")
        of_names = [None] * len(names) if sums is None else sums[feature].tolist()
        found = [
            Share(name, int(n), int(t), total)
            for name, n, t, total in zip(names, counts[feature], tokens, of_names, strict=True)
        ]
        firings = self.columns.get("firings")
        unnamed = self.info.rows - sum(share.tokens for share in found)
        if firings is not None and unnamed > 0:
            of_named = sum(share.firings for share in found)
            rest = None
            if sums is not None:
                total = float(self.columns["mean_activation"][feature]) * int(firings[feature])
                rest = max(total - sum(share.activation or 0.0 for share in found), 0.0)
            found.append(Share("", max(int(firings[feature]) - of_named, 0), unnamed, rest))
        return found

    def firing_tokens(self, feature: int) -> list[FiredToken]:
        """Return the tokens on which the feature fires most often, with its firings on each."""
        ids = self.array("firing_tokens/ids")
        if ids is None:
            return []
        counts = self.arrays["firing_tokens/counts"][feature]
        sums = self.array("firing_tokens/sums")
        of_tokens = [None] * len(counts) if sums is None else sums[feature].tolist()
        return [
            FiredToken(self.token(int(i)), int(n), total)
            for i, n, total in zip(ids[feature], counts, of_tokens, strict=True)
            if i >= 0
        ]

    def neurons(self, feature: int) -> list[Neuron]:
        """Return the neurons most correlated with the feature; none when not compared."""
        ids = self.array("neurons/ids")
        if ids is None:
            return []
        layers, pearson = self.arrays["neurons/layers"], self.arrays["neurons/pearson"]
        return [
            Neuron(int(layer), int(i), float(r))
            for layer, i, r in zip(layers[feature], ids[feature], pearson[feature], strict=True)
            if i >= 0
        ]

    # ------------------------------------------------------------------ aligned documents
    @cached_property
    def aligned_groups(self) -> dict[str, list[int]]:
        """Group → its documents, for groups with documents in at least two languages."""
        groups: dict[str, list[int]] = {}
        documents = self.documents
        for number in np.flatnonzero(documents["group"] != b""):
            groups.setdefault(decoded(documents["group"][number]), []).append(int(number))
        return {
            group: members
            for group, members in groups.items()
            if len({documents["language"][m] for m in members}) > 1
        }

    def aligned(self, feature: int, group: str) -> list[AlignedFiring]:
        """Return the feature's strongest activation in each document of a group.

        Raises KeyError for a group that is none of `aligned_groups`.
        """
        members = self.aligned_groups[group]
        found: dict[int, tuple[int, float]] = {}
        offsets = self.array("aligned/offsets")
        if offsets is not None:
            span = slice(int(offsets[feature]), int(offsets[feature + 1]))
            documents = self.arrays["aligned/documents"][span]
            for place in np.flatnonzero(np.isin(documents, members)):
                found[int(documents[place])] = (
                    int(self.arrays["aligned/rows"][span][place]),
                    float(self.arrays["aligned/maxima"][span][place]),
                )
        return [
            AlignedFiring(
                document=m,
                language=decoded(self.documents["language"][m]),
                title=decoded(self.documents["title"][m]),
                row=found.get(m, (-1, 0.0))[0],
                activation=found.get(m, (-1, 0.0))[1],
            )
            for m in members
        ]
