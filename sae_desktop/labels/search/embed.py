"""The job `embed_labels`: labels, names and contexts of an index become vectors beside it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from sae_desktop.features.reading.layout import TOP_BUCKET
from sae_desktop.features.reading.meaning_file import (
    CONTEXTS,
    Entries,
    MeaningInfo,
    read_meanings,
    write_meanings,
)
from sae_desktop.features.reading.names_file import spans
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.jobs import JobContext
from sae_desktop.labels.search.config import EmbedLabelsConfig, EmbedLabelsResult
from sae_desktop.labels.search.encoder import Encoder, load_encoder
from sae_desktop.labels.search.texts import (
    Texts,
    context_text,
    strongest_slots,
    texts_of,
    token_words,
)
from sae_desktop.labels.search.vectors import rounded
from sae_desktop.project import Project, existing

Array = npt.NDArray[Any]

METHOD = 1
_AT_ONCE = 256
"""Texts, or features with their contexts, that are read between two answers to a cancel."""
_COMMIT_SECONDS = 60.0
_MOST_SINGLE = 1_000_000
"""Contexts of an index at most of which each keeps its own vector, to say which one was found."""


def embed_labels(config: EmbedLabelsConfig, context: JobContext) -> EmbedLabelsResult:
    """Read what is new or has changed, and write `features/<index>.meaning`.

    What was read before stays, and what has been read by now is kept about every minute, so that
    a job which is cancelled or killed is soon where it was. Raises UserError without an encoder.
    """
    started = time.monotonic()
    project = Project.open(config.project)
    index = FeatureIndex(project.index_path(existing("index", config.index, project.indexes())))
    encoder = load_encoder(config.device, config.encoder)
    info = MeaningInfo(
        dictionary_hash=index.info.dictionary_hash,
        spans=spans(index.info),
        rows=index.info.rows,
        encoder=encoder.identity,
        encoder_name=config.encoder,
        method=METHOD,
    )
    kept = _kept(index, info, encoder.width, config.contexts)
    texts = texts_of(project, index)
    work = _Work(index, info, encoder, kept, texts, config.contexts)
    work.run(context)
    labels, contexts = work.counts()
    return EmbedLabelsResult(
        index=config.index, labels=labels, contexts=contexts, read=work.done,
        seconds=time.monotonic() - started,
    )  # fmt: skip


def _kept(index: FeatureIndex, info: MeaningInfo, width: int, contexts: int) -> Entries:
    """Return what was read before in the same way, in memory: the file is written anew."""
    found = read_meanings(index.path, index.info)
    if found is None or found.info != info or found.entries.vectors.shape[1] != width:
        return _none(width, contexts)
    whole = Entries(**{name: np.array(array) for name, array in vars(found.entries).items()})
    if whole.slots.shape[1] == contexts:
        return whole
    texts = whole.kinds != CONTEXTS  # contexts were read otherwise
    return _joined([_none(width, contexts), _texts_part(whole, texts, contexts)])


def _texts_part(entries: Entries, which: Array, contexts: int) -> Entries:
    count = int(which.sum())
    return Entries(
        vectors=entries.vectors[which],
        features=entries.features[which],
        kinds=entries.kinds[which],
        digests=entries.digests[which],
        slots=np.full((count, contexts), -1, np.int16),
        single=np.empty((0, entries.vectors.shape[1]), np.int8),
        single_at=np.full(count, -1, np.int64),
    )


def _none(width: int, contexts: int) -> Entries:
    return Entries(
        vectors=np.empty((0, width), np.int8),
        features=np.empty(0, np.uint32),
        kinds=np.empty(0, np.uint8),
        digests=np.empty(0, np.uint64),
        slots=np.empty((0, contexts), np.int16),
        single=np.empty((0, width), np.int8),
        single_at=np.empty(0, np.int64),
    )


def _joined(parts: Sequence[Entries]) -> Entries:
    """Return entries one after another; each part counts its single vectors from its own first."""
    moved, before = [], 0
    for part in parts:
        moved.append(np.where(part.single_at >= 0, part.single_at + before, -1))
        before += len(part.single)
    return Entries(
        **{
            name: np.concatenate([getattr(part, name) for part in parts])
            for name in vars(parts[0])
            if name != "single_at"
        },
        single_at=np.concatenate(moved).astype(np.int64),
    )


class _Work:
    """Reads what is missing, piece by piece, and writes what there is."""

    def __init__(
        self,
        index: FeatureIndex,
        info: MeaningInfo,
        encoder: Encoder,
        kept: Entries,
        texts: Texts,
        contexts: int,
    ) -> None:
        self._index, self._info, self._encoder = index, info, encoder
        self._texts, self._contexts = texts, contexts
        self._single = index.features * contexts <= _MOST_SINGLE
        known = {
            (int(f), int(k), int(d)): place
            for place, (f, k, d) in enumerate(
                zip(kept.features, kept.kinds, kept.digests, strict=True)
            )
            if k != CONTEXTS
        }
        of_texts = [
            known.get((int(f), int(k), int(d)), -1)
            for f, k, d in zip(texts.features, texts.kinds, texts.digests, strict=True)
        ]
        self._new_texts = np.flatnonzero(np.array(of_texts, np.int64) < 0)
        still = np.zeros(len(kept), bool)
        still[[place for place in of_texts if place >= 0]] = True
        read = kept.kinds == CONTEXTS
        self._parts = [_selected(kept, read | still, contexts)]
        self._dropped = int((~(read | still)).sum())
        strongest = index.arrays["contexts/bucket"] == TOP_BUCKET
        has = np.asarray((index.arrays["contexts/row"][:, strongest] >= 0).any(axis=1))
        has[kept.features[read]] = False
        self._new_features = np.flatnonzero(has)
        self.done = 0

    def run(self, context: JobContext) -> None:
        total = len(self._new_texts) + len(self._new_features)
        if not total and not self._dropped:
            context.log("Nothing has changed since the labels and contexts were last read.")
            context.progress(1, 1, "texts")
            return
        written = time.monotonic()
        for part, count in self._pieces(context):
            self._parts.append(part)
            self.done += count
            context.progress(self.done, total, "texts", "Reading labels and contexts")
            if context.ending or time.monotonic() - written > _COMMIT_SECONDS:
                self._write()
                written = time.monotonic()
            context.check_cancelled()
        context.progress(total or 1, total or 1, "texts")
        self._write()

    def counts(self) -> tuple[int, int]:
        """Return how many labels and names there are, and contexts of how many features."""
        kinds = np.concatenate([part.kinds for part in self._parts])
        contexts = int((kinds == CONTEXTS).sum())
        return len(kinds) - contexts, contexts

    def _write(self) -> None:
        self._parts = [_joined(self._parts)]
        write_meanings(self._index.path, self._info, self._parts[0])

    def _pieces(self, context: JobContext) -> Iterator[tuple[Entries, int]]:
        for first in range(0, len(self._new_texts), _AT_ONCE):
            yield self._read_texts(self._new_texts[first : first + _AT_ONCE], context)
        for first in range(0, len(self._new_features), _AT_ONCE):
            yield self._read_contexts(self._new_features[first : first + _AT_ONCE], context)

    def _read_texts(self, places: Array, context: JobContext) -> tuple[Entries, int]:
        texts = self._texts
        vectors = self._encoder.encode([texts.texts[place] for place in places], context)
        return Entries(
            vectors=rounded(vectors),
            features=texts.features[places],
            kinds=texts.kinds[places],
            digests=texts.digests[places],
            slots=np.full((len(places), self._contexts), -1, np.int16),
            single=np.empty((0, self._encoder.width), np.int8),
            single_at=np.full(len(places), -1, np.int64),
        ), len(places)

    def _read_contexts(self, features: Array, context: JobContext) -> tuple[Entries, int]:
        """Read the strongest contexts of features: of each feature one vector, of their mean.

        The tokens it fires on count as much as the contexts together: a context is about more.
        """
        slots = [strongest_slots(self._index, int(f), self._contexts) for f in features]
        texts, words = [], []
        for feature, own in zip(features.tolist(), slots, strict=True):
            self._index.release_maps()
            texts += [context_text(self._index, feature, int(slot)) for slot in own]
            words.append(token_words(self._index, feature, own))
        vectors = self._encoder.encode(texts, context)
        of_words = self._encoder.encode(words, context)
        ends = np.cumsum([len(own) for own in slots])
        starts = ends - [len(own) for own in slots]
        means = np.stack(
            [
                _mean(vectors[low:high], of_words[place] if words[place] else None)
                for place, (low, high) in enumerate(zip(starts, ends, strict=True))
            ]
        )
        table = np.full((len(features), self._contexts), -1, np.int16)
        for place, own in enumerate(slots):
            table[place, : len(own)] = own
        return Entries(
            vectors=rounded(means),
            features=features.astype(np.uint32),
            kinds=np.full(len(features), CONTEXTS, np.uint8),
            digests=np.zeros(len(features), np.uint64),
            slots=table,
            single=rounded(vectors if self._single else vectors[:0]),
            single_at=(starts if self._single else np.full(len(features), -1)).astype(np.int64),
        ), len(features)


def _mean(contexts: Array, words: Array | None) -> Array:
    together: Array = contexts.mean(axis=0)
    together = together / max(float(np.linalg.norm(together)), 1e-12)
    return together if words is None else together + words


def _selected(entries: Entries, which: Array, contexts: int) -> Entries:
    """Return some of the entries, with all of the single vectors."""
    if not len(entries):
        return _none(entries.vectors.shape[1], contexts)
    chosen = {name: array[which] for name, array in vars(entries).items() if name != "single"}
    return Entries(**chosen, single=entries.single)
