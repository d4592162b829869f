"""Which of the dictionaries found in a source are the layers of one set."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sae_desktop.dictionary.formats.folder_view import Found
from sae_desktop.dictionary.set_info import SetKind
from sae_desktop.errors import UserError
from sae_desktop.exchange.fitting_sites import SEVERAL
from sae_desktop.exchange.set_config import SetFound
from sae_desktop.language_model.sites.site_names import parse_site

_CROSS_LAYER = "cross_layer_transcoder"
_AVERAGE_L0 = re.compile(r"average_l0_(\d+)")
_USUAL_L0 = 100
"""Of Gemma Scope's dictionaries of one layer, that nearest to this L0 is the one most used."""
_NEAREST = (
    "Of each layer there are dictionaries of several L0: the one nearest to 100 is taken, as in "
    "SAELens’s canonical releases."
)


@dataclass(frozen=True)
class FoundSet:
    """The dictionaries of a set, by layer; of a cross-layer transcoder the one of all."""

    path: str
    kind: SetKind
    layers: tuple[int, ...]
    dictionaries: tuple[Found, ...]
    nearest: bool = False
    """Whether one of several was chosen for a layer."""

    def told(self) -> SetFound:
        """Return what is said of it before it is read."""
        first = self.dictionaries[0]
        notes = [note for one in self.dictionaries for note in one.notes]
        across = self.kind == "cross_layer"
        return SetFound(
            path=self.path, format=first.format, kind=self.kind, layers=self.layers,
            features=sum(one.features for one in self.dictionaries),
            width=first.width // len(self.layers) if across else first.width,
            model=first.model, notes=[*[_NEAREST] * self.nearest, *dict.fromkeys(notes)],
        )  # fmt: skip


def sets_in(found: Sequence[Found], source: Path) -> list[FoundSet]:
    """Return the sets among dictionaries found in a source, in their order.

    A set's members are transcoders of one format, model, width and number of features, in places
    that differ by the number of their layer alone.
    """
    sets: list[FoundSet] = []
    groups: dict[tuple[str, str, str, int, int], list[tuple[int, Found]]] = defaultdict(list)
    for one in found:
        if one.architecture == _CROSS_LAYER:
            layers = tuple(_layer(site) for site in one.site.split(SEVERAL) if site)
            sets.append(FoundSet(_place(one, source), "cross_layer", layers, (one,)))
        elif one.site and one.site_out and one.site != one.site_out:
            layer = _layer(one.site)
            place = _pattern(_place(one, source), layer)
            key = (place, one.format, one.model, one.width, one.features)
            groups[key].append((layer, one))
    for key, members in groups.items():
        chosen = dict(sorted(members, key=_distance, reverse=True))
        if len(chosen) > 1:
            layers = tuple(sorted(chosen))
            sets.append(
                FoundSet(
                    str(key[0]), "transcoders", layers, tuple(chosen[layer] for layer in layers),
                    nearest=len(members) > len(chosen),
                )
            )  # fmt: skip
    return sets


def chosen_set(found: Sequence[FoundSet], which: str, source: str) -> FoundSet:
    """Return the set asked for. Raises UserError where there is none, or it is not clear which."""
    if not found:
        raise UserError(
            f"“{source}” holds no set: dictionaries that are transcoders of several layers.",
            next_step="Import its dictionaries one by one, or choose the folder above the layers’.",
        )
    if which:
        for one in found:
            if one.path == which:
                return one
    elif len(found) == 1:
        return found[0]
    there = ", ".join(one.path for one in found[:8])
    raise UserError(
        f"“{which}” is not one of the sets there." if which
        else f"“{source}” holds {len(found)} sets.",
        next_step=f"Choose one of them: {there}.",
    )  # fmt: skip


def _distance(member: tuple[int, Found]) -> float:
    """How far a dictionary's L0 is from the usual one, where its place says it."""
    told = _AVERAGE_L0.search(member[1].path.as_posix())
    return abs(int(told[1]) - _USUAL_L0) if told else 0.0


def _place(found: Found, source: Path) -> str:
    base = source.parent if source.is_file() else source
    return "." if found.path == base else found.path.relative_to(base).as_posix()


def _pattern(place: str, layer: int) -> str:
    """Return a place with * for the number of its layer, and for its L0."""
    place = _AVERAGE_L0.sub("average_l0_*", place)
    named = rf"((?:layers?|blocks?|h|l)[._/-]?)0*{layer}(?![0-9])"
    found, count = re.subn(named, r"\1*", place, count=1, flags=re.IGNORECASE)
    return found if count else re.sub(rf"(?<![0-9])0*{layer}(?![0-9])", "*", place, count=1)


def _layer(site: str) -> int:
    return parse_site(site).layer
