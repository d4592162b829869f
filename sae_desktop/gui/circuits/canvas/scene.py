"""What the canvas draws of a graph, ready for painting. Free of Qt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from sae_desktop.circuits.reading.curves import MOST_DRAWN, Curves, make_curves, strongest
from sae_desktop.circuits.reading.placing import Box, Placing, place

Array = npt.NDArray[Any]

EMBEDDING, FEATURE, ERROR, LOGIT = 0, 1, 2, 3
_MOST_LIT = 60
"""Inputs, and outputs, of one node that are drawn when it is pointed at."""


@dataclass(frozen=True, eq=False)
class Edges:
    """Edges (E,) from `sources` to `targets`; `importance` says which are drawn first."""

    sources: Array
    targets: Array
    weights: Array
    importance: Array


@dataclass(frozen=True, eq=False)
class Lit:
    """A node with the curves to and from it, and the nodes at their other ends."""

    node: int
    curves: Curves
    nodes: Array


@dataclass(frozen=True, eq=False)
class Scene:
    """Nodes (N,) in their places, curves, names; what is not `shown` is not drawn.

    `strength` (N,) in 0 … 1 says how much of a node is coloured; `group` (N,) is −1 for none.
    """

    placing: Placing
    kind: Array
    layer: Array
    position: Array
    shown: Array
    strength: Array
    probability: Array
    group: Array
    edges: Edges
    edges_shown: Array
    curves: Curves
    tokens: Sequence[str]
    layers: int
    names: Sequence[str]
    named: Array
    """(N,) whether a name is one, and not a number."""
    pinned: frozenset[int] = field(default_factory=frozenset)
    marks: Array | None = None
    """(N,) in a comparison: 0 in both graphs, 1 in this one alone."""
    folded: Array | None = None
    """(N,) how many features a node stands for; 0: it is one of its own."""

    @property
    def nodes(self) -> Array:
        return np.flatnonzero(self.shown)

    def within(self, left: float, top: float, right: float, bottom: float) -> Array:
        """Return the shown nodes whose boxes touch a rectangle."""
        x, y, widths = self.placing.x, self.placing.y, self.placing.widths
        height = self.placing.box.height
        with np.errstate(invalid="ignore"):
            touch = (np.abs(x - (left + right) / 2) <= (right - left + widths) / 2) & (
                np.abs(y - (top + bottom) / 2) <= (bottom - top + height) / 2
            )
        return np.flatnonzero(touch & self.shown)

    def lit(self, node: int) -> Lit:
        """Return what lights up with a node: its strongest inputs and outputs."""
        parts, size = [], np.abs(self.edges.weights)
        for ends in (self.edges.targets, self.edges.sources):
            parts.append(strongest(size, (ends == node) & self.edges_shown, _MOST_LIT))
        chosen = np.concatenate(parts)
        scaled = np.zeros(len(size))
        for part in parts:  # inputs and outputs have scales of their own
            most = size[part].max(initial=0.0)
            scaled[part] = (size[part] / most) ** 2 if most > 0 else 0.0  # widths by their share
        curves = make_curves(
            self.placing, self.edges.sources, self.edges.targets, self.edges.weights, chosen, scaled
        )
        ends = np.r_[self.edges.sources[curves.edge], self.edges.targets[curves.edge], node]
        return Lit(node, curves, np.unique(ends).astype(np.int64))

    def beside(self, node: int, across: int, down: int) -> int | None:
        """Return the nearest shown node on a side of one, in the drawing."""
        shown = self.nodes
        dx = self.placing.x[shown] - self.placing.x[node]
        dy = self.placing.y[shown] - self.placing.y[node]
        along = dx * across + dy * down
        aside = np.abs(dx * down) + np.abs(dy * across)
        ahead = np.flatnonzero((along > 1.0) & (aside <= 4 * along))
        if not len(ahead):
            return None
        return int(shown[ahead[np.argmin(along[ahead] + 2 * aside[ahead])]])

    def follow(self, node: int, *, outputs: bool) -> int | None:
        """Return the node at the other end of the strongest input or output."""
        ends = self.edges.sources if outputs else self.edges.targets
        touching = np.flatnonzero((ends == node) & self.edges_shown)
        if not len(touching):
            return None
        best = touching[np.argmax(np.abs(self.edges.weights[touching]))]
        return int((self.edges.targets if outputs else self.edges.sources)[best])


@dataclass(frozen=True, eq=False)
class Drawn:
    """What a scene is made of; arrays are (N,), `edges_shown` and those of `edges` (E,)."""

    kind: Array
    layer: Array
    position: Array
    influence: Array
    probability: Array
    group: Array
    shown: Array
    edges: Edges
    edges_shown: Array
    tokens: Sequence[str]
    layers: int
    names: Sequence[str]
    named: Array
    pinned: frozenset[int] = frozenset()
    marks: Array | None = None
    folded: Array | None = None


def make_scene(drawn: Drawn, *, box: Box, aspect: float, placing: Placing | None = None) -> Scene:
    """Place what is shown of a graph, with the strongest of its edges.

    `placing`: where nodes stand already, those that are shown among them.
    """
    shown = drawn.shown
    if placing is None:
        likely = np.where(drawn.kind == LOGIT, drawn.probability, drawn.influence)
        placing = place(
            drawn.layer, drawn.position, likely, shown,
            tokens=len(drawn.tokens), layers=drawn.layers, box=box, aspect=aspect,
        )  # fmt: skip
    edges = drawn.edges
    ends_shown = shown[edges.sources] & shown[edges.targets] & drawn.edges_shown
    chosen = strongest(edges.importance, ends_shown, MOST_DRAWN)
    curves = make_curves(
        placing, edges.sources, edges.targets, edges.weights, chosen, edges.importance
    )
    return Scene(
        placing=placing, kind=drawn.kind, layer=drawn.layer, position=drawn.position,
        shown=shown, strength=_strength(drawn.influence, drawn.kind),
        probability=drawn.probability, group=drawn.group, edges=edges,
        edges_shown=ends_shown, curves=curves, tokens=drawn.tokens, layers=drawn.layers,
        names=drawn.names, named=drawn.named, pinned=drawn.pinned, marks=drawn.marks,
        folded=drawn.folded,
    )  # fmt: skip


def _strength(influence: Array, kind: Array) -> Array:
    """Return the share (0 … 1) of the largest influence among nodes between prompt and tokens."""
    between = (kind == FEATURE) | (kind == ERROR)
    most = float(influence[between].max(initial=0.0)) or 1.0
    return np.sqrt(np.clip(influence / most, 0.0, 1.0))
