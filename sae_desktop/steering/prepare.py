"""Turns a request into interventions with their directions and amounts."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from sae_desktop.dictionary import Dictionary, load
from sae_desktop.dictionary.cross_layer import CrossLayerDictionary
from sae_desktop.errors import UserError
from sae_desktop.features.asking.opened import OpenedIndex, open_index
from sae_desktop.features.asking.places import Places
from sae_desktop.features.asking.probe import activations_of_ids, own_ids
from sae_desktop.language_model.load import LanguageModel
from sae_desktop.language_model.same_model import require_same_model
from sae_desktop.language_model.sites.resolve import Site, check_site, site_width
from sae_desktop.language_model.sites.site_names import parse_site
from sae_desktop.project import Project, existing
from sae_desktop.steering.config import (
    MOST_STRENGTH,
    DecoderRow,
    Direction,
    Intervention,
    MeanDifference,
    RandomDirection,
)
from sae_desktop.steering.gate_config import Gate
from sae_desktop.steering.interventions import Change, refuse_twice
from sae_desktop.steering.readers import ReadyGate
from sae_desktop.steering.ready_gates import ready_gate
from sae_desktop.training.rows.dictionary_rows import dictionary_mark

_NORM_TOKENS = 2048
_MOST_NORMS = 16


@dataclass(frozen=True)
class Target:
    """What changes belong together: those of features of a dictionary that read and write alike."""

    sites: tuple[Site, ...]
    """What is changed, in the order of the forward pass."""
    index: str
    """Of the dictionary whose features they are of."""
    reads: Site | None = None
    """Where the features have their activations, if not at the one site that is changed."""
    widths: tuple[int, ...] = ()
    """Of several sites."""
    block: int | None = None
    """Of a cross-layer transcoder: of which layer the features are."""
    reads_all: bool = False
    """They read several sites, or models: their activations are those of the plain models."""


Plan = dict[Target, list[Change]]
"""The changes of one row."""


class Preparer:
    """Makes interventions ready, of one index and of others beside it.

    Directions and norms are computed once.
    """

    def __init__(self, project: str, opened: OpenedIndex) -> None:
        """Raises UserError for a dictionary that names no sites, or some that its models lack."""
        self._project = project
        self._opened = opened
        self._name = opened.index.path.stem
        self._written = written_in_order(opened)
        self._directions: dict[str, Tensor] = {}
        self._others: dict[str, Preparer] = {}

    @property
    def model(self) -> LanguageModel:
        """The one that is steered."""
        return self._opened.lm

    @property
    def device(self) -> torch.device:
        """Of the model."""
        return self._opened.lm.device

    def dictionary_of(self, target: Target) -> Dictionary:
        """Return the dictionary whose features a plan changes at a target."""
        dictionary = self.opened_of(target.index).dictionary
        if target.block is None:
            return dictionary
        assert isinstance(dictionary, CrossLayerDictionary)
        return dictionary.blocks[target.block]

    def opened_of(self, index: str, known_hash: str = "") -> OpenedIndex:
        """Return an index that a plan names. Raises UserError for another dictionary's."""
        return self._of(index, known_hash)._opened

    def gate(self, asked: Gate, before: Sequence[Site] = ()) -> ReadyGate:
        """Return a gate made ready, for what is changed at sites. Raises UserError as it does."""
        return ready_gate(self._project, self.model, self.opened_of, asked, before)

    def _of(self, index: str, known_hash: str = "") -> Preparer:
        """Return who prepares the features of an index; of none named, of this one."""
        found = self if index in ("", self._name) else self._other_index(index)
        info = found._opened.index.info
        if len({known_hash, info.dictionary_hash} - {""}) > 1:
            raise UserError(
                f"The dictionary “{info.dictionary}” has been trained again since a feature of the "
                f"index “{index}” was chosen, so its features have changed.",
                next_step="Choose the feature again.",
            )
        return found

    def _other_index(self, index: str) -> Preparer:
        if index not in self._others:
            opened = open_index(self._project, index, str(self.device))
            if opened.lm is not self._opened.lm:
                raise UserError(
                    f"The index “{index}” is of the model “{opened.lm.name}” in "
                    f"{opened.lm.dtype}, and “{self._name}” of “{self._opened.lm.name}” in "
                    f"{self._opened.lm.dtype}.",
                    next_step="Steer with indexes of one and the same model.",
                )
            self._others[index] = Preparer(self._project, opened)
        return self._others[index]

    def plan(self, interventions: Sequence[Intervention]) -> Plan:
        """Return what is done at each site. Raises UserError for what cannot be done."""
        plan: Plan = {}
        for asked in interventions:
            own = self._of(asked.index, asked.index_hash)
            target, change = own._change(asked)
            for place in [target, *(own._other(asked, name) for name in asked.sites)]:
                plan.setdefault(place, []).append(change)
        for target, changes in plan.items():
            first = (target.block or 0) * self.dictionary_of(target).features
            refuse_twice(changes, first)
        return plan

    def target(self, feature: int | None = None) -> Target:
        """Return where one of this index's own features is steered, or a direction alone."""
        opened, written = self._opened, self._written
        if isinstance(opened.dictionary, CrossLayerDictionary) and feature is not None:
            block = feature // opened.dictionary.blocks[0].features
            # A block's directions lie in the order of the dictionary's outputs.
            later = tuple(opened.writes[block:])
            return Target(
                tuple(p.site for p in later), self._name, opened.reads[block].site,
                tuple(p.width for p in later), block,
            )  # fmt: skip
        sites, widths = tuple(p.site for p in written), tuple(p.width for p in written)
        if not in_one_pass(opened):
            return Target(sites, self._name, None, widths, None, True)
        read = opened.site
        return Target(sites, self._name, None if sites == (read,) else read)

    def _other(self, asked: Intervention, name: str) -> Target:
        return Target((self._other_site(asked, name),), self._name)

    @property
    def sites(self) -> str:
        """The sites that features write in the steered model, in words."""
        return _listed(self._written)

    @property
    def typical_norm(self) -> float:
        """The median length of the values at the sites that features write, side by side.

        On the beginning of the indexed text.
        """
        return _typical_norm(self._opened, self._written)

    # ------------------------------------------------------------------ one of them
    def _change(self, asked: Intervention) -> tuple[Target, Change]:
        if not math.isfinite(asked.strength):
            raise UserError(
                f"A strength of {asked.strength} cannot be applied.",
                next_step="Enter a number, such as 5.",
            )
        if abs(asked.strength) > MOST_STRENGTH:
            raise UserError(
                f"A strength of {asked.strength:g} is far too large.",
                next_step=f"Stay within ±{MOST_STRENGTH:g}.",
            )
        if asked.feature is None and asked.direction is None:
            raise UserError(
                "An intervention names neither a feature nor a direction.",
                next_step="Name one of them.",
            )
        own = None if asked.feature is None else self._opened.index.check_feature(asked.feature)
        target = self.target(own)
        if own is not None and target.block is not None:
            own -= target.block * self.dictionary_of(target).features
        amount = asked.strength
        if asked.mode in ("clamp", "add"):
            amount *= self._unit(asked)
        return target, Change(
            mode=asked.mode,
            amount=0.0 if asked.mode == "ablate" else amount,
            direction_D=self._at_output(asked, target, self._direction(asked, target)),
            # What is added does not depend on the activation.
            feature=None if asked.mode == "add" else own,
            where=asked.where,
            start=asked.start,
            tokens=tuple(asked.tokens),
            in_activations=asked.feature is not None and asked.unit == "maximum",
            gate=None
            if asked.when is None
            else self.gate(asked.when, [*target.sites, *map(parse_site, asked.sites)]),
        )

    def _at_output(self, asked: Intervention, target: Target, whole_O: Tensor) -> Tensor:
        """Return a direction with what it adds at other sites than the chosen one left out."""
        if not asked.output:
            return whole_O
        parts = list(torch.split(whole_O, list(target.widths) or [len(whole_O)]))
        chosen = [site == parse_site(asked.output) for site in target.sites]
        if not any(chosen):
            sites = ", ".join(map(str, target.sites))
            raise UserError(
                f"Nothing is written at “{asked.output}”, only at {sites}.",
                next_step="Choose one of these, or steer all outputs.",
            )
        kept = zip(parts, chosen, strict=True)
        return torch.cat([part if mine else torch.zeros_like(part) for part, mine in kept])

    def _unit(self, asked: Intervention) -> float:
        if asked.unit == "norm":
            return self.typical_norm
        if asked.feature is None:
            raise UserError(
                "A direction has no maximum for a strength to be a multiple of.",
                next_step="Enter the strength in typical norms.",
            )
        top = float(self._opened.index.columns["max_activation"][asked.feature])
        if top <= 0:
            raise UserError(
                f"Feature {asked.feature} never fired on the indexed text: it has no maximum for "
                "a strength to be a multiple of.",
                next_step="Choose a feature with a density above 0, or enter the strength in "
                "typical norms.",
            )
        return top

    def _other_site(self, asked: Intervention, name: str) -> Site:
        if len(self._written) == 1 and asked.mode != "add":
            raise UserError(
                f"“{asked.mode}” works at the site that the dictionary writes, “{self.sites}”: "
                "features have no activation elsewhere.",
                next_step="Use “add” at other sites.",
            )
        if len(self._written) > 1:
            raise UserError(
                f"The features write {len(self._written)} sites, and what they add has a part for "
                "each of them: there is none for another site.",
                next_step="Leave the other sites out.",
            )
        lm = self._opened.lm
        site = check_site(lm.model, parse_site(name))
        width, own = site_width(lm.model, site), self._written[0].width
        if width != own:
            raise UserError(
                f"The site “{name}” has width {width}; the dictionary's site has width {own}.",
                next_step="Choose a site of the same width.",
            )
        return site

    # ------------------------------------------------------------------ directions
    def _direction(self, asked: Intervention, target: Target) -> Tensor:
        """Return (O,), what is added at the target's sites for a c of one."""
        widths = target.widths or (self._written[0].width,)
        own = None
        if asked.feature is not None:
            chosen = torch.tensor([asked.feature])
            row = self._opened.dictionary.decoder_rows(chosen)[0].float()
            places = self._written if target.block is None else self._opened.writes[target.block :]
            own = torch.cat([row[place.columns] for place in places])
        if asked.direction is None:
            assert own is not None
            return own
        key = repr(asked.direction)
        if key not in self._directions:
            self._directions[key] = _unit_length(self._raw(asked.direction))
        whole = self._directions[key]
        if own is None or len(self._opened.writes) == 1:
            return whole
        # As long as the feature's own at each site.
        pieces = torch.split(whole[len(whole) - sum(widths) :], list(widths))
        lengths = [part.norm() for part in torch.split(own, list(widths))]
        return torch.cat(
            [piece.to(own) * (length / piece.norm().clamp_min(1e-12).to(own))
             for piece, length in zip(pieces, lengths, strict=True)]
        )  # fmt: skip

    def _raw(self, direction: Direction) -> Tensor:
        width = sum(place.width for place in self._written)
        match direction:
            case RandomDirection(seed=seed):
                return torch.randn(width, generator=torch.Generator().manual_seed(seed))
            case MeanDifference():
                return self._mean_difference(direction)
            case DecoderRow():
                return self._decoder_row(direction)

    def _mean_difference(self, direction: MeanDifference) -> Tensor:
        means = []
        for name, texts in (("on", direction.on), ("off", direction.off)):
            rows = [
                acts
                for text in texts
                for _, acts in activations_of_ids(
                    self._opened, own_ids(self._opened, text), self._written
                )
            ]
            if not rows:
                raise UserError(
                    f"The texts “{name}” for the difference of means have no tokens.",
                    next_step="Give at least one text on each side.",
                )
            means.append(torch.cat(rows).float().mean(dim=0))
        return means[0] - means[1]

    def _decoder_row(self, direction: DecoderRow) -> Tensor:
        project = Project.open(self._project)
        name = existing("dictionary", direction.dictionary, project.all_dictionaries())
        other = load(project.dictionary_path(name), self._opened.dictionary.device)
        require_same_model(
            f"dictionary:{name}", dictionary_mark(other), self._opened.lm.name,
            self._opened.lm.mark, project.path,
        )  # fmt: skip
        width = self._opened.dictionary.out_width
        if other.out_width != width:
            raise UserError(
                f"The dictionary “{name}” is {other.out_width} wide, not {width}.",
                next_step="Choose one of the same model and site.",
            )
        if not 0 <= direction.feature < other.features:
            raise UserError(
                f"There is no feature {direction.feature} in the dictionary “{name}”.",
                next_step=f"Features are numbered 0 to {other.features - 1}.",
            )
        row = other.decoder_rows(torch.tensor([direction.feature]))[0].float()
        return torch.cat([row[place.columns] for place in self._written])


