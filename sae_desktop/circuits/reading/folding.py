"""Groups drawn as one node: which node stands for which, their edges summed. Free of torch and Qt.

A collapsed group is drawn where its most influential feature is that is shown. N nodes, E edges.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sae_desktop.circuits.reading.graph_file import FEATURE, Array, Graph
from sae_desktop.circuits.reading.node_links import Links, Side


@dataclass(frozen=True, eq=False)
class Folding:
    """Which nodes of a graph stand for others."""

    lead: Array
    """(N,) the node that is drawn for each: itself, where it is in no collapsed group."""
    members: Mapping[int, Array]
    """The features of each collapsed group, by the node that is drawn for it."""
    groups: Mapping[int, int]
    """The number of each such group, by the same."""

    def drawn(self, shown: Array) -> Array:
        """Return which of the nodes that are `shown` (N,) are drawn by themselves."""
        return np.asarray(shown & (self.lead == np.arange(len(self.lead))))


def folding(graph: Graph, groups: Mapping[int, Sequence[int]], shown: Array) -> Folding:
    """Return how collapsed groups, nodes by the group's number, are drawn.

    Only features are put together; a group none of whose features is `shown` (N,) is not drawn,
    and a feature of two groups goes with the first.
    """
    lead = np.arange(graph.nodes)
    members: dict[int, Array] = {}
    numbers: dict[int, int] = {}
    for number, nodes in groups.items():
        own = np.array(sorted({n for n in nodes if graph.kind[n] == FEATURE}), np.int64)
        own = own[lead[own] == own]
        own = own[~np.isin(own, list(members))]
        seen = own[shown[own]]
        if not len(seen):
            continue
        first = int(seen[np.argmax(graph.influence[seen])])
        lead[own] = first
        members[first], numbers[first] = own, number
    return Folding(lead, members, numbers)


def folded_edges(
    folded: Folding, sources: Array, targets: Array, shown: Array, sums: Sequence[Array]
) -> tuple[Array, Array, list[Array]]:
    """Return the edges that are `shown` (E,), those between the same drawn nodes summed.

    Edges within a group are left out. `sums` are the (E,) arrays to be added up.
    """
    start, end = folded.lead[sources[shown]], folded.lead[targets[shown]]
    apart = start != end
    start, end = start[apart], end[apart]
    pairs, number = np.unique(start * len(folded.lead) + end, return_inverse=True)
    added = [
        np.bincount(number, values[shown][apart], minlength=len(pairs)).astype(values.dtype)
        for values in sums
    ]
    count = max(len(folded.lead), 1)
    return pairs // count, pairs % count, added


def folded_links(
    graph: Graph, targets: Array, sizes: Array, folded: Folding, node: int, side: Side
) -> Links:
    """Return the inputs or outputs of what is drawn as one node, the largest first.

    Both ends count as they are drawn: edges to and from collapsed groups are summed. `targets`
    (E,) and `sizes` (N,) as in `links_of`; a share is of all that comes into the receiving end.
    """
    mine = folded.members.get(node, np.array([node]))
    sources = np.asarray(graph.sources)
    here, there = (targets, sources) if side == "inputs" else (sources, targets)
    touching = np.flatnonzero(np.isin(here, mine))
    touching = touching[~np.isin(there[touching], mine)]
    found, number = np.unique(folded.lead[there[touching]], return_inverse=True)
    weights = np.bincount(number, graph.weights[touching], minlength=len(found))
    whole = np.bincount(folded.lead, sizes, minlength=graph.nodes)
    receiving = np.full(len(found), sizes[mine].sum()) if side == "inputs" else whole[found]
    shares = np.abs(weights) / np.where(receiving > 0, receiving, 1.0)
    first = np.full(len(found), -1)
    first[number[::-1]] = touching[::-1]
    order = np.argsort(-np.abs(weights), kind="stable")
    return Links(side, found[order], weights[order], shares[order], first[order])
