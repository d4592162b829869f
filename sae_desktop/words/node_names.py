"""What the feature nodes of a graph are called: by people, by statistics, by what they fire on.

Free of Qt and torch. A set's features are named by the indexes of its members, `<set>.L03` or
`<set>.all`; where several indexes are of one member, the one that bears its name goes first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sae_desktop.circuits.reading.graph_file import FEATURE, Graph
from sae_desktop.dictionary.set_info import ALL, SetInfo, member_name, read_set_info
from sae_desktop.errors import UserError
from sae_desktop.project import Project
from sae_desktop.words.feature_words import FeatureWords, feature_words

if TYPE_CHECKING:
    from sae_desktop.features.reading.reader import FeatureIndex

LETTERS = 21
"""Of a name in a box of the canvas."""


@dataclass(frozen=True)
class FeaturePlace:
    """Where a graph's feature is read: the dictionary, its number there."""

    dictionary: str
    feature: int


class FeaturePlaces:
    """Finds the dictionary and the number of a graph's features."""

    def __init__(self, project: Project, graph: Graph) -> None:
        self._set = graph.info.set
        self._joined = graph.info.set_kind == "cross_layer"
        self._starts: dict[int, int] = {}
        if self._joined:
            self._starts = _block_starts(project, self._set)

    def place(self, graph: Graph, node: int) -> FeaturePlace | None:
        """Return where a feature node is read; None for another node."""
        if int(graph.kind[node]) != FEATURE:
            return None
        layer, feature = int(graph.layer[node]), int(graph.feature[node])
        if self._joined:
            return FeaturePlace(f"{self._set}.{ALL}", self._starts.get(layer, 0) + feature)
        return FeaturePlace(f"{self._set}.{member_name(layer)}", feature)


def _block_starts(project: Project, name: str) -> dict[int, int]:
    """Return with which feature each layer of a cross-layer transcoder begins."""
    try:
        info: SetInfo = read_set_info(project.set_path(name))
    except UserError:
        return {}
    counts = [member.features for member in info.members]
    starts = np.concatenate([[0], np.cumsum(counts)])[:-1].tolist()
    return dict(zip(info.layers, starts, strict=True))


def index_of(project: Project, dictionary: str, indexes: Mapping[str, str]) -> str:
    """Return the name of an index of a dictionary; empty: there is none.

    `indexes` has the dictionary of each index by its name.
    """
    if project.index_path(dictionary).is_file():
        return dictionary
    return next((name for name, of in indexes.items() if of == dictionary), "")


def read_words(
    indexes: Mapping[str, Path], places: Iterable[tuple[int, FeaturePlace]]
) -> dict[int, FeatureWords]:
    """Return what indexes say of nodes, given with their places; unreadable ones say nothing.

    `indexes` has the file of each dictionary's index.
    """
    from sae_desktop.features.reading.reader import FeatureIndex  # it brings h5py

    opened: dict[str, FeatureIndex | None] = {}
    found: dict[int, FeatureWords] = {}
    for node, place in places:
        if place.dictionary not in opened:
            opened[place.dictionary] = None
            path = indexes.get(place.dictionary)
            if path is not None:
                try:
                    opened[place.dictionary] = FeatureIndex(path)
                except (UserError, OSError, ValueError, KeyError):  # the graph is shown without
                    continue
        index = opened[place.dictionary]
        if index is not None:
            try:
                found[node] = feature_words(index, place.feature)
            except (UserError, IndexError, ValueError):
                continue
    return found