def written_in_order(opened: OpenedIndex) -> Places:
    """Return where features write in the model that is steered, in the order of its pass."""
    own = (place for place in opened.writes if place.lm is opened.lm)
    return tuple(sorted(own, key=lambda place: place.order))


def in_one_pass(opened: OpenedIndex) -> bool:
    """Return whether what features fire on is known, in the steered model, before they write."""
    return len(opened.reads) == 1 and len(opened.writes) == 1


def _listed(places: Places) -> str:
    return ", ".join(str(place.site) for place in places)


_norms: OrderedDict[tuple[Path, int, str, str, str], float] = OrderedDict()


def _typical_norm(opened: OpenedIndex, places: Places) -> float:
    """Return the norm, kept from before where the same index is read by the same model."""
    path = opened.index.path
    key = (path, path.stat().st_mtime_ns, opened.lm.name, opened.lm.dtype, _listed(places))
    if key not in _norms:
        ids = opened.index.tokens[:_NORM_TOKENS].tolist()
        parts = [acts for _, acts in activations_of_ids(opened, ids, places)]
        _norms[key] = float(torch.cat(parts).float().norm(dim=1).median())
        if len(_norms) > _MOST_NORMS:
            _norms.popitem(last=False)
    return _norms[key]


def _unit_length(direction_D: Tensor) -> Tensor:
    length = direction_D.norm()
    if not torch.isfinite(length) or length == 0:
        raise UserError(
            "The direction has length zero: the texts on both sides are equivalent.",
            next_step="Use texts that differ.",
        )
    unit: Tensor = direction_D / length
    return unit
