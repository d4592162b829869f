"""What commands call features and the nodes of a graph, beside their numbers."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from functools import cached_property
from pathlib import Path

from sae_desktop.circuits.node_names import node_names
from sae_desktop.circuits.reading.graph_file import Graph, read_graph
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.project import Project, existing
from sae_desktop.project_notes import Notes
from sae_desktop.words.graph_words import node_title, plain_name

_LONGEST = 40
"""Letters of a name in a table."""


class NodeTexts:
    """The nodes of a graph in words; graph and names are read when the first is asked for."""

    def __init__(self, project: Path, graph: str) -> None:
        self._project, self._name = project, graph

    def __call__(self, node: int) -> str:
        """Return a node's number and what it is: “12  “of” · feature 7 of layer 3 at “the””."""
        return f"{node}  {node_title(self.graph, node, self.name(node))}"

    def name(self, node: int) -> str:
        """Return what a node is called: its label or automatic name, cut where it is long."""
        return _cut(self._names.get(node) or plain_name(self.graph, node))

    @cached_property
    def graph(self) -> Graph:
        """Raises UserError where the project has no such graph."""
        project = Project.open(self._project)
        return read_graph(project.graph_path(existing("graph", self._name, project.graphs())))

    @cached_property
    def _names(self) -> dict[int, str]:
        return node_names(Project.open(self._project), self.graph)


def feature_texts(project: Path, index: str, features: Sequence[int]) -> list[str]:
    """Return the numbers of an index's features, each with its label or automatic name."""
    opened = Project.open(project)
    read = FeatureIndex(opened.index_path(existing("index", index, opened.indexes())))
    names = read.short_names()
    labels: dict[int, str] = {}
    if opened.notes_path.exists():
        with closing(Notes(opened.notes_path)) as notes:
            labels = notes.label_reader(read.info.dictionary)(list(features))
    return [
        f"{feature}  {_cut(labels.get(feature) or names[feature])}".rstrip() for feature in features
    ]


def _cut(name: str) -> str:
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"
