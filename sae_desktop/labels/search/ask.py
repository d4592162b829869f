"""The quick question `search_meaning`: which features are about something, and why.

N entries, D numbers per vector. A feature counts by the nearest of its label, name and contexts.
"""

from __future__ import annotations

import shlex
import threading
from collections import OrderedDict
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from sae_desktop.errors import UserError
from sae_desktop.features.reading.beside import meaning_path, read_with_index
from sae_desktop.features.reading.filter import FeatureFilter, matching
from sae_desktop.features.reading.meaning_file import (
    CONTEXTS,
    KINDS,
    LABEL,
    Meanings,
    read_meanings,
)
from sae_desktop.features.reading.noted import NotedMarks
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.jobs import JobContext
from sae_desktop.labels.search.config import (
    MOST_CHARACTERS,
    FoundMeaning,
    SearchMeaningConfig,
    SearchMeaningResult,
)
from sae_desktop.labels.search.encoder import Encoder, load_encoder
from sae_desktop.labels.search.plain_words import found_by_words, fused
from sae_desktop.labels.search.texts import Texts, notes_stamp, texts_of
from sae_desktop.labels.search.vectors import cosines, nearest
from sae_desktop.project import Project, existing
from sae_desktop.project_notes import Notes
from sae_desktop.storage.stamp import file_stamp

Array = npt.NDArray[Any]

_ENTRIES = len(KINDS)
"""A feature has at most one entry of each kind."""
_ALL_WORDS = 1000
"""Features of each ranking that are put together."""
_READ_AT_ONCE = 64
"""Labels that are new since the vectors were made, and are read for the question itself."""


def search_meaning(config: SearchMeaningConfig, context: JobContext) -> SearchMeaningResult:
    """Return the features nearest in meaning to a text that meet the conditions, the best first.

    Raises UserError without an encoder or vectors, and for a condition that this index lacks.
    """
    text = config.text[:MOST_CHARACTERS].encode("utf-8", "replace").decode().strip()
    if not text:
        load_encoder(config.device)
        return SearchMeaningResult(found=[])
    project = Project.open(config.project)
    path = project.index_path(existing("index", config.index, project.indexes()))
    opened = _opened(project, path, config.index, vectors=config.by != "words")
    allowed = _allowed(project, opened.index, config)
    words = [] if config.by == "meaning" else found_by_words(project, opened.index, text)
    if allowed is not None:
        words = [hit for hit in words if allowed[hit.feature]]
    if config.by == "words":
        return SearchMeaningResult(found=words[: config.limit])
    context.check_cancelled()
    meanings = opened.meanings
    assert meanings is not None
    encoder = load_encoder(config.device, meanings.info.encoder_name)
    if meanings.info.encoder != encoder.identity:
        raise UserError(
            f"The labels and contexts of the index “{config.index}” were read with another "
            "sentence encoder.",
            kept="They are unchanged.",
            next_step=_way_to_read(project, config.index),
        )
    asked = encoder.encode([text], context)[0]
    count = config.limit if config.by == "meaning" else max(config.limit, _ALL_WORDS)
    found = _nearest(opened, encoder, asked, count, allowed)
    if config.by == "both":
        found = fused(found, words[:_ALL_WORDS])
    found = _with_labels(project, opened.index, found[: config.limit])
    return SearchMeaningResult(found=found, newer=len(opened.unread))


def _way_to_read(project: Project, index: str) -> str:
    named = f"{shlex.quote(str(project.path))} --index {shlex.quote(index)}"
    return f"Read them with: sae-desktop embed {named}."


@dataclass
class _Opened:
    """An index with its vectors, and which of them are of labels that have changed since."""

    index: FeatureIndex
    meanings: Meanings | None
    valid: Array
    """(N,) bool."""
    unread: list[tuple[int, str]]
    """Features with a label or name that has no vector, and these."""
    vectors: Array | None = None
    """(u, D) float32, of those of `unread` that were read for a question."""


_held: OrderedDict[tuple[Any, ...], _Opened] = OrderedDict()
_held_lock = threading.Lock()
_MOST_HELD = 2


def _opened(project: Project, path: Path, name: str, *, vectors: bool) -> _Opened:
    files = (path, *read_with_index(path), meaning_path(path))
    key = (*((file, file_stamp(file)) for file in files), notes_stamp(project.notes_path), vectors)
    with _held_lock:
        if key not in _held:
            _held[key] = _open(project, path, name, vectors=vectors)
            while len(_held) > _MOST_HELD:
                _held.popitem(last=False)
        _held.move_to_end(key)
        return _held[key]


def _open(project: Project, path: Path, name: str, *, vectors: bool) -> _Opened:
    index = FeatureIndex(path)
    if not vectors:
        return _Opened(index, None, np.empty(0, bool), [])
    meanings = read_meanings(path, index.info)
    if meanings is None:
        raise UserError(
            f"The labels and contexts of the index “{name}” have not been read by the sentence "
            "encoder yet.",
            next_step=_way_to_read(project, name),
        )
    valid, unread = _compared(meanings, texts_of(project, index))
    return _Opened(index, meanings, valid, unread)


