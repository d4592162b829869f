"""Groups of features of a graph that do the same: fed by the same nodes, feeding the same.

A feature's profile is what each node adds to it, and what it adds to each node; two features are
alike by the mean cosine of these two halves. Features are joined by average linkage, cut where the
silhouette is best; a group's stability is how alike it is (Jaccard) to the nearest group found
again from half of the links, on average (Hennig 2007, “Cluster-wise assessment of cluster
stability”). Free of torch and Qt. n features, N nodes of the graph.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.sparse import csr_array
from scipy.spatial.distance import squareform

from sae_desktop.circuits.reading.graph_file import FEATURE, Array, Graph
from sae_desktop.circuits.reading.pruning import influence, pruned, target_weights

_CUTS = np.linspace(0.15, 0.85, 15)
"""Distances at which the tree is tried; 1: nothing in common."""
_FEWEST = 3
"""Features of which groups can be told."""


@dataclass(frozen=True)
class Group:
    nodes: Array
    """(n,) int64, the most influential first."""
    stability: float
    influence: float
    """Of its nodes together."""


@dataclass(frozen=True)
class Grouping:
    groups: list[Group]
    """The most influential first."""
    considered: Array
    """(n,) int64: the nodes that were to be grouped."""
    shuffled_stability: float
    """Of groups made in the same way from links that were exchanged at random; NaN: of none."""


def group_nodes(
    graph: Graph,
    *,
    nodes: float = 0.8,
    most_nodes: int = 800,
    stability: float = 0.75,
    repeats: int = 40,
    seed: int = 0,
    step: Callable[[int], None] = lambda done: None,
) -> Grouping:
    """Return the groups among the features that carry `nodes` of the influence.

    Groups less stable than `stability` are dissolved. `step` is told of each of 2 · `repeats`
    repeats. The same seed gives the same groups.
    """
    effect = influence(graph)
    chosen = np.flatnonzero(pruned(graph, nodes, 1.0).nodes & (graph.kind == FEATURE))
    chosen = np.sort(chosen[np.argsort(-effect[chosen], kind="stable")][:most_nodes])
    rng = np.random.default_rng(seed)
    if len(chosen) < _FEWEST:
        step(2 * repeats)
        return Grouping([], chosen, float("nan"))
    halves = _profiles(graph, chosen, effect)
    found, stabilities = _stable_groups(halves, repeats, rng, step)
    mixed = tuple(_exchanged(half, rng) for half in halves)
    _, by_chance = _stable_groups(mixed, repeats, rng, lambda done: step(repeats + done))
    groups = []
    for members, stable in zip(found, stabilities, strict=True):
        if stable >= stability:
            own = chosen[members]
            own = own[np.argsort(-effect[own], kind="stable")]
            groups.append(Group(own, stable, float(effect[own].sum())))
    groups.sort(key=lambda group: (-group.influence, int(group.nodes[0])))
    return Grouping(groups, chosen, float(np.mean(by_chance)) if by_chance else float("nan"))


def _profiles(graph: Graph, chosen: Array, effect: Array) -> tuple[csr_array, ...]:
    """Return who feeds each feature and whom it feeds, (n, N) each.

    An edge counts by its share of all edges into its target, with its sign; of those that leave,
    by how much the target matters, too.
    """
    targets, sources = graph.targets(), graph.sources
    sums = np.bincount(targets, np.abs(graph.weights), minlength=graph.nodes)
    shares = graph.weights / np.where(sums > 0, sums, 1.0)[targets]
    row_of = np.full(graph.nodes, -1)
    row_of[chosen] = np.arange(len(chosen))
    reach = effect + target_weights(graph)
    size = (len(chosen), graph.nodes)
    halves = []
    for ends, others, values in (
        (targets, sources, shares),
        (sources, targets, shares * reach[targets]),
    ):
        mine = row_of[ends] >= 0
        halves.append(csr_array((values[mine], (row_of[ends[mine]], others[mine])), shape=size))
    return tuple(halves)


def _distances(halves: tuple[csr_array, ...], kept: Array | None) -> Array:
    """Return (n, n), 0 to 1: how unlike features are; `kept` (N,) bool: only these links count."""
    likeness = np.zeros((halves[0].shape[0],) * 2)
    for half in halves:
        part = half if kept is None else half.multiply(kept[None, :].astype(float)).tocsr()
        norms = np.sqrt(part.multiply(part).sum(axis=1))
        unit = part.multiply((1 / np.where(norms > 0, norms, 1.0))[:, None]).tocsr()
        likeness += (unit @ unit.T).toarray() / len(halves)
    distances = np.clip(1 - likeness, 0, 1)
    np.fill_diagonal(distances, 0)
    return np.asarray((distances + distances.T) / 2)


def _stable_groups(
    halves: tuple[csr_array, ...],
    repeats: int,
    rng: np.random.Generator,
    step: Callable[[int], None],
) -> tuple[list[Array], list[float]]:
    """Return the groups of two or more, as rows, and the stability of each."""
    distances = _distances(halves, None)
    tree = linkage(squareform(distances, checks=False), "average")
    cut = _best_cut(tree, distances)
    groups = _groups_of(fcluster(tree, cut, "distance"))
    likeness = np.zeros(len(groups))
    for repeat in range(repeats):
        again = _distances(halves, rng.random(halves[0].shape[1]) < 0.5)
        other = fcluster(linkage(squareform(again, checks=False), "average"), cut, "distance")
        for number, group in enumerate(groups):
            likeness[number] += _nearest(group, other) / repeats
        step(repeat + 1)
    return groups, likeness.tolist()


def _best_cut(tree: Array, distances: Array) -> float:
    """Return the distance at which a cut gives the best mean silhouette."""
    values = [_silhouette(fcluster(tree, cut, "distance"), distances) for cut in _CUTS]
    return float(_CUTS[int(np.argmax(values))])


def _silhouette(labels: Array, distances: Array) -> float:
    """Return the mean over all features; one that is alone counts 0."""
    counts = np.bincount(labels)
    sums = np.zeros((len(labels), len(counts)))
    np.add.at(sums.T, labels, distances)
    own_count = counts[labels]
    rows = np.arange(len(labels))
    own = sums[rows, labels] / np.maximum(own_count - 1, 1)
    means = sums / np.maximum(counts, 1)
    means[:, counts == 0] = np.inf
    means[rows, labels] = np.inf
    other = means.min(axis=1)
    with np.errstate(invalid="ignore"):
        found = (other - own) / np.maximum(other, own)
    return float(np.where((own_count > 1) & np.isfinite(found), found, 0.0).mean())


def _groups_of(labels: Array) -> list[Array]:
    found = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    return [group for group in found if len(group) > 1]


def _nearest(group: Array, labels: Array) -> float:
    """Return the largest Jaccard index of a group with a group of other labels."""
    inside = np.bincount(labels[group], minlength=labels.max() + 1)
    sizes = np.bincount(labels, minlength=labels.max() + 1)
    return float((inside / (len(group) + sizes - inside)).max())


def _exchanged(half: csr_array, rng: np.random.Generator) -> csr_array:
    """Return profiles with the other ends of all links exchanged at random."""
    mixed = half.copy()
    mixed.indices = rng.permutation(mixed.indices)
    mixed.sum_duplicates()
    return mixed
