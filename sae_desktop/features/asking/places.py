"""Where a dictionary meets its models: the sites it reads and those it writes, found in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import torch
from torch import Tensor

from sae_desktop.dictionary import Dictionary, ends
from sae_desktop.dictionary.ends import End
from sae_desktop.errors import UserError
from sae_desktop.language_model.load import LanguageModel
from sae_desktop.language_model.sites.capture import capture_sites
from sae_desktop.language_model.sites.resolve import Site, check_site, parse_site, site_width
from sae_desktop.language_model.sites.site_names import HOOKS


class Place(NamedTuple):
    """One site of a model, and which columns of the rows side by side are its."""

    lm: LanguageModel
    site: Site
    start: int
    width: int

    @property
    def columns(self) -> slice:
        return slice(self.start, self.start + self.width)

    @property
    def order(self) -> tuple[int, int]:
        """By this the sites of one model stand in the order of its forward pass."""
        return self.site.layer, HOOKS.index(self.site.hook)


Places = tuple[Place, ...]


def places_read(
    name: str, dictionary: Dictionary, models: Sequence[LanguageModel], site: str
) -> Places:
    """Return where a dictionary reads: of one that reads a single site at `site`.

    Raises UserError for a site that its model lacks, or has of another width, and for several
    sites that its files do not name.
    """
    found = ends.inputs(dictionary, site)
    if len(found) == 1:
        found = (msgspec.structs.replace(found[0], site=site),)
    if not all(end.site for end in found):
        raise UserError(
            f"The dictionary “{name}” reads {len(found)} sites, and its files do not say which.",
            kept="Nothing was changed.",
            next_step="Import it again from files that name the sites.",
        )
    return _places(name, "reads", found, models)


def places_written(
    name: str, dictionary: Dictionary, models: Sequence[LanguageModel], site: str
) -> Places:
    """Return where a dictionary's features write, each a column slice of W_dec.

    Raises UserError as `places_read`, for a transcoder whose files do not name what it writes, and
    for one that writes what its model computes before what it reads.
    """
    read = places_read(name, dictionary, models, site)
    if ends.reconstructs(dictionary):
        return read
    found = ends.outputs(dictionary, site)
    if not all(end.site for end in found):
        raise UserError(
            f"The dictionary “{name}” is a transcoder, and its files do not say which site it "
            "writes.",
            kept="Nothing was changed.",
            next_step="Import it again with the site it writes given, such as "
            f"blocks.{read[0].site.layer}.hook_mlp_out.",
        )
    written = _places(name, "writes", found, models)
    if len(read) == len(written) == 1 and written[0].order < read[0].order:
        raise UserError(
            f"The dictionary “{name}” is said to read “{read[0].site}” and to write "
            f"“{written[0].site}”, which the model computes before that.",
            kept="Nothing was changed.",
            next_step="Import it again with the sites it reads and writes given.",
        )
    return written


def _places(name: str, does: str, found: Sequence[End], models: Sequence[LanguageModel]) -> Places:
    return tuple(_place(name, does, end, models[end.source]) for end in found)


def _place(name: str, does: str, end: End, lm: LanguageModel) -> Place:
    site = check_site(lm.model, parse_site(end.site))
    width = site_width(lm.model, site)
    if width != end.width:
        raise UserError(
            f"The dictionary “{name}” {does} {end.width} numbers at “{site}”, which has {width} "
            f"in “{lm.name}”.",
            kept="Nothing was changed.",
            next_step=f"Import it again with the site it {does} given, or build the index again.",
        )
    return Place(lm, site, end.start, end.width)


def values_at(places: Places, input_ids: Tensor, attention_mask: Tensor | None) -> Tensor:
    """Return the values at places side by side, float32, (B, S, I), one forward pass a model.

    `input_ids` (B, S) and the mask as `visit_sites` takes them. Every model reads the same tokens.
    """
    found: dict[tuple[int, Site], Tensor] = {}
    for lm in models_of(places):
        sites = list(dict.fromkeys(place.site for place in places if place.lm is lm))
        values = capture_sites(lm, input_ids, attention_mask, sites)
        found |= {(id(lm), site): value for site, value in values.items()}
    return side_by_side([found[id(place.lm), place.site] for place in places])


def side_by_side(values: Sequence[Tensor]) -> Tensor:
    """Return the values (…, D) at several places as one, (…, I), on the device of the first."""
    if len(values) == 1:
        return values[0]
    return torch.cat([value.to(values[0].device) for value in values], dim=-1)


def models_of(places: Places) -> list[LanguageModel]:
    """Return the models of places, each once."""
    return list({id(place.lm): place.lm for place in places}.values())
