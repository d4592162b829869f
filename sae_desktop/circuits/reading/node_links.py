"""The inputs and outputs of one node, sorted and filtered. Free of torch and Qt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from sae_desktop.circuits.reading.graph_file import Array, Graph
from sae_desktop.errors import UserError

Side = Literal["inputs", "outputs"]
SortBy = Literal["name", "place", "weight", "share"]


@dataclass(frozen=True, eq=False)
class Links:
    """Edges of a node: the node at the other end, weight and share of each, all (n,).

    `share` is that of the receiving node's inputs: of this node's for inputs, of the other's for
    outputs. What was not kept in the file and the constant count, so that shares add up to 1.
    """

    side: Side
    others: Array
    weights: Array
    shares: Array
    edges: Array

    def __len__(self) -> int:
        return len(self.others)

    def taken(self, chosen: Array) -> Links:
        """Return some of the links, in another order."""
        return Links(
            self.side, self.others[chosen], self.weights[chosen], self.shares[chosen],
            self.edges[chosen],
        )  # fmt: skip


def input_sizes(graph: Graph, targets: Array) -> Array:
    """Return the sum of the sizes of what comes into each node (N,): edges, rest, constant."""
    edges = np.bincount(targets, np.abs(graph.weights), minlength=graph.nodes)
    return np.asarray(edges + np.abs(graph.rest) + np.abs(graph.constant))


def links_of(graph: Graph, targets: Array, sizes: Array, node: int, side: Side) -> Links:
    """Return a node's inputs or outputs, the largest first.

    `targets` (E,) as `Graph.targets()` gives them, `sizes` (N,) as `input_sizes` does.
    """
    if side == "inputs":
        edges = np.arange(int(graph.offsets[node]), int(graph.offsets[node + 1]))
        others = np.asarray(graph.sources)[edges]
        receiving = np.full(len(edges), node)
    else:
        edges = np.flatnonzero(np.asarray(graph.sources) == node)
        others = receiving = targets[edges]
    weights = np.asarray(graph.weights)[edges]
    whole = sizes[receiving]
    shares = np.abs(weights) / np.where(whole > 0, whole, 1.0)
    order = np.argsort(-np.abs(weights), kind="stable")
    return Links(side, others[order], weights[order], shares[order], edges[order])


def sorted_links(
    graph: Graph, links: Links, by: SortBy, *, descending: bool, name: Callable[[int], str]
) -> Links:
    """Return links in another order; ties stay as they were."""
    if by == "weight":
        keys = links.weights
    elif by == "share":
        keys = links.shares
    elif by == "place":
        keys = graph.layer[links.others].astype(np.int64) * 1_000_000 + graph.position[links.others]
    else:
        texts = [name(int(node)).casefold() for node in links.others]
        _, keys = np.unique(np.array(texts, dtype=object).astype(str), return_inverse=True)
    order = np.argsort(-keys if descending else keys, kind="stable")
    return links.taken(order)


def matching(
    graph: Graph, links: Links, text: str, kinds: frozenset[int], name: Callable[[int], str]
) -> Links:
    """Return the links whose other end is of one of the kinds and has all words in its name,
    its token or its number."""
    chosen = np.isin(graph.kind[links.others], list(kinds))
    words = text.casefold().split()
    if words:
        told = [
            f"{name(int(n))} {graph.info.token_text[int(graph.position[n])]} "
            f"#{int(graph.feature[n])} L{int(graph.layer[n])}".casefold()
            for n in links.others
        ]
        chosen &= np.array([all(word in line for word in words) for line in told], dtype=bool)
    return links.taken(np.flatnonzero(chosen))


def nodes_of_group(graph: Graph, name: str) -> list[int]:
    """Return the nodes of a group that the graph's file has. Raises UserError for another name."""
    if name not in graph.info.groups or graph.groups_of is None:
        named = ", ".join(f"“{group}”" for group in graph.info.groups[:8])
        raise UserError(
            f"The graph has no group “{name}”.",
            next_step=f"Choose one of its groups: {named}."
            if named
            else "Make groups first, with “Find groups” or sae-desktop trace groups.",
        )
    found: list[int] = np.flatnonzero(graph.groups_of == graph.info.groups.index(name)).tolist()
    return found
