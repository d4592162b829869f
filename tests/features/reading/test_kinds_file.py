"""Scores of one concept in words and pictures as columns: sorted, filtered, told and exported."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from cli_process import sae_desktop
from made_kinds import UNSCORED, write_made_kinds
from sample_index import write_sample_index

from sae_desktop.errors import UserError
from sae_desktop.exchange.records import records_of
from sae_desktop.features.reading.filter import FeatureFilter, Range, matching, ordered
from sae_desktop.features.reading.index_file import read_info
from sae_desktop.features.reading.noted import NotedMarks
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.project import Project

FEATURES = 8


@pytest.fixture
def index(tmp_path: Path) -> FeatureIndex:
    project = Project.open_or_create(tmp_path / "p.saeproj")
    path = write_sample_index(project.index_path("i"), features=FEATURES, repeats=1)
    write_made_kinds(path, read_info(path).dictionary_hash, FEATURES)
    return FeatureIndex(path)


def test_features__are_sorted_and_filtered_by_how_far_they_are_one_concept(
    index: FeatureIndex,
) -> None:
    marks = NotedMarks(None, "d")
    every = np.arange(FEATURES)
    best = ordered(every, "same_concept", True, index, marks).tolist()
    assert best == [7, 6, 5, 4, 3, 1, 0, UNSCORED]
    bounds = Range("same_concept", least=0.8)
    found = matching(FeatureFilter(ranges=(bounds,)), index, marks).tolist()
    assert found == [5, 6, 7]  # .843, .911 and .98
    assert matching(FeatureFilter(concepts=("horse",)), index, marks).tolist() == [1, 3, 5, 7]
    assert matching(FeatureFilter(concepts=("cat",)), index, marks).tolist() == [0, 4, 6]
    by_name = ordered(every, "concept", False, index, marks).tolist()
    assert by_name == [0, 4, 6, 1, 3, 5, 7, UNSCORED]


def test_filter__of_a_concept_that_was_not_measured_says_which_were(index: FeatureIndex) -> None:
    with pytest.raises(UserError, match="has the concept “dog”") as told:
        matching(FeatureFilter(concepts=("dog",)), index, NotedMarks(None, "d"))
    assert told.value.next_step == "Available: cat, horse."


def test_filter__of_concepts_says_how_to_measure_them(tmp_path: Path) -> None:
    bare = FeatureIndex(write_sample_index(tmp_path / "i.h5", features=FEATURES, repeats=1))
    with pytest.raises(UserError, match="has no column “concept”") as told:
        matching(FeatureFilter(concepts=("cat",)), bare, NotedMarks(None, "d"))
    assert "concept-kinds" in told.value.next_step


def test_scores__are_in_what_commands_and_exports_say(index: FeatureIndex) -> None:
    about = (index.path.parent.parent, "--index", "i")
    listed = sae_desktop("features", *about, "--sort", "same_concept", "--json")
    features = listed.result["features"]
    assert (features[0]["id"], features[0]["concept"]) == (7, "horse")
    assert features[0]["same_concept"] == pytest.approx(0.98)
    horses = sae_desktop("features", *about, "--concept", "horse", "--json").result["features"]
    assert sorted(one["id"] for one in horses) == [1, 3, 5, 7]
    last = next(one for one in features if one["id"] == UNSCORED)
    assert (last["same_concept"], last["concept"]) == (None, None)
    page = sae_desktop("show", *about, "--feature", "7", "--json").result
    assert page["one_concept"]["pictures"] == pytest.approx({"value": 0.98, "low": 0.88, "high": 1})
    shown = sae_desktop("show", *about, "--feature", str(UNSCORED)).stdout
    assert "it fires on none of the 60 pictures" in shown
    record = next(records_of(index, None, [7]))
    assert record.concept.startswith("Chosen on English and German words for “horse” (AUROC 0.99")
    assert "another concept in its place gives 0.52" in record.concept


def test_scores__are_taken_over_anew_and_gone_beside_another_dictionary(
    index: FeatureIndex,
) -> None:
    assert "same_concept_languages" in index.columns
    write_made_kinds(index.path, "another", FEATURES)
    index.read_kinds()
    assert index.kinds is None
    assert not [name for name in index.columns if name.startswith("same_concept")]
    assert "concept" not in index.columns
