"""What steering does in a forward pass: which sites it changes, and which it reads for that."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor

from sae_desktop.language_model.sites.resolve import Site
from sae_desktop.language_model.sites.site_names import HOOKS, uncentred
from sae_desktop.steering.gating import Gates
from sae_desktop.steering.generate import PaddedTokens, ReadBefore, Transforms
from sae_desktop.steering.interventions import Lengths, Positions, SteeredSite, Told, changed
from sae_desktop.steering.plain_reader import PlainReader
from sae_desktop.steering.prepare import Plan, Preparer, Target
from sae_desktop.steering.readers import ReadyGate


class Steering:
    """The changes of all rows of a batch, of the features of one or more dictionaries."""

    def __init__(
        self,
        preparer: Preparer | None,
        plans: Sequence[Plan],
        stops: Sequence[Sequence[ReadyGate]] = (),
        watched: Sequence[ReadyGate] = (),
    ) -> None:
        """`plans` (B,): of each row; an empty one leaves its row as it is.

        `stops` (B,): the gates that end each row. `watched`: gates whose readings are only noted.
        Without a preparer no plan changes anything.
        """
        self._preparer = preparer
        changes = [c for plan in plans for changes in plan.values() for c in changes]
        self._asked = [*watched, *(c.gate for c in changes if c.gate is not None)]
        self._stops = stops
        self._gated = [
            [c for changes in plan.values() for c in changes if c.gate is not None]
            for plan in plans
        ]
        self.gates: Gates | None = None
        """Of the transforms made last."""
        self._parts: dict[Target, SteeredSite] = {}
        for target in dict.fromkeys(target for plan in plans for target in plan):
            assert preparer is not None
            self._parts[target] = SteeredSite(
                [plan.get(target, []) for plan in plans],
                preparer.dictionary_of(target),
                preparer.device,
                read_before=target.reads is not None or target.reads_all,
                widths=target.widths,
            )

    def transforms(self, positions: Positions, told: Told | None = None) -> Transforms:
        """Return what is done at each site, for rows that stand in a batch as `positions` says.

        They are to be put in place in their order: what is read at a site is read after all that
        changes it. `told` gets a row's number and the lengths of what was added to its changed
        tokens: once for each site, or where features write several for all of them together.
        """
        writers: dict[Site, list[tuple[SteeredSite, int]]] = {}
        readers: dict[Site, list[SteeredSite]] = {}
        for target, part in self._parts.items():
            for output, site in enumerate(target.sites):
                writers.setdefault(site, []).append((part, output))
            if part.reads and target.reads is not None:
                readers.setdefault(target.reads, []).append(part)
        gates = self.gates = Gates(self._asked, positions, self._stops)
        together = any(len(target.sites) > 1 for target in self._parts)
        lengths = told and Lengths(told, len(writers) if together else 1)

        def order(site: Site) -> tuple[int, int, bool]:
            return site.layer, HOOKS.index(uncentred(site.hook)), site not in writers

        transforms = {
            site: partial(
                changed,
                writers.get(site, []),
                readers.get(site, []),
                positions,
                lengths,
                see=partial(gates.see, site) if site in gates.sites else None,
                open_on=gates.open,
            )
            for site in sorted({*writers, *readers, *gates.sites}, key=order)
        }
        beside = {t: part for t, part in self._parts.items() if t.reads_all and part.reads}
        return ReadBefore(transforms, self._reading(beside)) if beside else transforms

    def open_tokens(self, positions: Positions, row: int, count: int) -> Tensor:
        """Return (S,) bool: on which tokens of the pass made last a condition let a row change.

        Or ended its text. `positions`: where the rows of that pass stand.
        """
        assert self.gates is not None
        found_S = torch.zeros(count, dtype=torch.bool)
        for change in self._gated[row] if self._gated else ():
            assert change.gate is not None
            found_S |= positions.mask(change, row, count) & self.gates.open(change.gate, row).cpu()
        for gate in self._stops[row] if self._stops else ():
            found_S |= self.gates.open(gate, row).cpu()
        return found_S

    def _reading(self, parts: dict[Target, SteeredSite]) -> Callable[[PaddedTokens, int], None]:
        """Return what reads for parts whose features' activations are those of the plain models."""
        assert self._preparer is not None
        places = {t.index: self._preparer.opened_of(t.index).reads for t in parts}
        plain = {index: PlainReader(read) for index, read in places.items()}

        def read(batch: PaddedTokens, done: int) -> None:
            values = {index: reader.read(batch, done) for index, reader in plain.items()}
            for target, part in parts.items():
                part.read(values[target.index])

        return read
