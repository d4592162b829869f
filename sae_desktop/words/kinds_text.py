"""Concepts in their kinds of instance, in words. Free of Qt."""

from __future__ import annotations

from collections.abc import Sequence

from sae_desktop.benchmark.kinds.config import (
    GOOD,
    ConceptKindsResult,
    ConceptRow,
    KindArea,
    ModalScore,
    Way,
)

KIND_TITLES = {
    "en": "English",
    "de": "German",
    "fr": "French",
    "es": "Spanish",
    "ru": "Russian",
    "synonyms": "other words",
    "description": "described",
    "symbol": "symbol",
    "code": "code",
    "picture": "pictures",
}
KIND_TIPS = {
    "synonyms": "Other English words for it, or for what belongs to it alone",
    "description": "English sentences that tell what it is and never name it",
    "symbol": "The emoji, flag or figure that stands for it, in no language",
    "code": "Lines of code that do it and do not name it",
    "picture": "Drawings of it",
}
"""A language needs none: its sentences are the same but for the word."""
WAY_TITLES: dict[Way, str] = {
    "feature": "feature",
    "neuron": "neuron of the model",
    "difference of means": "difference of means",
    "random direction": "best random direction",
    "shuffled labels": "feature for shuffled words",
}
WAY_TIPS: dict[Way, str] = {
    "feature": "The feature of the dictionary that tells the concept best where it was chosen",
    "neuron": "The coordinate of the model’s own values that does, in either direction",
    "difference of means": "The mean of the concept’s instances minus that of all others, as one "
    "direction: it costs nothing to train",
    "random direction": "The best of as many random directions as there are features, up to 4,096",
    "shuffled labels": "A feature chosen where each sentence is said to be of some other concept: "
    "what choosing alone gives",
}


STRONGEST_TITLE = "Named"
STRONGEST_TIP = (
    "Of the texts in which this feature is strongest of all, how many name the concept there, in "
    "any of the languages. A high AUROC beside “0 of 6” says that the feature tells the concept "
    "from the others that are tried by something else, such as a piece of its name"
)


def learnt_text(result: ConceptKindsResult) -> str:
    """Return on what features were chosen, and what the figures are."""
    kinds = [KIND_TITLES[kind] for kind in result.learn]
    listed = " and ".join([", ".join(kinds[:-1]), kinds[-1]] if len(kinds) > 1 else kinds)
    return (
        f"Chosen on every other instance in {listed}; the figures are AUROCs on what was held "
        "out, for a concept against all the others: 1 tells it without a mistake, 0.5 is chance. "
        "“Named” says whether the texts in which the feature is strongest name the concept at all."
    )


def area_text(area: KindArea | None) -> str:
    """Return a figure of the table."""
    return "–" if area is None else f"{area.area:.2f}"


def interval_text(area: KindArea) -> str:
    """Return a figure with its interval and of how many instances it is."""
    count = "1 instance" if area.instances == 1 else f"{area.instances:,} instances"
    return (
        f"AUROC {area.area:.3f}, 95% interval {area.low:.3f}–{area.high:.3f} for other instances "
        f"of this kind, from {count} of the concept against {area.others:,} of others"
    )


def strongest_text(row: ConceptRow) -> str:
    """Return in how many of a feature's strongest texts its concept is named."""
    found = row.strongest
    return "" if found is None else f"{found.named} of {found.texts}"


def strongest_total(rows: Sequence[ConceptRow]) -> str:
    """Return the same over concepts."""
    found = [row.strongest for row in rows if row.strongest is not None]
    return (
        f"{sum(one.named for one in found)} of {sum(one.texts for one in found)}" if found else ""
    )


def area_of(row: ConceptRow, kind: str) -> KindArea | None:
    """Return the area of a row in a kind; None where it was not measured."""
    return next((area for area in row.areas if area.kind == kind), None)


def of_way(result: ConceptKindsResult, way: Way) -> list[ConceptRow]:
    """Return one way of every concept."""
    return [row for row in result.rows if row.way == way]


def mean_area(rows: Sequence[ConceptRow], kind: str) -> float | None:
    """Return the mean over concepts; None where the kind was not measured of any."""
    found = [area.area for row in rows if (area := area_of(row, kind)) is not None]
    return sum(found) / len(found) if found else None


def found_count(rows: Sequence[ConceptRow], kind: str) -> tuple[int, int]:
    """Return for how many concepts the area is at least GOOD, and of how many it is known."""
    found = [area.area for row in rows if (area := area_of(row, kind)) is not None]
    return sum(area >= GOOD for area in found), len(found)


def modal_text(score: ModalScore) -> str:
    """Return how far features are one concept in words and pictures."""
    return (
        f"Of {score.features:,} features that fire on both, {score.same:,} have an AUROC of at "
        f"least {GOOD:g} for one and the same concept on words held out and on pictures where it "
        f"was chosen on words, and {score.other_way:,} where it was chosen on pictures. With the "
        f"pictures of other concepts in their place it is {score.by_chance:.1f} on the mean. The "
        "list has it of every feature, as the column “Same in pictures and words”."
    )
