"""Automatic names are found by their words as they are read, whatever lies beside them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from made_names import write_made_names
from sample_index import write_sample_index

from sae_desktop.features.reading import name_search
from sae_desktop.features.reading.filter import FeatureFilter, matching, read_first
from sae_desktop.features.reading.name_search import (
    best_names,
    names_with_text,
    shown_names_with_text,
)
from sae_desktop.features.reading.noted import NotedMarks
from sae_desktop.features.reading.reader import FeatureIndex

NAMES = {0: "ends in fr", 1: "French text: “de”, “la”", 2: "“les” · mostly French", 3: "unfrench",
         5: "Été in a text", 6: "“::” or “)”", 7: "人人生而"}  # fmt: skip


@pytest.fixture
def index(tmp_path: Path) -> FeatureIndex:
    path = write_sample_index(tmp_path / "i.h5")
    write_made_names(path, [NAMES.get(feature, "") for feature in range(64)])
    return FeatureIndex(path)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("French", [1, 2]),
        ("fRENCH", [1, 2]),
        ("french tex", [1]),
        ("“de”, “la”", [1]),
        ("les french", [2]),
        ("été", [5]),
        ("ÉTÉ", [5]),
        ("::", [6]),
        ("人人", [7]),
        ("frfrench", []),
        (" ", []),
        ("(.*)", []),
    ],
)
@pytest.mark.parametrize("block", [2, 1 << 14])
def test_words__are_found_where_they_begin_in_either_case(
    index: FeatureIndex, monkeypatch: pytest.MonkeyPatch, text: str, found: list[int], block: int
) -> None:
    monkeypatch.setattr(name_search, "_CHUNK_FEATURES", block)
    assert names_with_text(index, text).tolist() == found


def test_filter__finds_automatic_names_but_they_are_no_labels(index: FeatureIndex) -> None:
    marks = NotedMarks(None, "dict")
    assert matching(FeatureFilter(text="french"), index, marks).tolist() == [1, 2]
    labelled = FeatureFilter(text="french", labelled_only=True)
    assert matching(labelled, index, marks).tolist() == []


def test_name_that_is_not_shown__is_not_found(index: FeatureIndex) -> None:
    assert shown_names_with_text(index, "french", np.array([1]), {}).tolist() == [2]
    rejected = {2: {"“les” · mostly french"}, 1: {"another"}}
    found = shown_names_with_text(index, "french", np.array([], np.int64), rejected)
    assert found.tolist() == [1]


def test_best__begins_with_what_was_typed(index: FeatureIndex) -> None:
    found = np.array([1, 2])
    assert best_names(index, found, "les", 2) == [2, 1]
    assert best_names(index, found, "French", 1) == [1]


def test_very_many_names__are_read_before_a_filter_asks(
    index: FeatureIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    conditions = FeatureFilter(text="#french")
    assert read_first(index, conditions) is None
    monkeypatch.setattr(name_search, "AT_ONCE", 10)
    work = read_first(index, conditions)
    assert work is not None
    work()
    assert read_first(index, conditions) is None
    assert read_first(index, FeatureFilter()) is None


def test_names_made_again__are_searched_again(index: FeatureIndex) -> None:
    assert names_with_text(index, "dates").tolist() == []
    write_made_names(index.path, ["dates", *[""] * 63])
    index.read_names()
    assert names_with_text(index, "dates").tolist() == [0]
