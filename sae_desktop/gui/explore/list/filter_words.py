"""The conditions of a filter in words, one by one, each with the filter without it. Free of Qt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from sae_desktop.features.reading.columns import column_info
from sae_desktop.features.reading.filter import FeatureFilter, Range
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.label_words import NAMED_IN_WORDS
from sae_desktop.language_names import language_name
from sae_desktop.words.column_text import figure_of
from sae_desktop.words.picture_words import MODALITY_WORDS

MEANING = "meaning"
"""What no field of the filter holds: the engine is asked."""
SCOPES = {
    "text": (
        "In names",
        "Name, number or link",
        "Words of labels, automatic names or notes, a number, a link",
    ),
    MEANING: (
        "By meaning",
        "What it is about, such as dates",
        "Names and contexts about what you describe in your own words, the nearest first",
    ),
    "context": ("In contexts", "Words near the tokens it fires on", "Text near a context’s token"),
    "token": ("Fires on", "A token it fires on", "One of the ten tokens it fires on most often"),
    "raises": ("Raises", "A token it raises", "One of the ten tokens whose logit it raises most"),
}
"""What the field searches: title, placeholder and explanation of each field of the filter."""


@dataclass(frozen=True)
class Condition:
    """One condition, and the filter that is left when it is taken away."""

    text: str
    without: FeatureFilter


def conditions_in_words(filter_: FeatureFilter, index: FeatureIndex) -> list[Condition]:
    """Return the conditions that have no field of their own in the list: all but text and toggles.

    The search field shows `text`, the toggles alive, starred and labelled.
    """

    def without(**changes: Any) -> FeatureFilter:
        return msgspec.structs.replace(filter_, **changes)

    found = []
    if filter_.context:
        found.append(Condition(f"context “{filter_.context}”", without(context="")))
    if filter_.token:
        found.append(Condition(f"fires on “{filter_.token}”", without(token="")))
    if filter_.raises:
        found.append(Condition(f"raises “{filter_.raises}”", without(raises="")))
    for bounds in filter_.ranges:
        found.append(
            Condition(bounds_text(index, bounds), filter_.with_range(Range(bounds.column)))
        )
    if filter_.languages:
        found.append(
            Condition(" or ".join(map(language_name, filter_.languages)), without(languages=()))
        )
    if filter_.sources:
        found.append(Condition(" or ".join(filter_.sources), without(sources=())))
    if filter_.modalities:
        kinds = " or ".join(MODALITY_WORDS[kind] for kind in filter_.modalities)
        found.append(Condition(f"fires {kinds}", without(modalities=())))
    if filter_.concepts:
        found.append(Condition(f"concept {' or '.join(filter_.concepts)}", without(concepts=())))
    if filter_.clusters:
        numbers = " or ".join(str(c) for c in filter_.clusters)
        found.append(Condition(f"cluster {numbers}", without(clusters=())))
    if filter_.dead_only:
        found.append(Condition("dead", without(dead_only=False)))
    if filter_.named:
        found.append(Condition(NAMED_IN_WORDS[filter_.named], without(named="")))
    if filter_.member_of:
        found.append(Condition(f"on the list “{filter_.member_of}”", without(member_of="")))
    return found


def bounds_text(index: FeatureIndex, bounds: Range) -> str:
    """Return bounds with the column's title, such as "Density ≤ 1.0%"."""
    return f"{column_info(bounds.column).title} {range_text(index, bounds)}"


def range_text(index: FeatureIndex, bounds: Range) -> str:
    """Return bounds as text, such as "≤ 1.0%"; nothing for none."""
    least = "" if bounds.least is None else figure_of(index, bounds.column, bounds.least)
    most = "" if bounds.most is None else figure_of(index, bounds.column, bounds.most)
    if least and most:
        return f"{least} – {most}"
    return f"≥ {least}" if least else f"≤ {most}" if most else ""
