"""The names of the open graph's nodes: a person's labels at once, those of indexes as they come."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QObject, Signal

from sae_desktop.circuits.node_names import FeaturePlace, FeaturePlaces, index_of
from sae_desktop.circuits.reading.graph_file import ERROR, FEATURE, Graph
from sae_desktop.gui.state.background import Background
from sae_desktop.gui.state.session import Session
from sae_desktop.words.feature_words import FeatureWords
from sae_desktop.words.graph_words import plain_name, read_words, short_name

Array = npt.NDArray[Any]

_LETTERS = 21
"""Of a name in a box of the canvas."""


class NodeNames(QObject):
    """What each node is called. What an index says is read beside the window."""

    changed = Signal()

    def __init__(self, session: Session, parent: QObject) -> None:
        super().__init__(parent)
        self._session = session
        self._graph: Graph | None = None
        self._places: FeaturePlaces | None = None
        self._labels: dict[int, str] = {}
        self._words: dict[int, FeatureWords] = {}
        self._asked: set[int] = set()
        self._unread: dict[int, FeaturePlace] = {}
        self._indexes: dict[str, str] = {}
        self._reading = Background(self)
        self._reading.answered.connect(self._on_read)
        session.notesChanged.connect(self._read_labels)
        session.contentsChanged.connect(self._again)

    def show(self, graph: Graph | None, nodes: Array) -> None:
        """Name another graph's nodes; first those that are shown."""
        before, self._graph = self._graph, graph
        if before is None or graph is None or before.info != graph.info:
            self._labels, self._words = {}, {}  # of a graph read anew they stay until they come
        self._asked, self._unread = set(), {}
        project = self._session.project
        known = graph is not None and project is not None
        self._places = FeaturePlaces(project, graph) if known else None  # type: ignore[arg-type]
        self._find_indexes()
        self.want(nodes)

    def want(self, nodes: Array) -> None:
        """Have nodes named that are shown now."""
        graph, places, project = self._graph, self._places, self._session.project
        if graph is None or places is None or project is None:
            return
        fresh = [n for n in nodes.tolist() if n not in self._asked and graph.kind[n] == FEATURE]
        if not fresh:
            return
        self._asked.update(fresh)
        where = [(node, place) for node in fresh if (place := places.place(graph, node))]
        self._read_labels_of(where)
        self._unread.update((node, place) for node, place in where if node not in self._labels)
        indexes = {}
        for dictionary in {place.dictionary for place in self._unread.values()}:
            name = index_of(project, dictionary, self._indexes)
            if name:
                indexes[dictionary] = project.index_path(name)
        # All that is unread: of questions that come while one is answered, the last counts.
        waiting = list(self._unread.items())
        if indexes and waiting:
            self._reading.run(graph, lambda: read_words(indexes, waiting))

    def place(self, node: int) -> FeaturePlace | None:
        """Return where a feature node is read."""
        graph, places = self._graph, self._places
        return None if graph is None or places is None else places.place(graph, node)

    def index(self, node: int) -> str:
        """Return the index in which a feature node is read; empty: there is none."""
        place, project = self.place(node), self._session.project
        if place is None or project is None:
            return ""
        return index_of(project, place.dictionary, self._indexes)

    def lacks(self, node: int) -> Literal["", "index", "set"]:
        """Return what a feature node lacks to be read: its index, or the whole set."""
        graph = self._graph
        if graph is None or self.place(node) is None or self.index(node):
            return ""
        item = self._session.inventory.set_named(graph.info.set)
        if item is None or item.info is None:
            return "set"
        return "index" if int(graph.layer[node]) in item.info.layers else "set"

    def text(self, node: int, letters: int = 64) -> str:
        """Return what a node is called, in about as many letters."""
        graph = self._graph
        if graph is None:
            return ""
        if node in self._labels:
            return self._labels[node]
        words = self._words.get(node)
        said = "" if words is None else words.line(letters)
        return said or plain_name(graph, node)

    def words(self, node: int) -> FeatureWords | None:
        """Return what an index says of a feature without a label."""
        return None if node in self._labels else self._words.get(node)

    def texts(self) -> tuple[Sequence[str], Array]:
        """Return the names of all nodes for the canvas, and which are names (N,)."""
        graph = self._graph
        if graph is None:
            return [], np.zeros(0, bool)
        named = np.asarray((graph.kind != FEATURE) & (graph.kind != ERROR))
        texts = [
            self.text(node, _LETTERS) if graph.kind[node] == FEATURE else short_name(graph, node)
            for node in range(graph.nodes)
        ]
        for node in range(graph.nodes):
            own = bool(graph.info.names and graph.info.names[node])
            if own or node in self._labels or (node in self._words and self._words[node].name):
                named[node] = True
        return texts, named

    # ------------------------------------------------------------------ reading
    def _find_indexes(self) -> None:
        self._indexes = {item.name: item.dictionary for item in self._session.inventory.indexes}

    def _again(self) -> None:
        """Read again once indexes have come or gone."""
        before = self._indexes
        self._find_indexes()
        if self._graph is not None and before != self._indexes:
            asked, self._asked = np.array(sorted(self._asked), np.int64), set()
            self.want(asked)

    def _read_labels(self) -> None:
        graph, places = self._graph, self._places
        if graph is None or places is None:
            return
        self._labels = {}
        self._read_labels_of([(n, place) for n in self._asked if (place := places.place(graph, n))])
        self.changed.emit()

    def _read_labels_of(self, where: list[tuple[int, FeaturePlace]]) -> None:
        notes = self._session.notes
        if notes is None:
            return
        by_dictionary: dict[str, dict[int, list[int]]] = {}
        for node, place in where:
            of = by_dictionary.setdefault(place.dictionary, {})
            of.setdefault(place.feature, []).append(node)
        for dictionary, features in by_dictionary.items():
            for feature, note in notes.notes(dictionary, features).items():
                if note.label:
                    self._labels.update(dict.fromkeys(features[feature], note.label))

    def _on_read(self, answer: tuple[object, dict[int, FeatureWords]]) -> None:
        graph, words = answer
        if graph is self._graph:
            self._words.update(words)
            for node in words:
                self._unread.pop(node, None)
            self.changed.emit()
