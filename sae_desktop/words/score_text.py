"""What is said of the scores of labels: how far to believe one, and what they are held against.

Free of Qt.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sae_desktop.features.reading.label_score import Figure, LabelScore, Part, Rival, Silence
from sae_desktop.words.amounts import exact_count, share_text

if TYPE_CHECKING:  # it brings the jobs' configs
    from sae_desktop.labels.scoring.config import ScoreLabelsResult

STALE = "The label has changed since it was scored."
NOT_SCORED = "The label is not scored."
RIVAL_NAMES = {
    "label": "the labels",
    "shuffled": "shuffled labels",
    "top_token": "top token alone",
    "random": "random directions",
}
SILENCE_NAMES: dict[Silence, str] = {
    "random": "any silent text",
    "same_token": "silent on the same token",
    "neighbour": "texts of the nearest features",
}
KNOWN_FROM = {
    "kept": "The index has kept all activations, so it is known where each feature is silent.",
    "read": "The model has read a part of the text again to see where each feature is silent.",
    "contexts": "The index has kept contexts alone, and no model has read its text: where a "
    "feature is silent is partly an estimate.",
}
_GOOD = 0.8


def figure_text(figure: Figure) -> str:
    """Return a figure with the ends of its interval, such as “0.82 (0.74–0.89)”."""
    if math.isnan(figure.value):
        return "–"
    return f"{figure.value:.2f} ({figure.low:.2f}–{figure.high:.2f})"


def hover_text(score: LabelScore) -> str:
    """Return how far to believe a label, in a few sentences: for hovering its score."""
    if math.isnan(score.detection.value):
        return NOT_SCORED
    told = [
        f"Detection AUROC {score.detection.value:.2f}, 95% interval {score.detection.low:.2f} to "
        f"{score.detection.high:.2f}; 0.5 is chance. {_verdict(score)}",
        f"Another feature’s label has {score.shuffled.value:.2f} here, its most frequent token "
        f"alone {score.top_token.value:.2f}.",
    ]
    if score.specificity is not None:
        told.append(f"Against texts of other features it has {figure_text(score.specificity)}.")
    if score.sensitivity is not None:
        told.append(
            f"The feature fires in {share_text(score.sensitivity.value)} of new texts made from it."
        )
        if score.sensitivity_others is not None:
            others = share_text(score.sensitivity_others)
            told.append(f"In those made from other labels it fires in {others}.")
    return " ".join(told)


def _verdict(score: LabelScore) -> str:
    if score.detection.low <= 0.5:
        return "Chance would give as much."
    if score.detection.value <= score.top_token.value:
        return "It is better than chance, but says no more than the token alone."
    return "It is good." if score.detection.value >= _GOOD else "It is better than chance."


def part_title(part: Part) -> str:
    """Return what a part of a score is of, in words."""
    for kind, name in SILENCE_NAMES.items():
        if part.name == kind:
            return name
    return f"activation {part.name.replace('-', '–')}"


def part_rows(parts: Sequence[Part]) -> list[tuple[str, ...]]:
    """Return the rows of a table: what, figure, another's label, top token alone, texts."""
    return [
        (
            part_title(part), figure_text(part.figure), _plain(part.shuffled),
            _plain(part.top_token), exact_count(part.places),
        )
        for part in parts
    ]  # fmt: skip


def _plain(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.2f}"


def rival_rows(rivals: Sequence[Rival], random_of: str) -> list[tuple[str, str, str]]:
    """Return the rows of a table: mean AUROC with its interval, over how many, of what."""
    names = dict(RIVAL_NAMES)
    if random_of == "features":
        names["random"] = "the labels on features of like density"
    return [
        (names[rival.name], figure_text(rival.figure), exact_count(rival.features))
        for rival in rivals
    ]


def scored_lines(result: ScoreLabelsResult) -> list[str]:
    """Return what scoring has brought, in sentences."""
    one = result.scored == 1
    lines = [
        f"{exact_count(result.scored)} {'label is' if one else 'labels are'} scored, "
        f"{exact_count(result.better_than_chance)} better than chance."
    ]
    if result.without:
        lines.append(
            f"{exact_count(result.without)} could not be scored: too few of their features’ "
            "firings are held out."
        )
    if result.unlabelled:
        lines.append(f"{exact_count(result.unlabelled)} features have neither label nor name.")
    return [*lines, KNOWN_FROM[result.known_from]]
