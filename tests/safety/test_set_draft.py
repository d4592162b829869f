"""What is typed of a concept set becomes its file, and is shown again as it was typed."""

from __future__ import annotations

import pytest

from sae_desktop.safety.concept_file import ConceptFile, Families, Family
from sae_desktop.safety.concept_set import read_set, shipped_sets
from sae_desktop.safety.own_sets import set_file
from sae_desktop.safety.set_draft import (
    added_to,
    as_file,
    check,
    families_of,
    filled,
    fillers_of,
    held_out_by_itself,
    typed,
)


def test_lines__stand_for_templates_further_texts_and_new_lines() -> None:
    lines = "One text\n\n  indented\n+ another wording\nUser: a↵Bot: {{b}}"
    families: list[Family] = [
        "One text", ["  indented", "another wording"], "User: a\nBot: {{b}}",
    ]  # fmt: skip
    assert families_of(lines) == families
    assert families_of(typed(families)) == families
    lists = {"place": ["Rome", "Oslo"], "name": ["Ann"]}
    assert fillers_of(filled(lists)) == lists


@pytest.mark.parametrize("name", ["prompt_leak", "unsafe_code"])
def test_shipped_set__is_the_same_after_it_was_shown_as_lines(name: str) -> None:
    file = set_file(None, name)  # type: ignore[arg-type]
    for side in (file.positive, file.negative):
        for language, families in side.items():
            side[language] = Families(
                train=families_of(typed(families.train)),
                held_out=families_of(typed(families.held_out)),
            )
    assert name in shipped_sets()
    assert check(name, file).digest == read_set(None, name).digest
    assert check(name, as_file(read_set(None, name))).digest == read_set(None, name).digest


def test_every_third_template__is_held_out_with_what_is_alike() -> None:
    first = "The red bridge over the wide river near the old town fell down at noon yesterday"
    families: list[Family] = [first, "Cups drop", "Stones roll", f"{first}!", "Kites land"]
    parts = held_out_by_itself(families)
    assert parts.train == [[first, f"{first}!"], "Cups drop", "Kites land"]
    assert parts.held_out == ["Stones roll"]


def test_text_in_another_language__is_held_out() -> None:
    file = ConceptFile(title="t", positive={}, negative={})
    grown = added_to(file, ["Regen"], "positive", "de", held_out=False)
    assert grown.positive["de"].held_out == [["Regen"]]
    assert file.positive == {}
    assert added_to(file, ["rain"], "negative", "", held_out=False).negative["en"].train == [
        ["rain"]
    ]
