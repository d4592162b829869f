"""What a person did to a graph: how far it is pruned, pins, groups, remarks. Free of torch and Qt.

`graphs/<name>.view.json`, beside the graph, which stays as it was traced. Nodes go by keys that
do not depend on their order in the file, so that a graph traced again keeps its pins.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from sae_desktop.circuits.reading.graph_file import KINDS, Graph
from sae_desktop.circuits.reading.graph_terms import EDGE_THRESHOLD, NODE_THRESHOLD, view_path
from sae_desktop.errors import UserError
from sae_desktop.storage.atomic import write_bytes

SCHEMA_VERSION = 1


class ViewGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Nodes that are looked at as one."""

    name: str
    members: tuple[str, ...]
    """Keys of nodes."""
    stability: float | None = None
    """How often the machine made the same group of a part of the prompt's edges; None: a person
    made or changed it."""
    pinned: bool = False
    folded: bool = False
    """Drawn as one node."""


class GraphView(msgspec.Struct, frozen=True, kw_only=True):
    """What `<name>.view.json` says."""

    schema_version: int = SCHEMA_VERSION
    nodes: float = NODE_THRESHOLD
    """The share of the nodes' influence that is shown."""
    edges: float = EDGE_THRESHOLD
    errors: bool = True
    """Whether errors are shown."""
    pins: tuple[str, ...] = ()
    """Keys of nodes that are shown however the graph is pruned."""
    groups: tuple[ViewGroup, ...] | None = None
    """None: those that the graph came with."""
    remark: str = ""


def node_key(graph: Graph, node: int) -> str:
    """Return a node's key: “feature.3.12.507” is feature 507 of layer 3 at position 12."""
    kind = KINDS[int(graph.kind[node])]
    return f"{kind}.{int(graph.layer[node])}.{int(graph.position[node])}.{int(graph.feature[node])}"


def nodes_by_key(graph: Graph) -> dict[str, int]:
    """Return every node of a graph by its key."""
    columns = (graph.kind, graph.layer, graph.position, graph.feature)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return {f"{KINDS[k]}.{la}.{p}.{f}": node for node, (k, la, p, f) in enumerate(rows)}


def read_view(graph: Path) -> GraphView:
    """Return the view of a graph's file; a fresh one where none was kept or it cannot be read."""
    try:
        view = msgspec.json.decode(view_path(graph).read_bytes(), type=GraphView)
    except (OSError, ValueError, RecursionError):
        return GraphView()
    shares = (min(max(share, 0.0), 1.0) for share in (view.nodes, view.edges))
    nodes, edges = shares
    return msgspec.structs.replace(view, nodes=nodes, edges=edges)


def write_view(graph: Path, view: GraphView) -> None:
    """Keep the view of a graph's file. Raises UserError when it cannot be written."""
    write_bytes(view_path(graph), msgspec.json.format(msgspec.json.encode(view)))


# ---------------------------------------------------------------------- groups
def groups_of(graph: Graph, view: GraphView) -> tuple[ViewGroup, ...]:
    """Return the groups of a graph as a person left them, or as the machine made them."""
    if view.groups is not None:
        return view.groups
    if graph.groups_of is None:
        return ()
    stabilities: Sequence[float | None] = graph.info.group_stabilities
    if len(stabilities) != len(graph.info.groups):
        stabilities = [None] * len(graph.info.groups)
    members: list[list[str]] = [[] for _ in graph.info.groups]
    for node, group in enumerate(graph.groups_of.tolist()):
        if group >= 0:
            members[group].append(node_key(graph, node))
    return tuple(
        ViewGroup(name=name, members=tuple(keys), stability=stability)
        for name, keys, stability in zip(graph.info.groups, members, stabilities, strict=True)
        if keys
    )


def grouped(groups: Iterable[ViewGroup], name: str, keys: Iterable[str]) -> tuple[ViewGroup, ...]:
    """Return groups with nodes made into one of their own; those they leave keep the rest.

    Raises UserError without a name or for one that is taken by a group that stays.
    """
    name, moved = name.strip(), tuple(dict.fromkeys(keys))
    if not name or not moved:
        raise UserError("A group needs a name and at least one node.")
    rest = _without(groups, set(moved))
    _check_free(rest, name)
    return (*rest, ViewGroup(name=name, members=moved))


def merged(groups: Sequence[ViewGroup], numbers: Iterable[int], name: str) -> tuple[ViewGroup, ...]:
    """Return groups with some of them made into one, in the place of the first of them.

    Raises UserError for a name that is taken by another group.
    """
    chosen = sorted(set(numbers))
    if len(chosen) < 2:
        raise UserError("Merging takes two groups or more.", next_step="Select them in the list.")
    members = tuple(dict.fromkeys(key for n in chosen for key in groups[n].members))
    rest = [group for n, group in enumerate(groups) if n not in chosen]
    _check_free(rest, name.strip())
    pinned = any(groups[n].pinned for n in chosen)
    folded = all(groups[n].folded for n in chosen)
    one = ViewGroup(name=name.strip(), members=members, pinned=pinned, folded=folded)
    return (*rest[: chosen[0]], one, *rest[chosen[0] :])


def renamed(groups: Sequence[ViewGroup], number: int, name: str) -> tuple[ViewGroup, ...]:
    """Return groups with another name for one. Raises UserError for one that is taken."""
    name = name.strip()
    if not name:
        raise UserError("A group needs a name.")
    _check_free([group for n, group in enumerate(groups) if n != number], name)
    changed = msgspec.structs.replace(groups[number], name=name)
    return (*groups[:number], changed, *groups[number + 1 :])


def dissolved(groups: Sequence[ViewGroup], numbers: Iterable[int]) -> tuple[ViewGroup, ...]:
    """Return groups without some of them; their nodes stand alone again."""
    gone = set(numbers)
    return tuple(group for n, group in enumerate(groups) if n not in gone)


def pinned_group(groups: Sequence[ViewGroup], number: int, on: bool) -> tuple[ViewGroup, ...]:
    """Return groups with one pinned, or no longer."""
    changed = msgspec.structs.replace(groups[number], pinned=on)
    return (*groups[:number], changed, *groups[number + 1 :])


def folded_groups(
    groups: Sequence[ViewGroup], numbers: Iterable[int], on: bool
) -> tuple[ViewGroup, ...]:
    """Return groups with some drawn as one node each, or no longer."""
    chosen = set(numbers)
    return tuple(
        msgspec.structs.replace(group, folded=on) if number in chosen else group
        for number, group in enumerate(groups)
    )


def without_nodes(groups: Iterable[ViewGroup], keys: Iterable[str]) -> tuple[ViewGroup, ...]:
    """Return groups without some nodes; a group that is left empty goes."""
    return tuple(_without(groups, set(keys)))


def _without(groups: Iterable[ViewGroup], keys: set[str]) -> list[ViewGroup]:
    found = []
    for group in groups:
        left = tuple(key for key in group.members if key not in keys)
        if left == group.members:
            found.append(group)
        elif left:  # the machine's figure is of the group as it made it
            found.append(msgspec.structs.replace(group, members=left, stability=None))
    return found


def _check_free(groups: Iterable[ViewGroup], name: str) -> None:
    if not name:
        raise UserError("A group needs a name.")
    if any(group.name.casefold() == name.casefold() for group in groups):
        raise UserError(
            f"There is a group “{name}” already.", kept="The groups are unchanged.",
            next_step="Choose another name.",
        )  # fmt: skip
