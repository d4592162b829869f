"""An index made of records, with no dictionary and no store behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sae_desktop.errors import UserError
from sae_desktop.exchange.records import ContextRecord, FeatureRecord
from sae_desktop.features.reading.layout import (
    BINS,
    DOCUMENT_DTYPE,
    PASSAGE_DTYPE,
    TOP_BUCKET,
    IndexInfo,
    write_index,
)
from sae_desktop.project_labels import Label

Array = npt.NDArray[Any]
_MOST_FEATURES = 20_000_000
_MOST_TOKENS_EACH = 32_767
"""Positions around a context's token are kept in 16 bits."""
_MOST_SLOTS = 2**27
_NO_ID = -1
Bounds = dict[int, list[tuple[float, float]]]
"""The buckets of each feature, from the bottom."""


@dataclass(frozen=True)
class Origin:
    """What the records say of where they come from."""

    dictionary: str
    model: str
    site: str
    corpus: str
    config: str


class RecordIndex:
    """Gathers records, in any order, and writes them as an index."""

    def __init__(self) -> None:
        self._vocabulary: dict[str, int] = {}
        self._tokens: list[Array] = []
        self._rows = 0
        self._passages: dict[bytes, int] = {}
        """A passage's tokens → its first row: the same text is kept once."""
        self._starts: list[tuple[int, int, int]] = []
        """(first row, length, document) of each passage."""
        self._documents: dict[tuple[str, str], int] = {}
        self._records: dict[int, FeatureRecord] = {}
        self._contexts: dict[int, list[_Placed]] = {}

    def add(self, record: FeatureRecord) -> None:
        """Take a feature; a second record of the same feature adds what the first did not say.

        Raises UserError for a number that is no feature's, and for contexts whose values and
        tokens are not as many.
        """
        if not 0 <= record.feature < _MOST_FEATURES:
            raise UserError(f"There cannot be a feature {record.feature}.")
        placed = [self._place(record.feature, context) for context in record.contexts]
        self._contexts.setdefault(record.feature, []).extend(placed)
        record.contexts = []
        known = self._records.get(record.feature)
        self._records[record.feature] = record if known is None else _joined(known, record)

    @property
    def features(self) -> int:
        """One more than the largest number of a feature."""
        return max(self._records, default=-1) + 1

    def labels(self) -> list[Label]:
        """Return all labels, by feature, in the order they were told."""
        return [label for _, record in sorted(self._records.items()) for label in record.labels]

    def notes(self) -> list[tuple[int, str]]:
        """Return (feature, note) of those that have one."""
        return [(f, record.note) for f, record in sorted(self._records.items()) if record.note]

    # ------------------------------------------------------------------ text
    def _place(self, feature: int, context: ContextRecord) -> _Placed:
        count = len(context.tokens)
        if not count or count > _MOST_TOKENS_EACH or len(context.values) != count:
            raise UserError(
                f"A context of feature {feature} has {count} tokens and {len(context.values)} "
                "values.",
                next_step="Export the data again from the program that made it.",
            )
        values = np.asarray(context.values, dtype=np.float32)
        if not np.isfinite(values).all():
            raise UserError(
                f"A context of feature {feature} has values that are not finite numbers."
            )
        peak = context.peak if 0 <= context.peak < count else int(values.argmax())
        ids = np.fromiter((self._id(token) for token in context.tokens), np.int32, count)
        first = self._passage(ids, context)
        fires = np.flatnonzero(values != 0)
        return _Placed(
            row=first + peak, activation=float(values[peak]), bounds=context.bounds,
            positions=(fires - peak).astype(np.int16), values=values[fires].astype(np.float16),
        )  # fmt: skip

    def _id(self, token: str) -> int:
        return self._vocabulary.setdefault(token, len(self._vocabulary))

    def _passage(self, ids: Array, context: ContextRecord) -> int:
        document = self._documents.setdefault((context.source, context.title), len(self._documents))
        key = ids.tobytes() + document.to_bytes(8, "little")
        first = self._passages.get(key)
        if first is None:
            first = self._passages[key] = self._rows
            self._starts.append((first, len(ids), document))
            self._tokens.append(ids)
            self._rows += len(ids)
        return first

    # ------------------------------------------------------------------ writing
    def write(self, path: Path, origin: Origin) -> None:
        """Write the index. Raises UserError where there is no feature or no text at all."""
        if not self._records:
            raise UserError(
                "It holds no features.", next_step="Choose the folder that holds the data."
            )
        if not self._rows:
            raise UserError(
                "It holds features, but no text that they fire on.",
                next_step="Import the activations along with the features.",
            )
        contexts = max(len(placed) for placed in self._contexts.values())
        if self.features * contexts > _MOST_SLOTS:
            raise UserError(
                f"The features are numbered up to {self.features - 1:,}, with up to {contexts} "
                "contexts each, more than an index can hold at once.",
                next_step="Import fewer contexts, or batches of fewer features.",
            )
        arrays, buckets = self._context_arrays()
        # Ids of logits must be known before the vocabulary is written.
        arrays |= self._figure_arrays() | self._logit_arrays() | self._relation_arrays()
        arrays |= self._text_arrays()
        sources = sorted({source for source, _ in self._documents if source})
        longest = max(length for _, length, _ in self._starts)
        info = IndexInfo(
            dictionary=origin.dictionary, model=origin.model, site=origin.site, activations="",
            corpus=origin.corpus, rows=self._rows, features=self.features, buckets=buckets,
            context_reach=longest, sources=sources, bos_prepended=False, config=origin.config,
        )  # fmt: skip
        write_index(path, info, arrays)

    def _text_arrays(self) -> dict[str, Array]:
        passages = np.zeros(len(self._starts), PASSAGE_DTYPE)
        for number, (first, length, document) in enumerate(self._starts):
            passages[number] = (first, length, document, 0)
        documents = np.zeros(len(self._documents), DOCUMENT_DTYPE)
        for (source, title), number in self._documents.items():
            documents[number] = (number, _bytes(source), b"", _bytes(title), b"")
        texts = [token.encode("utf-8", "replace") for token in self._vocabulary]
        offsets = np.zeros(len(texts) + 1, np.int64)
        np.cumsum([len(text) for text in texts], out=offsets[1:])
        return {
            "tokens": np.concatenate(self._tokens), "passages": passages, "documents": documents,
            "vocabulary/bytes": np.frombuffer(b"".join(texts), np.uint8),
            "vocabulary/offsets": offsets,
        }  # fmt: skip

    def _context_arrays(self) -> tuple[dict[str, Array], int]:
        """Return the slots: the top ones first, then bucket by bucket from the top."""
        bounds: Bounds = {
            f: sorted({p.bounds for p in c if p.bounds}) for f, c in self._contexts.items()
        }
        buckets = max((len(b) for b in bounds.values()), default=0) or 1
        per_bucket = [0] * (buckets + 1)
        chosen: dict[int, list[list[_Placed]]] = {}
        for feature, placed in self._contexts.items():
            groups: list[list[_Placed]] = [[] for _ in range(buckets + 1)]
            for one in sorted(placed, key=lambda p: -p.activation):
                number = bounds[feature].index(one.bounds) + 1 if one.bounds else TOP_BUCKET
                groups[number].append(one)
            chosen[feature] = groups
            per_bucket = [max(n, len(g)) for n, g in zip(per_bucket, groups, strict=True)]
        order = [TOP_BUCKET, *range(buckets, 0, -1)]
        bucket = np.array([b for b in order for _ in range(per_bucket[b])], np.int64)
        count, slots = self.features, len(bucket)
        rows = np.full((count, slots), _NO_ID, np.int64)
        activations = np.zeros((count, slots), np.float32)
        lengths = np.zeros(count * slots, np.int64)
        positions: list[Array] = []
        values: list[Array] = []
        for feature in sorted(chosen):
            slot = 0
            for b in order:
                for number, one in enumerate(chosen[feature][b]):
                    rows[feature, slot + number] = one.row
                    activations[feature, slot + number] = one.activation
                    lengths[feature * slots + slot + number] = len(one.positions)
                    positions.append(one.positions)
                    values.append(one.values)
                slot += per_bucket[b]
        edges = self._edges(bounds, buckets)
        offsets = np.zeros(count * slots + 1, np.int64)
        np.cumsum(lengths, out=offsets[1:])
        nothing: list[Array] = [np.empty(0, np.int16)]
        return {
            "contexts/row": rows, "contexts/activation": activations, "contexts/bucket": bucket,
            "contexts/edges": edges, "contexts/offsets": offsets,
            "contexts/positions": np.concatenate(positions or nothing),
            "contexts/values": np.concatenate(values or nothing).astype(np.float16),
        }, buckets  # fmt: skip

    def _edges(self, bounds: Bounds, buckets: int) -> Array:
        """Return the bounds of the buckets: as they were told, or equal ones up to the maximum."""
        top = np.zeros(self.features, np.float32)
        for feature, record in self._records.items():
            top[feature] = record.max_activation
        edges = np.linspace(0.0, top, buckets + 1, axis=1, dtype=np.float32)
        for feature, told in bounds.items():
            if told:
                known = np.array([low for low, _ in told] + [told[-1][1]], np.float32)
                edges[feature, : len(known)] = known
                edges[feature, len(known) :] = known[-1]
        return edges

    def _figure_arrays(self) -> dict[str, Array]:
        count = self.features
        density, top, mean = (np.zeros(count, np.float32) for _ in range(3))
        histogram = np.zeros((count, BINS), np.float32)
        for feature, record in self._records.items():
            strongest = max((p.activation for p in self._contexts.get(feature, [])), default=0.0)
            density[feature] = record.density
            top[feature] = record.max_activation or strongest
            counts = _in_bins(record.histogram)
            histogram[feature] = counts
            centres = (np.arange(BINS) + 0.5) / BINS * top[feature]
            mean[feature] = (counts * centres).sum() / counts.sum() if counts.sum() else 0.0
        return {
            "columns/density": density, "columns/max_activation": top,
            "columns/mean_activation": mean, "histogram/counts": histogram,
        }  # fmt: skip

    def _logit_arrays(self) -> dict[str, Array]:
        found: dict[str, Array] = {}
        widest = max((max(len(r.raises), len(r.lowers)) for r in self._records.values()), default=0)
        if not widest:
            return found
        for side, name in (("top", "raises"), ("bottom", "lowers")):
            ids = np.full((self.features, widest), _NO_ID, np.int64)
            values = np.zeros((self.features, widest), np.float32)
            for feature, record in self._records.items():
                pairs = getattr(record, name)
                ids[feature, : len(pairs)] = [self._id(token) for token, _ in pairs]
                values[feature, : len(pairs)] = [value for _, value in pairs]
            found[f"logits/{side}_ids"], found[f"logits/{side}_values"] = ids, values
        return found

    def _relation_arrays(self) -> dict[str, Array]:
        found = _pairs(self.features, self._records, "neighbours", "cosines")
        if any(record.coactive for record in self._records.values()):
            arrays = _pairs(self.features, self._records, "coactive", "pearson")
            arrays["coactive/share"] = np.zeros_like(arrays["coactive/pearson"])
            found |= arrays
        if any(record.neurons for record in self._records.values()):
            widest = max(len(record.neurons) for record in self._records.values())
            layers, ids = (np.full((self.features, widest), _NO_ID, np.int64) for _ in range(2))
            pearson = np.zeros((self.features, widest), np.float32)
            for feature, record in self._records.items():
                for place, (layer, neuron, r) in enumerate(record.neurons):
                    layers[feature, place], ids[feature, place] = layer, neuron
                    pearson[feature, place] = r
            found |= {
                "neurons/layers": layers, "neurons/ids": ids, "neurons/pearson": pearson,
            }  # fmt: skip
        return found


