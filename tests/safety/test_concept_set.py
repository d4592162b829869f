"""Concept sets are read, checked and grown; what is held out is apart by template."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sae_desktop.errors import UserError
from sae_desktop.project import Project
from sae_desktop.safety.concept_file import MOST_BYTES, from_file, read_file
from sae_desktop.safety.concept_set import (
    USUAL_TEMPLATES,
    ConceptSet,
    read_set,
    read_set_file,
    shipped_sets,
)
from sae_desktop.safety.own_sets import grow

SAFETY = {
    "unsafe_code", "bias", "sycophancy", "deception", "secrecy", "power_seeking", "scams",
    "dangerous", "self_representation",
}  # fmt: skip
EVERYDAY = {"invented_citations", "needless_refusal", "prompt_leak", "language_switch"}
SMALL = """
title = "Weather"
about = "It rains."
[fill.en]
place = ["Rome", "Oslo"]
[positive.en]
train = ["It rains in {{place}} today.", ["A shower wets the roofs.", "Drops fall on the lake."]]
held_out = ["Take an umbrella to {{place}}.", "Puddles everywhere after the storm!"]
[positive.de]
held_out = ["Es regnet in Rom."]
[negative.en]
train = ["The shops of {{place}} are open.", "Bread costs two coins."]
held_out = ["A train leaves for {{place}}.", "She reads a long novel."]
"""


def write(folder: Path, text: str, name: str = "weather.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def told(found: ConceptSet, **part: bool) -> list[str]:
    return [found.texts[place].text for place in found.part(**part)]


def test_shipped_sets__are_those_of_the_paper_and_everyday_failures() -> None:
    sets = [read_set(None, name) for name in shipped_sets()]
    assert {found.name for found in sets if found.group == "safety"} == SAFETY
    assert {found.name for found in sets if found.group == "everyday"} == EVERYDAY


@pytest.mark.parametrize("name", sorted(SAFETY | EVERYDAY))
def test_shipped_set__is_large_enough_for_intervals(name: str) -> None:
    found = read_set(None, name)
    for positive in (True, False):
        assert len(found.part(positive=positive, other=False)) >= 60
        templates = [
            {found.texts[n].template for n in found.part(positive=positive, **part)}
            for part in ({"other": False}, {"other": False, "held_out": True})
        ]
        assert len(templates[1]) >= max(USUAL_TEMPLATES, len(templates[0]) / 3)
        languages = {found.texts[n].language for n in found.part(positive=positive, other=True)}
        assert len(languages) >= 3
    assert found.about
    assert not found.warnings()


def test_templates__are_filled_and_keep_their_number_and_part(tmp_path: Path) -> None:
    found = read_set_file(write(tmp_path, SMALL))
    assert told(found, positive=True, held_out=False) == [
        "It rains in Rome today.", "It rains in Oslo today.",
        "A shower wets the roofs.", "Drops fall on the lake.",
    ]  # fmt: skip
    assert [found.texts[n].template for n in found.part(positive=True, held_out=False)] == [
        0, 0, 1, 1,
    ]  # fmt: skip
    assert told(found, other=True) == ["Es regnet in Rom."]
    learnt = {t.template for t in found.texts if not t.held_out}
    assert learnt.isdisjoint({t.template for t in found.texts if t.held_out})


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("The shops of {{place}} are open.", "it rains in  Rome today."), "a positive and a neg"),
        (('"Bread costs two coins."]\nheld_out = [', '"Bread costs two coins.", '),
         "nothing of its negative texts is held out"),
        ((', "Puddles everywhere after the storm!"', ""), "have one template that is scored on"),
        (('"Bread costs two coins."', '"{{bread}} costs two coins."'), "nothing fills"),
        (("positive.de", "positive.klingon"), "“klingon” is not a language"),
        (("Puddles everywhere after the storm!", "It rains in Rome today"), "nearly the same"),
        (("about", "abuot"), "not in the form of a set"),
        (("She reads a long novel.", " "), "negative texts is empty"),
    ],
)  # fmt: skip
def test_set_that_cannot_be_used__is_refused_with_the_reason(
    tmp_path: Path, change: tuple[str, str], says: str
) -> None:
    assert change[0] in SMALL
    path = write(tmp_path, SMALL.replace(*change))
    with pytest.raises(UserError, match=says.replace("(", r"\(")) as error:
        read_set_file(path)
    assert error.value.next_step


def test_one_example__is_refused_with_how_many_are_needed(tmp_path: Path) -> None:
    rows = [{"text": "Rain falls.", "side": "positive"}]
    rows += [{"text": f"Number {n} is {n * n}.", "side": "negative"} for n in range(9)]
    path = write(tmp_path, "\n".join(map(json.dumps, rows)), "one.jsonl")
    with pytest.raises(UserError, match="has 1 different positive text, and at least 4"):
        read_set_file(path)


def test_file_that_is_too_large__is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "large.csv"
    with path.open("wb") as file:
        file.truncate(MOST_BYTES + 1)
    with pytest.raises(UserError, match="at most 8,000,000"):
        read_set_file(path)


def test_table__holds_out_every_third_template_and_never_parts_texts_that_are_alike(
    tmp_path: Path,
) -> None:
    words = ["apple", "bridge", "candle", "dragon", "engine", "forest"]
    lines = ["text,side,language"]
    for side, tail in (("positive", "shines brightly at noon"), ("negative", "lay under snow")):
        for word in words:
            lines += [f"The {word} {tail} near {word}s and {word}-makers.,{side},en"] * 2
    lines.append("Die Brücke glänzt.,1,de")
    found = read_set_file(write(tmp_path, "\n".join(lines), "table.csv"))
    own = [text for text in found.texts if text.language == "en"]
    for side in (True, False):
        kept = {text.template for text in own if text.positive == side and text.held_out}
        assert len(kept) == 2
        assert len({text.template for text in own if text.positive == side}) == 6
    assert told(found, other=True) == ["Die Brücke glänzt."]


def test_table_of_one_template__is_refused(tmp_path: Path) -> None:
    rows = [
        json.dumps({"text": f"{word} {number}", "side": word, "template": "the same"})
        for word in ("positive", "negative")
        for number in range(8)
    ]
    with pytest.raises(UserError, match="have one template that is"):
        read_set_file(write(tmp_path, "\n".join(rows), "t.jsonl"))


def test_grown_set__is_a_copy_of_the_project_and_comes_first(tmp_path: Path) -> None:
    project = Project.open_or_create(tmp_path / "p")
    before = read_set(project, "deception")
    found = grow(project, "deception", ["She lied to the court."], "positive")
    grown = read_set(project, "deception")
    assert (before.ships, grown.ships) == (True, False)
    assert grown == found
    added = [text for text in grown.texts if text not in before.texts]
    assert "She lied to the court." in [text.text for text in added]
    assert len(grown.texts) == len(before.texts) + 1
    other = grow(project, "deception", ["Mentí al tribunal."], "positive", language="es")
    assert other.texts[other.part(positive=True, other=True)[0]].held_out
    with pytest.raises(UserError, match="a positive and a negative"):
        grow(project, "deception", ["She lied to the court."], "negative")
    assert read_set(project, "deception") == other


def test_table__is_grown_into_a_file_with_the_same_parts(tmp_path: Path) -> None:
    project = Project.open_or_create(tmp_path / "p")
    folder = project.path / "concepts"
    folder.mkdir()
    rows = [
        {"text": f"{word} {side} thing", "side": side, "template": word, "held_out": place > 2}
        for side in ("positive", "negative")
        for place, word in enumerate(["red", "green", "azure", "violet", "umber"])
    ]
    write(folder, "\n".join(map(json.dumps, rows)), "own.jsonl")
    before = read_set(project, "own")
    after = grow(project, "own", ["an entirely new sentence"], "negative", held_out=True)
    told_parts = {(t.text, t.positive, t.held_out) for t in before.texts}
    assert told_parts < {(t.text, t.positive, t.held_out) for t in after.texts}
    assert len(from_file("own", read_file(folder / "own.toml")).rows) == len(before.texts) + 1


def test_check__tells_of_fillers_that_stand_on_one_side(tmp_path: Path) -> None:
    balanced = SMALL.replace("Bread costs two coins.", "Bread costs {{name}} two coins.")
    balanced = balanced.replace('["Rome", "Oslo"]', '["Rome", "Oslo"]\nname = ["Captain", "Clerk"]')
    both = balanced.replace("A train leaves for {{place}}.", "A train leaves {{name}}.")
    found = read_set_file(write(tmp_path, both))
    lines = [line for line in found.warnings() if "one side only" in line]
    assert lines == [
        "Fillers on one side only (English): “captain”, “clerk” fill up to 2 templates of the "
        "near misses and stand in no text of the positives. A feature for such a word looks like "
        "one for the concept: use them on both sides."
    ]
    one = read_set_file(write(tmp_path, balanced))  # in a single template it may be its matter
    assert not [line for line in one.warnings() if "one side only" in line]
