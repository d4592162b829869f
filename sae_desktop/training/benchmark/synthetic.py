"""Activations made from features that are known, after SynthSAEBench's generative model.

    z = ε·C + η·√(1 − ‖C_i‖²),  feature i fires where z_i > Φ⁻¹(1 − p_i)
    x = Σ magnitude_i·W_i + b

Features of a tree fire only with their parent, of a parent's children at most one, and their
magnitude follows the parent's. Probabilities are raised beforehand by what that costs them.
Of a tree only the children of active parents are drawn: the others have no part in a row.

Shape legend: N rows, D width, n active pairs of row and feature.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from sae_desktop.dictionary.kernels import Active
from sae_desktop.training.benchmark.sizes import WorldSizes

_LEAST_IDIOSYNCRATIC = 0.01
"""Share of a feature's z that no hidden cause explains, at least."""
_SPREAD_SEED, _CAUSE_SEED = 1, 4
_TINY = 1e-8


@dataclass(frozen=True)
class Samples:
    """Rows, and the truth about them."""

    x_ND: Tensor
    row: Tensor
    """(n,) int64, ascending: rows of the active pairs."""
    feature: Tensor
    """(n,) int64: their features, ascending within a row."""
    magnitude: Tensor
    """(n,) positive."""

    def active(self, features: int) -> Tensor:
        """Return (N, features) bool: which of all features are active on each row."""
        mask = torch.zeros(len(self.x_ND), features, dtype=torch.bool)
        mask[self.row, self.feature] = True
        return mask


