"""What is said of a steered text, and what to try next."""

from __future__ import annotations

import msgspec
import pytest

from sae_desktop.features.reading.known_strength import KnownStrength
from sae_desktop.steering.breaking import BROKEN_PERPLEXITY, BROKEN_REPETITION, TURNED
from sae_desktop.steering.config import (
    PLAIN,
    Intervention,
    OutputToken,
    VariantResult,
    clamped,
)
from sae_desktop.steering.controls import random_control
from sae_desktop.words.steering_verdict import plain_beside, steering_verdict, verdict_of

TOKENS = [OutputToken(text="a", log_probability=0, plain_log_probability=0, kl=0)]
WROTE = VariantResult(name="plain", prompt="p", text="a b", tokens=TOKENS, perplexity=5.0)
TURNS = VariantResult(
    name="steered", prompt="p", text="x y", tokens=TOKENS, perplexity=6.0, own=0.3, plain_own=0.05,
    typical_strength=0.5,
)  # fmt: skip
WORKS = KnownStrength(verdict="works", suggested=2.0, turn=0.2, low=-1.0, high=2.4)
BREAKS = KnownStrength(verdict="breaks_first", suggested=None, turn=0.0, low=-1.0, high=1.4)


def said(changes: dict[str, object], strength: float, known: KnownStrength | None = None) -> str:
    acts = [Intervention(feature=3, strength=strength)]
    found = steering_verdict(msgspec.structs.replace(TURNS, **changes), WROTE, acts, known)
    assert found is not None
    if found.factor is not None:  # the button brings what the sentence says
        told = found.sentence.split("try ")[1].rstrip("×.").replace("−", "-")
        assert strength * found.factor == pytest.approx(float(told))
    return found.sentence


SAME = {"text": "a b", "own": 0.05}
CHANGED = {"own": 0.05 + TURNED / 2}
REPEATS = {"repetition": BROKEN_REPETITION}
UNLIKELY = {"perplexity": 5.0 * BROKEN_PERPLEXITY + 1}


@pytest.mark.parametrize(
    ("changes", "strength", "known", "sentence"),
    [
        ({}, 2.0, WORKS,
         "It turns and stays whole: 30% of its tokens are the feature’s own, 5% in the plain "
         "text."),
        (SAME, 0.5, WORKS, "Too weak: the text is the same as the plain one; try 2×."),
        (SAME, 0.5, None, "Too weak: the text is the same as the plain one; try 1×."),
        (CHANGED, 2.0, WORKS, "The text changes, but not towards the feature; try 2.4×."),
        (CHANGED, 2.0, None, "The text changes, but not towards the feature; try 3×."),
        (CHANGED, 1.4, BREAKS, "The text changes, but not towards the feature; this feature breaks "
                               "the text before it turns it."),
        (REPEATS, 6.0, WORKS, "Too strong: it repeats itself; try 2×."),
        (REPEATS, 6.0, None, "Too strong: it repeats itself; try 4×."),
        (REPEATS, 6.0, BREAKS, "Too strong: it repeats itself; try 1.4×."),
        (UNLIKELY, -3.0, WORKS, "Too strong: it falls apart into words that the plain model would "
                                "not write; try −1×."),
    ],
)  # fmt: skip
def test_verdict__says_what_became_of_the_text_and_what_to_try(
    changes: dict[str, object], strength: float, known: KnownStrength | None, sentence: str
) -> None:
    assert said(changes, strength, known) == sentence


def test_text_turned_down__is_not_asked_to_turn_towards_the_feature() -> None:
    assert said(CHANGED, -1.0, WORKS) == "The text changes and stays whole."
    assert said({"own": 0.9}, -1.0, WORKS) == "The text changes and stays whole."


def test_several_sliders__are_turned_together() -> None:
    acts = [Intervention(feature=3, strength=2.0), Intervention(feature=4, strength=1.0)]
    broken = steering_verdict(msgspec.structs.replace(TURNS, repetition=0.9), WROTE, acts)
    assert broken is not None
    assert broken.sentence == "Too strong: it repeats itself; try all sliders a third weaker."
    assert broken.factor == pytest.approx(2 / 3)
    ablated = [Intervention(feature=3, mode="ablate")]
    same = steering_verdict(msgspec.structs.replace(TURNS, text="a b"), WROTE, ablated)
    assert same is not None
    assert same.factor is None


def test_control__is_told_what_became_of_it_and_nothing_to_try() -> None:
    (act,) = random_control(clamped({3: 1.0}).interventions).interventions
    found = steering_verdict(msgspec.structs.replace(TURNS, **CHANGED), WROTE, [act], WORKS)
    assert found is not None
    assert found.sentence == "The text changes, but not towards the feature."
    assert found.factor is None


def test_nothing_is_said__without_a_plain_text_or_a_comparison() -> None:
    acts = clamped({3: 1.0}).interventions
    assert steering_verdict(TURNS, None, acts) is None
    assert steering_verdict(WROTE, WROTE, []) is None
    uncompared = msgspec.structs.replace(WROTE, tokens=[])
    assert steering_verdict(TURNS, uncompared, acts) is None


def test_what_is_known__counts_for_one_clamped_feature_of_the_open_index_alone() -> None:
    weak = msgspec.structs.replace(TURNS, text="a b")

    def sentence(**changes: object) -> str:
        acts = [Intervention(**({"feature": 3, "strength": 0.5} | changes))]
        found = verdict_of(acts, weak, WROTE, lambda _feature: WORKS)
        assert found is not None
        return found.sentence

    assert "try 2×" in sentence()
    assert "try 1×" in sentence(index="other")
    assert "try 1×" in sentence(mode="add")


def test_plain_text__is_that_of_the_same_prompt() -> None:
    other = msgspec.structs.replace(WROTE, prompt="q")
    variants = [PLAIN, PLAIN, clamped({3: 1.0})]
    assert plain_beside(variants, [other, WROTE, TURNS], TURNS) is WROTE
    assert plain_beside(variants[1:], [other, TURNS], TURNS) is None