def _compared(meanings: Meanings, texts: Texts) -> tuple[Array, list[tuple[int, str]]]:
    """Return which entries are still of what is there, and what has no entry."""
    entries = meanings.entries
    now = _keys(texts.features, texts.kinds, texts.digests)
    then = _keys(entries.features, entries.kinds, entries.digests)
    valid = (entries.kinds == CONTEXTS) | np.isin(then, now)
    unread = np.flatnonzero(~np.isin(now, then))
    return valid, [(int(texts.features[i]), texts.texts[i]) for i in unread]


def _keys(features: Array, kinds: Array, digests: Array) -> Array:
    """Return (n,) uint64 that are equal where feature, kind and text are."""
    places = np.asarray(features, np.uint64) * np.uint64(_ENTRIES) + np.asarray(kinds, np.uint64)
    mixed: Array = (places * np.uint64(0x9E3779B97F4A7C15)) ^ np.asarray(digests, np.uint64)
    return mixed


def _allowed(project: Project, index: FeatureIndex, config: SearchMeaningConfig) -> Array | None:
    """Return (F,) bool of the features that meet the conditions; None: all do."""
    if config.among is None and config.conditions == FeatureFilter():
        return None
    among = None
    if config.among is not None:
        inside = [f for f in config.among if 0 <= f < index.features]
        among = np.array(inside, np.int64)
    if not project.notes_path.is_file():
        kept = matching(config.conditions, index, NotedMarks(None, ""), among)
    else:
        with closing(Notes(project.notes_path)) as notes:
            marks = NotedMarks(notes, index.info.dictionary)
            kept = matching(config.conditions, index, marks, among)
    allowed = np.zeros(index.features, bool)
    allowed[kept] = True
    return allowed


def _nearest(
    opened: _Opened, encoder: Encoder, asked: Array, count: int, allowed: Array | None
) -> list[FoundMeaning]:
    """Return the nearest features, each by the nearest of its entries."""
    meanings = opened.meanings
    assert meanings is not None
    meanings.file.check_whole()
    entries = meanings.entries
    among = opened.valid if allowed is None else opened.valid & allowed[entries.features]
    places, near = nearest(entries.vectors, asked, _ENTRIES * count, None if among.all() else among)
    found = [
        (float(cosine), int(entries.features[place]), int(place))
        for place, cosine in zip(places, near, strict=True)
    ]
    found += _of_unread(opened, encoder, asked, allowed)
    best: dict[int, FoundMeaning] = {}
    for cosine, feature, place in sorted(found, key=lambda one: (-one[0], one[1])):
        if feature not in best:
            best[feature] = _hit(opened, asked, cosine, feature, place)
        if len(best) == count:
            break
    return list(best.values())


def _of_unread(
    opened: _Opened, encoder: Encoder, asked: Array, allowed: Array | None
) -> list[tuple[float, int, int]]:
    """Return the same of labels without a vector, where they are few: they have one from now on."""
    unread = opened.unread[:_READ_AT_ONCE] if len(opened.unread) <= _READ_AT_ONCE else []
    if not unread:
        return []
    if opened.vectors is None:
        opened.vectors = encoder.encode([text for _, text in unread])
    near = opened.vectors @ asked
    return [
        (float(cosine), feature, -1 - number)
        for number, ((feature, _), cosine) in enumerate(zip(unread, near, strict=True))
        if allowed is None or allowed[feature]
    ]


def _hit(opened: _Opened, asked: Array, cosine: float, feature: int, place: int) -> FoundMeaning:
    """Return a feature that was found, with what of it was: an entry, or an unread label."""
    if place < 0:
        return FoundMeaning(
            feature=feature, found_by="label", cosine=cosine, text=opened.unread[-1 - place][1]
        )
    assert opened.meanings is not None
    entries = opened.meanings.entries
    kind = int(entries.kinds[place])
    if kind == CONTEXTS:
        slots, single = entries.slots[place], entries.singles_of(place)
        which = int(np.argmax(cosines(single, asked))) if len(single) else 0
        return FoundMeaning(
            feature=feature, found_by="contexts", cosine=cosine, slot=int(slots[which])
        )
    name = "" if kind == LABEL else opened.index.short_names()[feature]
    return FoundMeaning(feature=feature, found_by=KINDS[kind], cosine=cosine, text=name)


def _with_labels(
    project: Project, index: FeatureIndex, found: list[FoundMeaning]
) -> list[FoundMeaning]:
    """Return what was found with the words of the labels among it, which vectors do not hold."""
    wanted = [hit.feature for hit in found if hit.found_by == "label" and not hit.text]
    if not wanted or not project.notes_path.is_file():
        return found
    with closing(Notes(project.notes_path)) as notes:
        labels = notes.label_reader(index.info.dictionary)(wanted)
    return [msgspec.structs.replace(hit, text=labels.get(hit.feature, hit.text)) for hit in found]