class World:
    """Features with directions, probabilities, magnitudes, causes and parents."""

    def __init__(self, sizes: WorldSizes) -> None:
        """Make it from the sizes' seed: takes a minute and a half at the full size."""
        self.sizes = sizes
        self.directions_FD, self.bias_D = _directions(sizes)
        self.parent_F = _parents(sizes)
        self.probability_F = _zipf(sizes)
        """How often each feature is meant to be active."""
        self.mean_F = torch.linspace(sizes.first_magnitude, sizes.last_magnitude, sizes.features)
        noise = torch.randn(sizes.features, generator=_seeded(sizes.seed + _SPREAD_SEED))
        self.spread_F = (sizes.magnitude_spread + sizes.magnitude_spread_spread * noise).abs()
        self.causes_FR, self.own_F = _causes(sizes)
        drawn = (self.probability_F * self._compensation()).clamp_max(1.0)
        self.threshold_F = math.sqrt(2) * torch.erfinv(1 - 2 * drawn)
        self._children = _children(self.parent_F, sizes.children)
        self._always = (self.parent_F < 0).nonzero().squeeze(1)
        """Features that no parent gates."""

    @torch.no_grad()
    def samples(self, generator: torch.Generator, rows: int) -> Samples:
        """Draw rows. The same generator state gives the same rows."""
        causes = torch.randn(rows, self.causes_FR.shape[1], generator=generator)
        ids = self._always
        z = causes @ self.causes_FR[ids].T
        own = torch.randn(rows, len(ids), generator=generator)
        row, place = (z.addcmul_(own, self.own_F[ids]) > self.threshold_F[ids]).nonzero().unbind(1)
        found = [self._with_magnitude(generator, row, ids[place])]
        for _ in range(self.sizes.depth):
            found.append(self._next_generation(generator, causes, *found[-1]))
        row, feature, magnitude = (torch.cat(part) for part in zip(*found, strict=True))
        order = torch.argsort(row * self.sizes.features + feature)
        row, feature, magnitude = row[order], feature[order], magnitude[order]
        active = Active(rows, self.sizes.features, row, feature)
        x_ND = active.decode(magnitude, self.directions_FD) + self.bias_D
        return Samples(x_ND, row, feature, magnitude)

    def _next_generation(
        self,
        generator: torch.Generator,
        causes: Tensor,
        row: Tensor,
        parent: Tensor,
        magnitude: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return rows, features and magnitudes of the children of active pairs."""
        has = self._children[parent, 0] >= 0
        row, parent, magnitude = row[has], parent[has], magnitude[has]
        child = self._children[parent]
        real = child >= 0
        safe = child.clamp_min(0)
        z = torch.einsum("nr,ncr->nc", causes[row], self.causes_FR[safe])
        z += torch.randn(safe.shape, generator=generator) * self.own_F[safe]
        drawn = torch.randn(safe.shape, generator=generator) * self.spread_F[safe]
        drawn = (drawn + self.mean_F[safe]).relu_()
        fires = real & (z > self.threshold_F[safe]) & (drawn > 0)
        if self.sizes.exclusive:
            score = torch.rand(fires.shape, generator=generator).masked_fill_(~fires, -1.0)
            winner = torch.zeros_like(fires).scatter_(1, score.argmax(1, keepdim=True), True)
            fires &= winner
        pair, place = fires.nonzero().unbind(1)
        own = drawn[pair, place]
        if self.sizes.scale_children:
            own = own * (magnitude / self.mean_F[parent])[pair]
        return row[pair], child[pair, place], own

    def _with_magnitude(
        self, generator: torch.Generator, row: Tensor, feature: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        noise = torch.randn(len(feature), generator=generator)
        magnitude = (self.mean_F[feature] + noise * self.spread_F[feature]).relu_()
        on = magnitude > 0
        return row[on], feature[on], magnitude[on]

    def _compensation(self) -> Tensor:
        """Return (F,): by how much more often than it is to be active a feature is drawn."""
        p, parent = self.probability_F, self.parent_F
        gated = parent >= 0
        above = torch.where(gated, p[parent.clamp_min(0)], 1.0)
        factor = 1 / above
        if self.sizes.exclusive:
            siblings = torch.zeros_like(p).index_add_(0, parent[gated], p[gated])
            others = (siblings[parent.clamp_min(0)] - p).clamp_min(0)
            factor *= torch.where(gated, 1 + others / above, 1.0)
        return factor


def _seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _zipf(sizes: WorldSizes) -> Tensor:
    """Return (F,) probabilities that fall with rank from the greatest to the least."""
    rank = torch.arange(1, sizes.features + 1, dtype=torch.float32)
    law = 1.0 / rank**sizes.zipf_exponent
    share = (law - law[-1]) / (law[0] - law[-1])
    return sizes.least_frequent + (sizes.most_frequent - sizes.least_frequent) * share


def _parents(sizes: WorldSizes) -> Tensor:
    """Return (F,) int64: each feature's parent, −1 for none; trees are numbered by generation."""
    parent = torch.full((sizes.features,), -1, dtype=torch.int64)
    begin, end = 0, min(sizes.roots, sizes.features)
    for _ in range(sizes.depth):
        following = min(end + (end - begin) * sizes.children, sizes.features)
        count = following - end
        parent[end:following] = begin + torch.arange(count) // max(sizes.children, 1)
        begin, end = end, following
    return parent


def _children(parent_F: Tensor, most: int) -> Tensor:
    """Return (F, most) int64: each feature's children, −1 where there are fewer."""
    children = torch.full((len(parent_F), max(most, 1)), -1, dtype=torch.int64)
    gated = (parent_F >= 0).nonzero().squeeze(1)
    if len(gated):
        # A parent's children are numbered on from its first.
        first = torch.full_like(parent_F, len(parent_F))
        first.scatter_reduce_(0, parent_F[gated], gated, "amin")
        children[parent_F[gated], gated - first[parent_F[gated]]] = gated
    return children


def _causes(sizes: WorldSizes) -> tuple[Tensor, Tensor]:
    """Return the weights of the hidden causes (F, R) and of each feature's own noise (F,)."""
    shape = (sizes.features, sizes.correlation_rank)
    weights = torch.randn(shape, generator=_seeded(sizes.seed + _CAUSE_SEED)) * sizes.correlation
    squares = weights.square().sum(1)
    too_much = squares > 1 - _LEAST_IDIOSYNCRATIC
    weights[too_much] *= ((1 - _LEAST_IDIOSYNCRATIC) / squares[too_much]).sqrt()[:, None]
    return weights, (1 - weights.square().sum(1)).sqrt()


def _directions(sizes: WorldSizes) -> tuple[Tensor, Tensor]:
    """Return unit directions (F, D), as far from each other as they get, and the bias (D,)."""
    generator = _seeded(sizes.seed)
    W = torch.randn(sizes.features, sizes.width, generator=generator)
    W /= W.norm(dim=1, keepdim=True).clamp_min(_TINY)
    bias = torch.zeros(sizes.width)
    if sizes.bias_norm:
        bias = torch.randn(sizes.width, generator=generator)
        bias *= sizes.bias_norm / bias.norm().clamp_min(_TINY)
    if sizes.spreading_steps:
        W = _spread(W, sizes.spreading_steps, sizes.spreading_rate)
    return W, bias


def _spread(W_FD: Tensor, steps: int, rate: float) -> Tensor:
    """Return unit rows that minimise Σ_{i≠j}(w_i·w_j)² + F·Σ(‖w_i‖² − 1)², by Adam.

    Its gradient is 4[W(WᵀW) − ‖w_i‖²w_i + F(‖w_i‖² − 1)w_i]: no product of F × F is made.
    """
    W = W_FD.clone().requires_grad_(True)
    optimiser = torch.optim.Adam([W], lr=rate)
    with torch.no_grad():
        for _ in range(steps):
            squares = W.square().sum(1, keepdim=True)
            gradient = W @ (W.T @ W)
            gradient += (len(W) * (squares - 1) - squares) * W
            W.grad = gradient.mul_(4)
            optimiser.step()
        unit: Tensor = W / W.norm(dim=1, keepdim=True).clamp_min(_TINY)
        return unit
