"""Which tokens a gate opens on while a batch is read: token after token, pass after pass.

B rows, S tokens of the pass, I width of what a gate reads, K its components.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from sae_desktop.language_model.sites.resolve import Site
from sae_desktop.steering.gate_config import Pool
from sae_desktop.steering.interventions import Positions
from sae_desktop.steering.readers import ReadyGate


class RunningPool:
    """Components pooled over the tokens of each row so far, going on from pass to pass."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._before_BK: Tensor | None = None
        self._count_B: Tensor | None = None

    def take(self, found_BSK: Tensor, counts_BS: Tensor, *, fresh: bool) -> Tensor:
        """Return (B, S, K): at each token, those up to it. Others than `counts_BS` are left out.

        `fresh`: the pass begins with the first token, whatever was read before. Where nothing has
        counted yet, a maximum is −∞ and a mean 0.
        """
        if fresh:
            self._before_BK = self._count_B = None
        if self._pool == "token":
            return found_BSK
        if self._pool == "max":
            kept_BSK = found_BSK.masked_fill(~counts_BS[..., None], -torch.inf)
            pooled_BSK = kept_BSK.cummax(dim=1).values
            if self._before_BK is not None:
                pooled_BSK = torch.maximum(pooled_BSK, self._before_BK[:, None])
            self._before_BK = pooled_BSK[:, -1]
            return pooled_BSK
        sums_BSK = (found_BSK * counts_BS[..., None]).cumsum(dim=1)
        number_BS = counts_BS.cumsum(dim=1)
        if self._before_BK is not None and self._count_B is not None:
            sums_BSK = sums_BSK + self._before_BK[:, None]
            number_BS = number_BS + self._count_B[:, None]
        self._before_BK, self._count_B = sums_BSK[:, -1], number_BS[:, -1]
        return sums_BSK / number_BS.clamp_min(1)[..., None]


class _OneGate:
    """What one gate says in the passes of a batch."""

    def __init__(self, gate: ReadyGate, positions: Positions) -> None:
        self._gate, self._positions = gate, positions
        self._values: dict[Site, Tensor] = {}
        self._pool = RunningPool(gate.reader.pool)
        self._fired_B: Tensor | None = None
        self.components_BSK = torch.zeros(0, 0, 0)
        self.open_BS = torch.zeros(0, 0, dtype=torch.bool)

    def see(self, site: Site, x_BSD: Tensor) -> None:
        """Take the values at one of its sites, before anything is changed there."""
        self._values[site] = x_BSD
        if all(own in self._values for own in self._gate.reader.sites):
            values = [self._values[own] for own in self._gate.reader.sites]
            self._values = {}
            self._decide(torch.cat([value.to(values[0]) for value in values], dim=-1))

    def _decide(self, x_BSI: Tensor) -> None:
        gate, rows, count = self._gate, len(x_BSI), x_BSI.shape[1]
        fresh = self._positions.column == 0
        looked = [self._positions.tokens(gate.where, row, count) for row in range(rows)]
        looked_BS = torch.stack(looked).to(x_BSI.device)
        found = gate.reader.components(x_BSI.flatten(0, 1)).to(x_BSI.device)
        self.components_BSK = found.reshape(rows, count, -1)
        pooled_BSK = self._pool.take(self.components_BSK, looked_BS, fresh=fresh)
        fires_BS = (gate.reader.score(pooled_BSK) > gate.above) & looked_BS
        if gate.since:
            fires_BS = fires_BS.cummax(dim=1).values
            if self._fired_B is not None and not fresh:
                fires_BS = fires_BS | self._fired_B[:, None]
            self._fired_B = fires_BS[:, -1]
        self.open_BS = fires_BS


class Gates:
    """All gates of a batch, for rows that stand in it as `positions` says."""

    def __init__(
        self,
        gates: Iterable[ReadyGate],
        positions: Positions,
        stops: Sequence[Sequence[ReadyGate]] = (),
    ) -> None:
        """`stops` (B,): which gates end each row."""
        every = dict.fromkeys([*gates, *(gate for row in stops for gate in row)])
        self._gates = {gate: _OneGate(gate, positions) for gate in every}
        self._stops = stops

    @property
    def sites(self) -> set[Site]:
        return {site for gate in self._gates for site in gate.reader.sites}

    def see(self, site: Site, x_BSD: Tensor) -> None:
        """Take the values at a site, before anything is changed there."""
        for gate, state in self._gates.items():
            if site in gate.reader.sites:
                state.see(site, x_BSD)

    def open(self, gate: ReadyGate, row: int) -> Tensor:
        """Return (S,) bool: the tokens of this pass on which a gate of a row is open."""
        return self._gates[gate].open_BS[row]

    def components(self, gate: ReadyGate, row: int) -> Tensor:
        """Return (S, K), what a gate read of a row in this pass, token by token."""
        return self._gates[gate].components_BSK[row]

    def stopped(self) -> list[bool]:
        """Return of each row whether a gate that ends it fired in this pass."""
        return [any(bool(self.open(gate, row).any()) for gate in own)
                for row, own in enumerate(self._stops)]  # fmt: skip
