"""What clusters and areas of the map are called: what their features share. Free of Qt, torch."""

from __future__ import annotations

from collections.abc import Sequence

from sae_desktop.features.reading.clusters import FactKind, Region, SharedFact
from sae_desktop.features.reading.layout import IndexInfo
from sae_desktop.language_names import language_name
from sae_desktop.words.amounts import exact_count
from sae_desktop.words.source_titles import source_title

NOTHING = "Its features share nothing that chance would not give."
_SAID: dict[FactKind, str] = {
    "label": "{}",
    "language": "{}",
    "token": "{}",
    "raised": "raises {}",
    "tokens": "{}",
    "raised_tokens": "raises {}",
    "source": "from {}",
}
_TOLD: dict[FactKind, str] = {
    "label": "have {} in their label",
    "language": "fire most on {}",
    "token": "fire most strongly on {}",
    "raised": "raise {}",
    "tokens": "fire most strongly on {}",
    "raised_tokens": "raise {}",
    "source": "fire most on texts from {}",
}
_QUOTED = ("label", "token", "raised")
_IN_A_NAME = 2


def region_name(region: Region, info: IndexInfo | None = None) -> str:
    """Return a name such as “Spanish” or “raises “the”, “a””; empty where nothing is shared.

    `info`: of the index, to call its sources by their titles.
    """
    kinds = list(dict.fromkeys(fact.kind for fact in region.facts))
    if len(kinds) > 1:  # where a text came from says less than what is in it
        kinds = [kind for kind in kinds if kind != "source"]
    if "tokens" in kinds:
        kinds = [kind for kind in kinds if kind != "raised_tokens"]
    return " · ".join(
        _SAID[kind].format(_values([f for f in region.facts if f.kind == kind], info))
        for kind in kinds[:_IN_A_NAME]
    )


def region_lines(region: Region, info: IndexInfo | None = None) -> list[str]:
    """Return what is known of a cluster or an area: how many features, and what they share."""
    noun = "feature" if region.features == 1 else "features"
    shared = [fact_line(fact, info) for fact in region.facts]
    return [f"{exact_count(region.features)} {noun}", *(shared or [NOTHING])]


def fact_line(fact: SharedFact, info: IndexInfo | None = None) -> str:
    """Return a fact as “64% raise “the”, elsewhere 2%”."""
    elsewhere = f"{fact.elsewhere:.0%}" if fact.elsewhere >= 0.005 else "under 1%"
    return (
        f"{fact.share:.0%} {_TOLD[fact.kind].format(_values([fact], info))}, elsewhere {elsewhere}"
    )


def _values(facts: Sequence[SharedFact], info: IndexInfo | None) -> str:
    return ", ".join(_value(fact, info) for fact in facts[:_IN_A_NAME])


def _value(fact: SharedFact, info: IndexInfo | None) -> str:
    if fact.kind == "language":
        return language_name(fact.value)
    if fact.kind == "source":
        return source_title(fact.value, info)
    return f"“{fact.value}”" if fact.kind in _QUOTED else fact.value
