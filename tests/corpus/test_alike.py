"""Texts that are alike are grouped, and those of one template are not."""

from __future__ import annotations

import numpy as np
import pytest

from sae_desktop.corpus.alike import (
    KnownTexts,
    groups_of_documents,
    groups_of_texts,
    joined,
)

SENTENCES = [
    "The old bridge over the river was painted red again last summer.",
    "A committee of seven members rejected the proposal on Tuesday evening.",
    "Most of the recipes in this book need butter, flour and a warm oven.",
    "Photosynthesis turns light into chemical energy stored in sugars.",
    "She had never seen the northern lights before moving to Tromsø.",
    "The function returns nothing when its argument is an empty list.",
    "Когда поезд остановился, на платформе никого не было.",
    "東京では昨日の夜から雪が降り続いている。",
]
CITIES = ["Paris", "Madrid", "Rome", "Vienna", "Oslo", "Lima", "Cairo", "Tunis", "Delhi", "Hanoi"]


def pairs(groups: np.ndarray) -> set[tuple[int, int]]:
    """Return the pairs of places that share a group."""
    count = len(groups)
    return {(a, b) for a in range(count) for b in range(a + 1, count) if groups[a] == groups[b]}


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text,
        lambda text: f"  {text.upper()}!!",
        lambda text: text.replace(" ", "\n  "),
        lambda text: text + " Yes",
        lambda text: "So " + text,
        lambda text: text[: len(text) // 2] + "x" + text[len(text) // 2 :],
    ],
    ids=["equal", "case and marks", "spaces", "a word more", "a word before", "a letter more"],
)
def test_a_text_and_its_likeness__share_a_group(change: object) -> None:
    texts = SENTENCES + [change(text) for text in SENTENCES]  # type: ignore[operator]
    count = len(SENTENCES)
    assert pairs(groups_of_texts(texts)) == {(n, n + count) for n in range(count)}


def test_texts_of_one_template__are_not_alike() -> None:
    texts = [f"The capital of this country, as you may know, is {city}." for city in CITIES]
    assert pairs(groups_of_texts(texts)) == set()


def test_likeness__is_handed_on() -> None:
    text = SENTENCES[0]
    texts = [text, text + " And", text + " And green", "And green", *SENTENCES[1:]]
    groups = groups_of_texts(texts)
    assert groups[0] == groups[1] == groups[2]
    assert len(set(groups)) == len(texts) - 2


def test_no_text_and_texts_without_letters__are_grouped_without_a_fault() -> None:
    assert len(groups_of_texts([])) == 0
    groups = groups_of_texts(["", "", "!!!", "!!!", "???", "a"])
    assert pairs(groups) == {(2, 3)}


def test_documents__are_compared_by_their_tokens_wherever_their_rows_lie() -> None:
    rng = np.random.default_rng(0)
    documents = [rng.integers(0, 500, 80) for _ in range(6)]
    near = documents[2].copy()
    near[40] = 501  # one token of 80
    documents += [documents[0], near]
    tokens = np.concatenate(documents)
    number = np.repeat(np.arange(8), 80)
    groups = groups_of_documents(tokens, number, 9)
    assert pairs(groups) == {(0, 6), (2, 7)}  # the ninth has no row
    # The same with the documents' rows in another order.
    order = np.concatenate([np.flatnonzero(number == d) for d in rng.permutation(8)])
    again = groups_of_documents(tokens[order], number[order], 9)
    assert pairs(again) == {(0, 6), (2, 7)}


def test_a_long_text__is_known_by_a_sample_of_its_runs() -> None:
    rng = np.random.default_rng(1)
    words = ["".join(rng.choice(list("abcdefghij"), 5)) for _ in range(4000)]
    texts = [" ".join(words[n * 1000 : (n + 1) * 1000]) for n in range(4)]
    changed = texts[1].split()
    for place in range(0, 1000, 50):
        changed[place] = "other"
    assert pairs(groups_of_texts([*texts, " ".join(changed)])) == {(1, 4)}


def test_a_family_of_hundreds__is_found_whole_and_takes_no_other_with_it() -> None:
    rng = np.random.default_rng(2)
    plain = rng.integers(0, 3000, (700, 60))
    plain[:300] = plain[0]
    plain[np.arange(300), rng.integers(0, 60, 300)] = 3001 + np.arange(300)
    groups = groups_of_documents(plain.ravel(), np.repeat(np.arange(700), 60), 700)
    assert len(set(groups[:300])) == 1
    assert len(set(groups)) == 401


def test_what_most_texts_share__is_a_template_and_no_likeness() -> None:
    rng = np.random.default_rng(3)
    frame = rng.integers(0, 3000, 60)
    texts = np.tile(frame, (50, 1))
    texts[:, 30:33] = rng.integers(3000, 9000, (50, 3))
    groups = groups_of_documents(texts.ravel(), np.repeat(np.arange(50), 60), 50)
    assert len(set(groups)) == 50


def test_joined__follows_chains_over_both_relations() -> None:
    found = joined(np.array([5, 5, 7, 8, 9]), np.array([1, 2, 2, 3, 4]))
    assert found.tolist() == [0, 0, 0, 1, 2]


def test_known_texts__are_found_again_in_a_stream_and_templates_are_not() -> None:
    known = KnownTexts(SENTENCES[:3], SENTENCES[3:])
    assert all(known.like(text + " And so on") for text in SENTENCES[:3])
    assert not any(known.like(text) for text in SENTENCES[3:])
    assert not known.like("")
    capitals = [f"The capital of this country, as you may know, is {city}." for city in CITIES]
    template = KnownTexts(capitals[:3], capitals[3:7])
    assert not any(template.like(text) for text in capitals[7:])
    assert template.like(capitals[0])
    assert not KnownTexts([], SENTENCES).like(SENTENCES[0])
