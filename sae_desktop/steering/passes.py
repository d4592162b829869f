"""What steering does in a forward pass: which sites it changes, and which it reads for that."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from sae_desktop.language_model.sites.resolve import Site
from sae_desktop.language_model.sites.site_names import HOOKS, uncentred
from sae_desktop.steering.interventions import Positions, SteeredSite, Told, Transform, changed
from sae_desktop.steering.prepare import Plan, Preparer


class Steering:
    """The changes of all rows of a batch, of the features of one or more dictionaries."""

    def __init__(self, preparer: Preparer, plans: Sequence[Plan]) -> None:
        """`plans` (B,): of each row; an empty one leaves its row as it is."""
        self._parts = {
            target: SteeredSite(
                [plan.get(target, []) for plan in plans],
                preparer.dictionary_of(target.index),
                preparer.device,
                read_before=target.reads is not None,
            )
            for target in dict.fromkeys(target for plan in plans for target in plan)
        }

    def transforms(self, positions: Positions, told: Told | None = None) -> dict[Site, Transform]:
        """Return what is done at each site, for rows that stand in a batch as `positions` says.

        They are to be put in place in their order: what is read at a site is read after all that
        changes it. `told` gets a row's number and the lengths of what was added to its changed
        tokens, once for each site.
        """
        writers: dict[Site, list[SteeredSite]] = {}
        readers: dict[Site, list[SteeredSite]] = {}
        for target, part in self._parts.items():
            writers.setdefault(target.site, []).append(part)
            if part.reads and target.reads is not None:
                readers.setdefault(target.reads, []).append(part)

        def order(site: Site) -> tuple[int, int, bool]:
            return site.layer, HOOKS.index(uncentred(site.hook)), site not in writers

        return {
            site: partial(changed, writers.get(site, []), readers.get(site, []), positions, told)
            for site in sorted({*writers, *readers}, key=order)
        }
