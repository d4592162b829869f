"""What two graphs have in common. Free of torch and Qt.

Tokens are matched first, in order, as two texts are: so that prompts of different length can be
compared. Nodes are the same where kind, layer, feature and matched token are.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import SequenceMatcher

import numpy as np

from sae_desktop.circuits.reading.graph_file import ERROR, FEATURE, LOGIT, Array, Graph
from sae_desktop.errors import UserError

BOTH, ONE, OTHER = range(3)


@dataclass(frozen=True, eq=False)
class Difference:
    """Pairs of nodes of two graphs; −1 where a node is in one of them alone.

    `one` and `other` (n,) are the nodes, `influence` (n, 2) their influence, 0 where absent, in
    the order of how much it differs, the largest first.
    """

    one: Array
    other: Array
    influence: Array
    shared: float
    """Of both graphs' influence, the part that lies on nodes that both have: 0 to 1."""


def matched_tokens(one: tuple[str, ...], other: tuple[str, ...]) -> dict[int, int]:
    """Return the position in the second text of each token of the first that has one.

    Where as many tokens are replaced by others, they are matched in their order: that is how two
    prompts differ that ask the same of different things.
    """
    found = {}
    matcher = SequenceMatcher(a=one, b=other, autojunk=False)
    for tag, start, end, there, there_end in matcher.get_opcodes():
        if tag == "equal" or (tag == "replace" and end - start == there_end - there):
            found.update({start + n: there + n for n in range(end - start)})
    return found


def difference(one: Graph, other: Graph, shown_one: Array, shown_other: Array) -> Difference:
    """Compare the nodes (N,) of two graphs that are shown.

    Raises UserError for graphs of different models: their features have nothing in common.
    """
    if (one.info.model, one.info.set) != (other.info.model, other.info.set):
        raise UserError(
            f"“{one.info.name}” and “{other.info.name}” are of different models or sets, whose "
            "features have nothing in common.",
            next_step="Compare graphs of one model and one set.",
        )
    places = matched_tokens(one.info.token_text, other.info.token_text)
    there = {_key(other, node, int(other.position[node])): node
             for node in np.flatnonzero(shown_other).tolist()}  # fmt: skip
    pairs: list[tuple[int, int]] = []
    for node in np.flatnonzero(shown_one).tolist():
        place = places.get(int(one.position[node]), -1)
        pairs.append((node, there.pop(_key(one, node, place), -1)))
    pairs += [(-1, node) for node in there.values()]
    first = np.array([pair[0] for pair in pairs], np.int64)
    second = np.array([pair[1] for pair in pairs], np.int64)
    influence = np.stack(
        [_influence(one, first), _influence(other, second)], axis=1
    ) if pairs else np.zeros((0, 2))  # fmt: skip
    order = np.argsort(-np.abs(influence[:, 0] - influence[:, 1]), kind="stable")
    smaller, larger = influence.min(axis=1).sum(), influence.max(axis=1).sum()
    return Difference(
        first[order], second[order], influence[order],
        float(smaller / larger) if larger > 0 else 1.0,
    )  # fmt: skip


def marks(found: Difference, nodes: int, *, of_one: bool) -> Array:
    """Return for each node (N,) of a graph whether it is in BOTH or in ONE of them alone."""
    mine, theirs = (found.one, found.other) if of_one else (found.other, found.one)
    result = np.full(nodes, BOTH)
    here = mine >= 0
    result[mine[here]] = np.where(theirs[here] >= 0, BOTH, ONE)
    return result


def _key(graph: Graph, node: int, place: int) -> tuple[int, int, int, int]:
    kind = int(graph.kind[node])
    # An embedding is its place: that the token is another is what is asked about.
    feature = int(graph.feature[node]) if kind in (FEATURE, LOGIT) else 0
    return kind, int(graph.layer[node]), place, 0 if kind == ERROR else feature


def _influence(graph: Graph, nodes: Array) -> Array:
    return np.where(nodes >= 0, graph.influence[np.maximum(nodes, 0)].astype(np.float64), 0.0)
