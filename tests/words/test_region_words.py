"""A cluster is called what its features share; its lines say how many do, here and elsewhere."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from sae_desktop.features.reading.clusters import Region, SharedFact
from sae_desktop.words.region_words import NOTHING, region_lines, region_name


def region(*facts: tuple[Any, str]) -> Region:
    made = tuple(SharedFact(kind, value, 9, 0.64, 0.003, 15.4) for kind, value in facts)
    return Region(3, 1_240, 0.0, 0.0, made)


@pytest.mark.parametrize(
    ("facts", "name"),
    [
        ([], ""),
        ([("language", "es")], "Spanish"),
        ([("token", "de"), ("token", "la"), ("token", "el")], "“de”, “la”"),
        ([("raised", "the"), ("tokens", "starts of words")], "raises “the” · starts of words"),
        ([("tokens", "numbers"), ("raised_tokens", "numbers")], "numbers"),
        ([("raised_tokens", "numbers")], "raises numbers"),
        ([("tokens", "numbers"), ("source", "kjv")], "numbers"),
        ([("source", "kjv")], "from kjv"),
        ([("label", "king"), ("language", "fr"), ("token", "roi")], "“king” · French"),
    ],
)
def test_name__tells_two_kinds_of_facts_at_most(facts: list[tuple[Any, str]], name: str) -> None:
    assert region_name(region(*facts)) == name


def test_lines__compare_with_elsewhere() -> None:
    assert region_lines(region(("raised", "the"), ("language", "es"))) == [
        "1,240 features",
        "64% raise “the”, elsewhere under 1%",
        "64% fire most on Spanish, elsewhere under 1%",
    ]
    assert region_lines(region()) == ["1,240 features", NOTHING]


def test_source__of_the_built_in_corpus_is_called_by_its_title() -> None:
    info = SimpleNamespace(corpus="builtin", texts=[])
    found = region(("source", "kjv"))
    assert region_name(found, info) == "from King James Bible"  # type: ignore[arg-type]
    (_, line) = region_lines(found, info)  # type: ignore[arg-type]
    assert "fire most on texts from King James Bible" in line
