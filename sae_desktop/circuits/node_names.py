"""Where the features of a graph are read, and what they are called. Free of torch and Qt.

A set's features are named by the indexes of its members, `<set>.L03` or `<set>.all`; where several
indexes are of one member, the one that bears its name goes first.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass

import numpy as np

from sae_desktop.circuits.reading.graph_file import FEATURE, Graph
from sae_desktop.dictionary.set_info import ALL, SetInfo, member_name, read_set_info
from sae_desktop.errors import UserError
from sae_desktop.project import Project
from sae_desktop.project_notes import Notes

# Readers of HDF5 are imported where they are used: the window is shown before h5py is there.


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


def node_names(project: Project, graph: Graph) -> dict[int, str]:
    """Return node → name of the feature nodes that have one: the label, or the automatic name.

    Names that the graph itself brought come last. What a project does not have (the set, indexes,
    notes) gives no names.
    """
    found = {node: name for node, name in enumerate(graph.info.names) if name}
    places = FeaturePlaces(project, graph)
    nodes: dict[str, dict[int, int]] = {}
    for node in np.flatnonzero(graph.kind == FEATURE).tolist():
        place = places.place(graph, node)
        if place is not None:
            nodes.setdefault(place.dictionary, {})[node] = place.feature
    indexes, labels = _dictionaries_of_indexes(project), _labels(project, nodes)
    for dictionary, features in nodes.items():
        names = _automatic(project, index_of(project, dictionary, indexes), features)
        names |= labels.get(dictionary, {})
        found |= {node: names[f] for node, f in features.items() if names.get(f)}
    return found


def _labels(project: Project, nodes: Mapping[str, dict[int, int]]) -> dict[str, dict[int, str]]:
    if not project.notes_path.exists():
        return {}
    with closing(Notes(project.notes_path)) as notes:
        return {
            dictionary: notes.label_reader(dictionary)(sorted(set(features.values())))
            for dictionary, features in nodes.items()
        }


def _dictionaries_of_indexes(project: Project) -> dict[str, str]:
    from sae_desktop.features.reading.index_file import read_info

    found = {}
    for name in project.indexes():
        with suppress(UserError):
            found[name] = read_info(project.index_path(name)).dictionary
    return found


def _automatic(project: Project, index: str, features: Mapping[int, int]) -> dict[int, str]:
    from sae_desktop.features.reading.reader import FeatureIndex

    if not index:
        return {}
    try:
        names = FeatureIndex(project.index_path(index)).short_names()
    except UserError:
        return {}
    return {feature: names[feature] for feature in features.values() if feature < len(names)}
