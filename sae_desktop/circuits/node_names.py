"""What a graph's nodes are called: labels and automatic names of its set's features. No torch."""

from __future__ import annotations

from contextlib import ExitStack

import numpy as np

from sae_desktop.circuits.reading.graph_file import FEATURE, Graph
from sae_desktop.dictionary.set_info import SetInfo, read_set_info
from sae_desktop.errors import UserError
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.project import Project
from sae_desktop.project_notes import Notes


def node_names(project: Project, graph: Graph) -> dict[int, str]:
    """Return node → name of the feature nodes that have one: the label, or the automatic name.

    Names that the graph itself brought come last. What a project does not have (the set, indexes,
    notes) gives no names.
    """
    found = {node: name for node, name in enumerate(graph.info.names) if name}
    try:
        info = read_set_info(project.set_path(graph.info.set))
    except UserError:
        return found
    with ExitStack() as stack:
        notes = Notes(project.notes_path) if project.notes_path.exists() else None
        if notes is not None:
            stack.callback(notes.close)
        features = np.flatnonzero(graph.kind == FEATURE)
        for layer in np.unique(graph.layer[features]).tolist():
            if layer not in info.layers:
                continue
            nodes = features[graph.layer[features] == layer]
            dictionary, first = _dictionary(info, layer)
            ids = (graph.feature[nodes] + first).tolist()
            names = _automatic(project, dictionary, ids)
            if notes is not None:
                names |= notes.label_reader(dictionary)(ids)
            told = zip(nodes.tolist(), ids, strict=True)
            found |= {node: names[feature] for node, feature in told if names.get(feature)}
    return found


def _dictionary(info: SetInfo, layer: int) -> tuple[str, int]:
    """Return the dictionary of a layer, and the number of the layer's first feature in it."""
    member = info.member(layer)
    before = info.members[: info.layers.index(layer)] if info.kind == "cross_layer" else ()
    return f"{info.name}.{member.name}", sum(other.features for other in before)


def _automatic(project: Project, dictionary: str, features: list[int]) -> dict[int, str]:
    if dictionary not in project.indexes():
        return {}
    try:
        names = FeatureIndex(project.index_path(dictionary)).short_names()
    except UserError:
        return {}
    return {feature: names[feature] for feature in features if feature < len(names)}
