"""Documents that say the same in several languages, as a feature sees them. Free of Qt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sae_desktop.features.reading.facts import AlignedFiring
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.language_names import language_name

Array = npt.NDArray[Any]

LONGEST = 4_000
"""Tokens of a document that are shown."""


@dataclass(frozen=True)
class RankedGroup:
    """An aligned document; G languages."""

    name: str
    title: str
    languages: int
    fires_in: int
    """Languages in which the feature fires on it."""
    strongest: float


@dataclass(frozen=True)
class AlignedDocument:
    """One language's document. T tokens."""

    firing: AlignedFiring
    rows: Array
    """(T,) rows of the index's text, ascending."""
    ids: list[int]
    tokens: list[str]
    left_out: int
    """Tokens before and after those that are shown."""


def ranked_groups(
    index: FeatureIndex, feature: int, readable: Sequence[str] = ("en",)
) -> list[RankedGroup]:
    """Return the aligned documents: those in which it fires in most languages first.

    Their titles are those of the first of the `readable` languages that has one; of another
    language its name is told.
    """
    found = []
    for name in index.aligned_groups:
        members = index.aligned(feature, name)
        best = {m.language: 0.0 for m in members}
        for member in members:
            best[member.language] = max(best[member.language], member.activation)
        title = _title(members, readable)
        values = list(best.values())
        fires_in = sum(value > 0 for value in values)
        found.append(RankedGroup(name, title, len(values), fires_in, max(values)))
    return sorted(found, key=lambda g: (-g.fires_in, -g.strongest, g.name))


def _title(members: Sequence[AlignedFiring], readable: Sequence[str]) -> str:
    titles = {member.language: member.title for member in members if member.title}
    for language in readable:
        if language in titles:
            return titles[language]
    if not titles:
        return ""
    language, title = next(iter(titles.items()))
    return f"{title} ({language_name(language)})" if language else title


def strongest_by_language(index: FeatureIndex, feature: int, group: str) -> list[AlignedFiring]:
    """Return a document for each language of a group, that on which the feature fires most."""
    best: dict[str, AlignedFiring] = {}
    for member in index.aligned(feature, group):
        there = best.get(member.language)
        if there is None or member.activation > there.activation:
            best[member.language] = member
    return sorted(best.values(), key=lambda m: (-m.activation, m.language))


def read_document(index: FeatureIndex, firing: AlignedFiring) -> AlignedDocument:
    """Return a document's tokens; of a very long one those around where the feature fires."""
    passages = index.passages
    parts = passages[passages["document"] == firing.document]
    rows = np.concatenate([np.arange(p["first_row"], p["first_row"] + p["length"]) for p in parts])
    start = 0
    if len(rows) > LONGEST:
        middle = int(np.searchsorted(rows, firing.row)) if firing.row >= 0 else 0
        start = min(max(middle - LONGEST // 2, 0), len(rows) - LONGEST)
    kept = rows[start : start + LONGEST]
    ids = index.tokens[kept].tolist()
    return AlignedDocument(firing, kept, ids, [index.token(i) for i in ids], len(rows) - len(kept))


def known_activations(document: AlignedDocument) -> Array:
    """Return what the index itself knows of a document: its strongest activation. (T,)"""
    return np.where(
        document.rows == document.firing.row, np.float32(document.firing.activation), np.float32(0)
    )


def activations_on(document: AlignedDocument, rows: Array, values: Array) -> Array:
    """Return a feature's activations on a document, (T,), from all its firings.

    rows (n,) ascending and values (n,) are the firings of the feature over the whole text.
    """
    found = np.zeros(len(document.rows), np.float32)
    place = np.searchsorted(rows, document.rows)
    there = place < len(rows)
    there[there] = rows[place[there]] == document.rows[there]
    found[there] = values[place[there]]
    return found
