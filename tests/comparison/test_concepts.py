"""Lists of concepts, and where they occur in a text."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sample_index import write_sample_index

from sae_desktop.comparison.concepts import (
    Concept,
    all_lists,
    parse_concepts,
    read_concepts,
    read_list_file,
    save_concepts,
    shipped_lists,
)
from sae_desktop.comparison.occurrences import find_occurrences
from sae_desktop.errors import UserError
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.project import Project


def test_parse__reads_forms_and_remarks() -> None:
    text = "\ufeff# a list\n\nNew  York | the Big Apple # a city\nParis\n |  \n"
    assert parse_concepts(text, "x") == [
        Concept("New York", ("New York", "the Big Apple")),
        Concept("Paris", ("Paris",)),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has no concepts"),
        ("# nothing\n|\n", "has no concepts"),
        ("Paris\nRome | Paris", "“Paris” appears twice in the list “x”: on line 1 and on line 2"),
        ("\n".join(map(str, range(10_001))), "10,001 concepts"),
    ],
)
def test_parse__of_what_is_no_list_is_refused(text: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        parse_concepts(text, "x")


def test_shipped_lists__can_all_be_read(project: Project) -> None:
    assert shipped_lists() == ["animals", "cities", "countries", "elements", "programming"]
    assert all(len(read_concepts(project, name)) >= 80 for name in shipped_lists())


def test_own_lists__are_kept_in_the_project(project: Project) -> None:
    save_concepts(project, "mine", "Golden Gate | Golden Gate Bridge\n")
    assert all_lists(project) == ["mine", *shipped_lists()]
    assert [c.name for c in read_concepts(project, "mine")] == ["Golden Gate"]
    with pytest.raises(UserError, match="comes with the program"):
        save_concepts(project, "cities", "Rome")
    with pytest.raises(UserError, match="is not a valid name"):
        save_concepts(project, "../x", "Rome")
    with pytest.raises(UserError, match="has no concepts"):
        save_concepts(project, "mine", " ")
    assert [c.name for c in read_concepts(project, "mine")] == ["Golden Gate"]
    with pytest.raises(UserError, match="no list of concepts “gone”"):
        read_concepts(project, "gone")


def test_list_file__that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match=r"“x\.txt” cannot be read"):
        read_list_file(tmp_path / "x.txt")


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> FeatureIndex:
    return FeatureIndex(write_sample_index(tmp_path_factory.mktemp("i") / "i.h5", repeats=2))


def found(index: FeatureIndex, *forms: str) -> list[str]:
    """Return the text of the tokens of each occurrence."""
    places = find_occurrences(index, [Concept(forms[0], forms)])
    return [
        b"".join(index.token_bytes(int(t)) or b"" for t in index.tokens[first : last + 1]).decode()
        for first, last in zip(places.first_rows, places.last_rows, strict=True)
    ]


def test_occurrences__are_whole_words_in_whole_tokens(index: FeatureIndex) -> None:
    assert found(index, "Lord") == [" Lord"] * 6
    assert found(index, "Lor") == found(index, "ord") == []
    assert found(index, "Lord said") == [" Lord said"] * 2
    assert found(index, "buffer") == [".buffer"[1:]] * 2
    assert found(index, "light") == [" light"] * 2


def test_occurrences__of_other_scripts_lie_right(index: FeatureIndex) -> None:
    # In bytes, each its token; Chinese within a sentence without spaces.
    for form in ("尊严", "الكرامة", "חורין", "égaux"):
        assert [text.strip() for text in found(index, form)] == [form] * 2
    assert found(index, "كرامة") == []


def test_occurrences__of_a_form_in_lower_case_may_be_capital(index: FeatureIndex) -> None:
    assert found(index, "and") == ["And", " and", " and", " and"] * 2
    assert found(index, "And") == ["And"] * 2


def test_occurrences__take_the_longest_form(index: FeatureIndex) -> None:
    concepts = [Concept("Lord", ("Lord",)), Concept("Lord God", ("Lord God",))]
    places = find_occurrences(index, concepts)
    assert np.bincount(places.concepts).tolist() == [4, 2]
    rows = places.of_rows(index.info.rows)
    assert (rows >= 0).sum() == (places.last_rows - places.first_rows + 1).sum()
    for number in range(len(places.concepts)):
        marked = np.flatnonzero(rows == number)
        assert (marked[0], marked[-1]) == (places.first_rows[number], places.last_rows[number])


def test_occurrences__of_nothing_are_none(index: FeatureIndex) -> None:
    places = find_occurrences(index, [Concept("xyzzy", ("xyzzy",))])
    assert len(places.concepts) == 0
    assert (places.of_rows(7) == -1).all()
