"""Over which outputs two dictionaries are compared. Free of torch and Qt."""

from __future__ import annotations

from typing import NamedTuple

from sae_desktop.dictionary.ends import end_words
from sae_desktop.errors import UserError
from sae_desktop.training.run_folder import DictionarySummary


class Shared(NamedTuple):
    """Over which outputs two dictionaries are compared."""

    of_smaller: tuple[int, ...]
    of_larger: tuple[int, ...]
    """The same sites, by their numbers among the outputs of each."""
    names: tuple[str, ...] = ()
    """Empty where both write a single site."""


def shared_outputs(one: DictionarySummary, other: DictionarySummary) -> Shared:
    """Return the outputs that two dictionaries have in common.

    Two that write one site each are compared whatever the sites, which may be those of different
    layers. Raises UserError for those that have none in common, or of different widths.
    """
    ours, theirs = places_written(one), places_written(other)
    if len(ours) == len(theirs) == 1:
        if ours[0][2] != theirs[0][2]:
            raise unlike(one, other)
        return Shared((0,), (0,))
    places = {place: number for number, place in enumerate(theirs)}
    both = [(number, places[place]) for number, place in enumerate(ours) if place in places]
    if not both:
        raise UserError(
            f"The dictionaries “{one.name}” and “{other.name}” cannot be matched: no site is "
            "written by both.",
            kept="Nothing was changed.",
            next_step="Match dictionaries that write to the same sites of the same models.",
        )
    names = tuple(end_words(one.outputs[number], one.models) for number, _ in both)
    mine, others = zip(*both, strict=True)
    return Shared(mine, others, names)


def places_written(summary: DictionarySummary) -> list[tuple[str, str, int]]:
    """Return (site, model, width) of every output; what files do not tell is of one site."""
    if not summary.outputs:
        return [(summary.site_out or summary.site, "", summary.width)]
    # A first model is compared by its weights, not by its name.
    others = ("", *summary.models[1:])
    return [
        (end.site, others[end.source] or f"model {end.source}" * bool(end.source), end.width)
        for end in summary.outputs
    ]


def writes_alike(one: DictionarySummary, other: DictionarySummary) -> bool:
    """Return whether two dictionaries have an output in common."""
    return not set(places_written(one)).isdisjoint(places_written(other))


def unlike(one: DictionarySummary, other: DictionarySummary) -> UserError:
    """Return the error of two dictionaries of different models or widths."""
    return UserError(
        f"The dictionaries “{one.name}” and “{other.name}” cannot be matched: the first is for "
        f"{_told(one)}, the second for {_told(other)}.",
        kept="Nothing was changed.",
        next_step="Match dictionaries of the same model.",
    )


def _told(summary: DictionarySummary) -> str:
    model = f"“{summary.model}”" if summary.model else "an unnamed model"
    return f"{model}, width {sum(width for _, _, width in places_written(summary))}"
