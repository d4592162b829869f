"""What the members of a set are trained as: their layers, sites and settings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

from sae_desktop.activations.config import HarvestConfig
from sae_desktop.activations.layout import StoreInfo
from sae_desktop.dictionary.set_info import ALL, member_name
from sae_desktop.errors import UserError
from sae_desktop.language_model.sites.site_names import Hook, Site, parse_site
from sae_desktop.project import checked_name
from sae_desktop.training.config import Target, TrainConfig
from sae_desktop.training.rows.targets import (
    CROSS_LAYER_ARCHITECTURE,
    Part,
    TargetPlan,
    resolve_target,
)
from sae_desktop.training.set_config import TrainSetConfig

READS: Hook = "mlp.hook_in"
WRITES: Hook = "hook_mlp_out"
"""What a transcoder of a set reads and writes: the MLP's input and output."""


@dataclass(frozen=True)
class SetPlan:
    """A set before its first step."""

    config: TrainSetConfig
    there: tuple[int, ...]
    """Layers that a set could have."""
    layers: tuple[int, ...]
    members: tuple[TrainConfig, ...]
    """One for each layer; of a cross-layer transcoder the one of all."""
    rows: TrainConfig
    """Whose rows all members learn from."""

    @property
    def across(self) -> bool:
        """Whether it is one cross-layer transcoder."""
        return self.config.kind == "cross_layer"

    @property
    def folders(self) -> tuple[str, ...]:
        """Of the members, in the set’s."""
        return tuple(member.name.rpartition(".")[2] for member in self.members)

    @property
    def features(self) -> int:
        """Of all layers together."""
        return self.config.train.features * len(self.layers)

    @property
    def sites(self) -> list[str]:
        """What is read in each layer, then what is written."""
        return sites_of(self.layers)

    def resolve(
        self, config: TrainConfig, source: StoreInfo, others: Sequence[StoreInfo] = ()
    ) -> TargetPlan:
        """Return the parts of the rows of all members; as `resolve_target`."""
        if self.across:
            return resolve_target(config, source, others)
        widths = dict(zip(source.sites, source.widths, strict=True))
        parts = [Part(0, site, widths[site]) for site in self.sites]
        count = len(self.layers)
        return TargetPlan(self.members[0].target, tuple(parts[:count]), tuple(parts[count:]))

    def number_of(self, member: TrainConfig) -> int:
        """Return which of the members a config is of."""
        return next(n for n, own in enumerate(self.members) if own.name == member.name)


def sites_of(layers: Iterable[int]) -> list[str]:
    """Return what the members for some layers read, then what they write."""
    numbers = list(layers)
    return [str(Site(n, READS)) for n in numbers] + [str(Site(n, WRITES)) for n in numbers]


def layers_with_sites(names: Iterable[str]) -> list[int]:
    """Return the layers of which both sites are among some names."""
    sites = [parse_site(name) for name in names if name.startswith("blocks.")]
    read = {site.layer for site in sites if site.hook == READS}
    return sorted(read & {site.layer for site in sites if site.hook == WRITES})


def plan_set(config: TrainSetConfig, sites: Sequence[str]) -> SetPlan:
    """Return the members of a set, of a model or a store that has some sites.

    Raises UserError for layers that are not there, for one layer alone where it must be several,
    and for settings that a set cannot have.
    """
    if config.train.start_from:
        raise UserError(
            "The dictionaries of a set start at random, not from another dictionary.",
            kept="Nothing was changed.",
            next_step="Train single dictionaries further, or leave “Start from” empty.",
        )
    there = layers_with_sites(sites)
    layers = _layers(config, there)
    name = checked_name(config.name)
    for last in (member_name(layers[-1]), ALL):
        checked_name(f"{name}.{last}")
    train = msgspec.structs.replace(
        config.train, project=config.project, other_activations=(), sites=(), output_sites=(),
        stream=_stream(config.train.stream, layers),
    )  # fmt: skip
    if config.kind == "cross_layer":
        member = _across(config, train, layers)
        return SetPlan(config, tuple(there), layers, (member,), member)
    target: Target = "skip_transcoder" if config.skip else "transcoder"
    members = tuple(
        msgspec.structs.replace(
            train, name=f"{name}.{member_name(layer)}", target=target,
            sites=(str(Site(layer, READS)),), output_sites=(str(Site(layer, WRITES)),),
        )
        for layer in layers
    )  # fmt: skip
    return SetPlan(config, tuple(there), layers, members, members[0])


def _layers(config: TrainSetConfig, there: list[int]) -> tuple[int, ...]:
    where = f"The store “{config.train.activations}”" if config.train.activations else "The model"
    if not there:
        raise UserError(
            f"{where} has no layer with both an MLP’s input and its output ({READS} and {WRITES}).",
            kept="Nothing was changed.",
            next_step="Harvest both sites of every layer in one pass, train on a stream, or choose "
            "a model whose layers have MLPs.",
        )
    layers = tuple(sorted(set(config.layers))) or tuple(there)
    missing = [layer for layer in layers if layer not in there]
    if missing:
        named = ", ".join(map(str, missing))
        raise UserError(
            f"{where} has no {READS} and {WRITES} in layer{'s' * (len(missing) > 1)} {named}.",
            kept="Nothing was changed.",
            next_step=f"Choose among the layers {', '.join(map(str, there))}.",
        )
    if config.kind == "cross_layer" and len(layers) < 2:
        raise UserError(
            "A cross-layer transcoder needs at least two layers.",
            kept="Nothing was changed.",
            next_step="Choose more layers, or transcoders of single layers.",
        )
    return layers


def _across(config: TrainSetConfig, train: TrainConfig, layers: tuple[int, ...]) -> TrainConfig:
    sites = sites_of(layers)
    return msgspec.structs.replace(
        train, name=f"{checked_name(config.name)}.{ALL}", target="cross_layer_transcoder",
        architecture=CROSS_LAYER_ARCHITECTURE, features=train.features * len(layers),
        sites=tuple(sites[: len(layers)]), output_sites=tuple(sites[len(layers) :]),
    )  # fmt: skip


def _stream(stream: HarvestConfig | None, layers: tuple[int, ...]) -> HarvestConfig | None:
    if stream is None:
        return None
    site, *further = sites_of(layers)
    return msgspec.structs.replace(stream, site=site, sites=tuple(further))