@dataclass(frozen=True)
class _Placed:
    """A context, its text in the index's rows."""

    row: int
    activation: float
    bounds: tuple[float, float] | None
    positions: Array
    """(n,) int16 rows from the chosen one, where the feature fires."""
    values: Array
    """(n,) float16"""


def _joined(one: FeatureRecord, other: FeatureRecord) -> FeatureRecord:
    for name in ("max_activation", "density", "histogram", "raises", "lowers", "neighbours",
                 "coactive", "neurons", "label", "note"):  # fmt: skip
        if not getattr(one, name):
            setattr(one, name, getattr(other, name))
    one.labels = [*one.labels, *other.labels]
    return one


def _in_bins(counts: Sequence[float]) -> Array:
    """Return a histogram of any number of equal bins in those an index has."""
    given = np.asarray(counts, dtype=np.float64)
    given = np.where(np.isfinite(given), given, 0.0)
    if len(given) == BINS or not len(given):
        return given if len(given) else np.zeros(BINS)
    centres = (np.arange(len(given)) + 0.5) / len(given)
    found, _ = np.histogram(centres, bins=BINS, range=(0.0, 1.0), weights=given)
    return found


def _pairs(
    features: int, records: dict[int, FeatureRecord], name: str, value: str
) -> dict[str, Array]:
    widest = max((len(getattr(record, name)) for record in records.values()), default=0)
    ids = np.full((features, widest), _NO_ID, np.int64)
    values = np.zeros((features, widest), np.float32)
    for feature, record in records.items():
        pairs = [(i, v) for i, v in getattr(record, name) if 0 <= i < features]
        ids[feature, : len(pairs)] = [i for i, _ in pairs]
        values[feature, : len(pairs)] = [v for _, v in pairs]
    return {f"{name}/ids": ids, f"{name}/{value}": values}


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "replace")[:160]
