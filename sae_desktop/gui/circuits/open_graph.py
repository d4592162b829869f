"""The graph that is open: what is shown of it, its names, its pins and groups, what is selected.

One instance a session; the panels of the workspace speak to one another through its signals.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtGui import QUndoCommand

from sae_desktop.circuits.reading.folding import Folding, folded_edges, folding
from sae_desktop.circuits.reading.graph_file import ERROR, FEATURE, Graph, read_graph
from sae_desktop.circuits.reading.graph_view import (
    GraphView,
    ViewGroup,
    folded_groups,
    groups_of,
    node_key,
    nodes_by_key,
    read_view,
    write_view,
)
from sae_desktop.circuits.reading.pruning import pruned, target_weights
from sae_desktop.errors import UserError
from sae_desktop.gui.circuits.canvas.scene import Drawn, Edges
from sae_desktop.gui.circuits.names import NodeNames
from sae_desktop.gui.state.background import Background
from sae_desktop.gui.state.session import Session

Array = npt.NDArray[Any]

_AT_ONCE = 150_000
"""Edges; a larger graph is pruned beside the window."""
_SAVE_MS = 400


@dataclass(frozen=True, eq=False)
class Shown:
    """Which nodes (N,) and edges (E,) of a graph are shown."""

    nodes: Array
    edges: Array


class OpenGraph(QObject):
    """Holds the open graph and what a person does to it; that is saved and can be undone."""

    opened = Signal()
    """Another graph, or none, is open."""
    shownChanged = Signal()
    """Other nodes or edges are shown."""
    dressChanged = Signal()
    """Names, pins or groups changed; the nodes stay where they are."""
    selected = Signal(object)
    """A node's number, or None."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self.graph: Graph | None = None
        self.view = GraphView()
        self.node: int | None = None
        """The selected node."""
        self.shown = Shown(np.zeros(0, bool), np.zeros(0, bool))
        self.folding = Folding(np.zeros(0, np.int64), {}, {})
        """Which of the nodes are drawn as one."""
        self.targets: Array = np.zeros(0, np.int32)
        self.importance: Array = np.zeros(0)
        self.by_key: dict[str, int] = {}
        self.marks: Array | None = None
        """(N,) in a comparison: which nodes the other graph has not."""
        self.names = NodeNames(session, self)
        self.names.changed.connect(self.dressChanged)
        self._pruning = Background(self)
        self._pruning.answered.connect(self._on_pruned)
        self._saving = QTimer(self, singleShot=True, interval=_SAVE_MS)
        self._saving.timeout.connect(self.save)
        session.projectChanged.connect(self.close)
        session.leaving.connect(self.save)

    @classmethod
    def of(cls, session: Session) -> OpenGraph:
        """Return the session's one instance."""
        found = session.findChild(cls)
        return found if found is not None else cls(session)

    @property
    def name(self) -> str:
        """Name of the open graph in the project, or nothing."""
        return "" if self.graph is None or self.graph.path is None else self.graph.path.stem

    # ------------------------------------------------------------------ opening
    def open(self, name: str) -> bool:
        """Open a graph of the project; errors become toasts."""
        project = self._session.project
        if project is None:
            return False
        try:
            path = project.graph_path(name)
            graph = read_graph(path)
        except UserError as error:
            self._session.show_error(error)
            return False
        self.take(graph, read_view(path))
        return True

    def take(self, graph: Graph | None, view: GraphView | None = None) -> None:
        """Show a graph."""
        self.save()
        self.graph, self.view, self.node = graph, view or GraphView(), None
        self.marks = None
        self.by_key = {} if graph is None else nodes_by_key(graph)
        if graph is not None:
            self.targets = graph.targets()
            self.importance = edge_importance(graph, self.targets)
            kept = pruned(graph, self.view.nodes, self.view.edges)
            self._take_shown(kept.nodes, kept.edges)
            self.names.show(graph, np.flatnonzero(self.shown.nodes))
        else:
            self.names.show(None, np.zeros(0, np.int64))
        self.opened.emit()
        self.selected.emit(None)

    def close(self) -> None:
        """Let go of the graph."""
        if self.graph is not None:
            self.take(None)

    def reload(self) -> None:
        """Read the open graph again, after a job has written to it."""
        if self.name:
            node = self.node
            if self.open(self.name) and node is not None:
                self.select(node)

    # ------------------------------------------------------------------ what is shown
    def set_shares(self, nodes: float, edges: float) -> None:
        """Prune to shares of the influence; while a hand moves a slider that is live."""
        if (nodes, edges) != (self.view.nodes, self.view.edges):
            self.view = msgspec.structs.replace(self.view, nodes=nodes, edges=edges)
            self._saving.start()
            self._prune()

    def show_errors(self, on: bool) -> None:
        """Show or hide the errors of the features."""
        if on != self.view.errors:
            self.view = msgspec.structs.replace(self.view, errors=on)
            self._saving.start()
            self._prune()

    def _prune(self) -> None:
        graph, nodes, edges = self.graph, self.view.nodes, self.view.edges
        if graph is None:
            return
        if graph.edges <= _AT_ONCE:
            self._on_pruned((graph, pruned(graph, nodes, edges)))
        else:
            self._pruning.run(graph, lambda: pruned(graph, nodes, edges))

    def _on_pruned(self, answer: tuple[object, Any]) -> None:
        of, kept = answer
        if of is self.graph and self.graph is not None:
            self._take_shown(kept.nodes, kept.edges)
            self.names.want(np.flatnonzero(self.shown.nodes))
            self.shownChanged.emit()

    def _take_shown(self, nodes: Array, edges: Array) -> None:
        assert self.graph is not None
        self.shown = self._with_pins(nodes, edges)
        folded = {n: self.members(g) for n, g in enumerate(self.groups()) if g.folded}
        self.folding = folding(self.graph, folded, self.shown.nodes)

    def _with_pins(self, nodes: Array, edges: Array) -> Shown:
        graph = self.graph
        assert graph is not None
        nodes = np.array(nodes)
        if not self.view.errors:
            nodes &= graph.kind != ERROR
        pins = self.pinned_nodes()
        fresh = [node for node in pins if not nodes[node]]
        nodes[fresh] = True
        edges = edges & nodes[graph.sources] & nodes[self.targets]
        if fresh:  # a pinned node that was pruned comes with its edges to what is shown
            ends = np.isin(self.targets, fresh) | np.isin(graph.sources, fresh)
            edges = edges | (ends & nodes[graph.sources] & nodes[self.targets])
        return Shown(nodes, edges)

    def drawn(self) -> Drawn | None:
        """Return what the canvas draws."""
        graph = self.graph
        if graph is None:
            return None
        texts, named = self.names.texts()
        edges, shown = Edges(graph.sources, self.targets, graph.weights, self.importance), None
        folded, texts = np.zeros(graph.nodes, np.int64), list(texts)
        for node, members in self.folding.members.items():
            folded[node], named[node] = len(members), True
            texts[node] = f"{self.text(node)} ({len(members)})"
        if self.folding.members:
            sources, targets, (weights, importance) = folded_edges(
                self.folding, edges.sources, edges.targets, self.shown.edges,
                (edges.weights, edges.importance),
            )  # fmt: skip
            edges = Edges(sources, targets, weights, importance)
            shown = np.ones(len(sources), bool)
        return Drawn(
            kind=np.asarray(graph.kind), layer=np.asarray(graph.layer),
            position=np.asarray(graph.position), influence=np.asarray(graph.influence, np.float64),
            probability=np.asarray(graph.probability), group=self.group_numbers(),
            shown=self.folding.drawn(self.shown.nodes), edges=edges,
            edges_shown=self.shown.edges if shown is None else shown,
            tokens=graph.info.token_text, layers=graph.info.layers, names=texts, named=named,
            pinned=frozenset(self.pinned_nodes()), marks=self.marks, folded=folded,
        )  # fmt: skip

    def text(self, node: int) -> str:
        """Return what is drawn as a node is called: a feature, or a collapsed group."""
        group = self.folded_group(node)
        return self.names.text(node) if group is None else group.name

    # ------------------------------------------------------------------ selection
    def select(self, node: int | None) -> None:
        """Select a node; one that is pruned is shown as if it were pinned."""
        graph = self.graph
        if graph is None or (node is not None and not 0 <= node < graph.nodes):
            return
        if node != self.node:
            self.node = node
            self.selected.emit(node)

    # ------------------------------------------------------------------ pins and groups
    def pinned_nodes(self) -> list[int]:
        """Return the nodes that are pinned, by themselves or in a pinned group."""
        keys = [*self.view.pins]
        for group in self.groups():
            keys += group.members if group.pinned else ()
        return sorted({self.by_key[key] for key in keys if key in self.by_key})

    def is_pinned(self, node: int) -> bool:
        return self.graph is not None and node_key(self.graph, node) in self.view.pins

    def pin(self, nodes: Iterable[int], on: bool) -> None:
        """Pin nodes, or let go of them; an undoable step."""
        if self.graph is None:
            return
        keys = [node_key(self.graph, node) for node in nodes]
        pins = [key for key in self.view.pins if key not in keys]
        self.change("Pin" if on else "Unpin", pins=tuple([*pins, *keys] if on else pins))

    def groups(self) -> tuple[ViewGroup, ...]:
        return () if self.graph is None else groups_of(self.graph, self.view)

    def members(self, group: ViewGroup) -> list[int]:
        """Return the nodes of a group."""
        return [self.by_key[key] for key in group.members if key in self.by_key]

    def folded_group(self, node: int) -> ViewGroup | None:
        """Return the collapsed group that is drawn as a node."""
        number = self.folding.groups.get(node)
        return None if number is None else self.groups()[number]

    def fold(self, numbers: Iterable[int], on: bool) -> None:
        """Draw groups as one node each, or their features again; an undoable step."""
        chosen = list(numbers)
        what = "a group" if len(chosen) == 1 else "groups"
        text = f"{'Collapse' if on else 'Expand'} {what}"
        self.set_groups(text, folded_groups(self.groups(), chosen, on))

    def fold_at(self, node: int) -> bool:
        """Collapse the group of a node, or expand it; tell whether it is in one."""
        number = self.folding.groups.get(node)
        if number is None:
            number = int(self.group_numbers()[node])
        if number >= 0:
            self.fold([number], not self.groups()[number].folded)
        return number >= 0

    def set_groups(self, text: str, groups: tuple[ViewGroup, ...]) -> None:
        """Change the groups; an undoable step."""
        self.change(text, groups=groups)

    def group_numbers(self) -> Array:
        """Return the group of each node (N,), −1 for none."""
        found = np.full(0 if self.graph is None else self.graph.nodes, -1)
        for number, group in enumerate(self.groups()):
            found[self.members(group)] = number
        return found

    def change(self, text: str, **changes: object) -> None:
        """Change the view as an undoable step, which leaves alone what it does not name."""
        if self._session.refusal is not None:
            self._session.show_error(self._session.refusal)
            return
        before = {name: getattr(self.view, name) for name in changes}
        if before != changes:
            self._session.undo_stack.push(_ChangeView(self, before, changes, text))

    def set_view(self, graph: str, changes: dict[str, object]) -> None:
        """Change the view of the open graph; nothing where another is open by now."""
        if graph == self.name and self.graph is not None:
            self.view = msgspec.structs.replace(self.view, **changes)
            self._saving.start()
            self._prune()
            self.dressChanged.emit()

    def set_marks(self, marks: Array | None) -> None:
        """Mark what another graph has not; None: nothing is compared."""
        if marks is not None or self.marks is not None:
            self.marks = marks
            self.dressChanged.emit()

    def save(self) -> None:
        """Keep what a person did beside the graph's file."""
        if not self._saving.isActive():
            return
        self._saving.stop()
        path = self._path()
        if path is None or self._session.read_only:
            return
        try:
            write_view(path, self.view)
        except UserError as error:
            self._session.show_error(error)

    def _path(self) -> Path | None:
        path = None if self.graph is None else self.graph.path
        return path if path is not None and path.is_file() else None


class _ChangeView(QUndoCommand):
    """A change of what a person did to a graph."""

    def __init__(
        self, owner: OpenGraph, before: dict[str, object], after: dict[str, object], text: str
    ) -> None:
        super().__init__(text)
        self._owner, self._before, self._after, self._graph = owner, before, after, owner.name

    def redo(self) -> None:
        self._owner.set_view(self._graph, self._after)

    def undo(self) -> None:
        self._owner.set_view(self._graph, self._before)


def edge_importance(graph: Graph, targets: Array) -> Array:
    """Return how much of the targets' influence runs through each edge, (E,)."""
    size = np.abs(graph.weights.astype(np.float64))
    sums = np.bincount(targets, size, minlength=graph.nodes)
    reach = np.asarray(graph.influence, np.float64) + target_weights(graph)
    return size / np.where(sums > 0, sums, 1.0)[targets] * reach[targets]


def is_feature(graph: Graph | None, node: int | None) -> bool:
    """Return whether a node is a feature."""
    return graph is not None and node is not None and int(graph.kind[node]) == FEATURE
