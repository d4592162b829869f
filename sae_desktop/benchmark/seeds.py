"""Which dictionaries differ in nothing but their seeds. Free of torch and Qt."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

from sae_desktop.errors import UserError
from sae_desktop.project import Project, existing
from sae_desktop.training.run_folder import DictionarySummary, read_summary

_SEED = re.compile(r"[-_. ]?(?:seed|s)[-_ ]?(\d+)(?=$|[-_. ])", re.IGNORECASE)
"""The part of a name that says a seed, of a dictionary whose training is not known."""


@dataclass(frozen=True)
class RecipeMembers:
    """Dictionaries of one recipe, in the order of their seeds."""

    name: str
    members: tuple[DictionarySummary, ...]


def seed_of(summary: DictionarySummary) -> int | None:
    """Return the seed a dictionary was trained with; None where neither run nor name says."""
    if summary.train is not None:
        return summary.train.seed
    found = _SEED.search(summary.name)
    return None if found is None else int(found.group(1))


def recipes_of(
    project: Project, names: Iterable[str], *, siblings: bool
) -> tuple[RecipeMembers, ...]:
    """Return the recipes of some dictionaries, in the order in which they are named.

    With `siblings` each has all dictionaries of the project that it is the recipe of. Raises
    UserError for no dictionary, and for one that is not there.
    """
    there = project.all_dictionaries()
    asked = list(dict.fromkeys(existing("dictionary", name, there) for name in names))
    if not asked:
        raise UserError(
            "No dictionary is named, so there is nothing to measure.",
            next_step="Name one or more dictionaries.",
        )
    summaries = [read_summary(project.dictionary_path(name)) for name in asked]
    if siblings:
        keys = {_key(summary) for summary in summaries}
        others = [read_summary(project.dictionary_path(n)) for n in there if n not in asked]
        summaries += [other for other in others if _key(other) in keys]
    kinds: dict[bytes, list[DictionarySummary]] = {}
    for summary in summaries:
        kinds.setdefault(_key(summary), []).append(summary)
    return tuple(_recipe(members) for members in kinds.values())


def _key(summary: DictionarySummary) -> bytes:
    """Return what the dictionaries of one recipe have in common."""
    if summary.train is None:
        shape = (summary.architecture, summary.features, summary.width, summary.site)
        return msgspec.json.encode((_SEED.sub("", summary.name), *shape))
    return msgspec.json.encode(
        msgspec.structs.replace(summary.train, project="", name="", seed=0, device="")
    )


def _recipe(members: Sequence[DictionarySummary]) -> RecipeMembers:
    ordered = sorted(members, key=lambda one: (seed_of(one) or 0, one.name))
    first = ordered[0].name
    plain = _SEED.sub("", first) or first
    return RecipeMembers(first if len(ordered) == 1 else plain, tuple(ordered))
