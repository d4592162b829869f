"""Whether a feature is one concept in words and pictures, in a sentence. Free of torch and Qt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sae_desktop.features.reading.label_score import Figure
from sae_desktop.features.reading.same_concept import Lacking, SameConcept
from sae_desktop.language_names import language_name

if TYPE_CHECKING:  # it brings h5py, which the window does without until an index is opened
    from sae_desktop.features.reading.kinds_file import KindScores, KindsInfo

TIP = (
    "AUROCs of the feature’s strongest activation in a sentence or picture, for one concept "
    "against all the others: 1 tells it without a mistake, 0.5 is chance. Intervals hold 95%, for "
    "other sentences and pictures of the concepts. A high figure does not make it a feature of the "
    "concept: one of the letters “an” tells Canada from the others, too. See what it fires on most"
)


def same_concept_text(scores: KindScores | None, feature: int) -> str:
    """Return what is known of a feature, or why nothing is; empty where none was measured."""
    if scores is None:
        return ""
    found = scores.score(feature)
    if found is not None:
        return " ".join((_forwards(found, scores.info), _backwards(found)))
    lacking = scores.lacking(feature)
    return "" if lacking is None else _lacking(lacking, scores.info)


def _forwards(found: SameConcept, info: KindsInfo) -> str:
    others = "" if found.languages is None else f", {found.languages:.2f} in other languages"
    return (
        f"Chosen on {_languages(info)} words for “{found.concept}” (AUROC "
        f"{found.words.value:.2f} on words held out{others}), it tells pictures of that apart at "
        f"{_interval(found.pictures)}; another concept in its place gives {found.chance:.2f}."
    )


def _backwards(found: SameConcept) -> str:
    same = "it is the same" if found.drawn == found.concept else f"it is “{found.drawn}”"
    return (
        f"Chosen on pictures {same} ({found.drawn_at:.2f} there), told apart in words at "
        f"{_interval(found.back)}; another in its place gives {found.back_chance:.2f}."
    )


def _lacking(lacking: Lacking, info: KindsInfo) -> str:
    words = f"{_languages(info)} words that concepts are chosen on"
    where = {
        "pictures": f"on none of the {info.pictures:,} pictures of concepts",
        "words": f"on none of the {words}",
        "both": f"on none of the {words} and on none of the {info.pictures:,} pictures",
    }[lacking]
    return f"Not scored as one concept in pictures and words: it fires {where}."


def _languages(info: KindsInfo) -> str:
    names = [language_name(code) for code in info.chosen_on]
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _interval(figure: Figure) -> str:
    return f"{figure.value:.2f} ({figure.low:.2f}–{figure.high:.2f})"
