"""Scores of labels: written beside an index, read back, and told as old once the label changed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from made_scores import made_score, write_made_scores
from sample_index import write_sample_index

from sae_desktop.features.reading.filter import FeatureFilter, Range, matching, ordered
from sae_desktop.features.reading.label_score import label_digest
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.features.reading.scores_file import COLUMN_NAMES, read_scores


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_sample_index(tmp_path / "main.h5")


def test_scores__are_read_as_they_were_written(path: Path) -> None:
    write_made_scores(path, features=[3, 7], value=0.75, method="model")
    scores = FeatureIndex(path).scores
    assert scores is not None
    assert scores.score(7) == made_score(7, "label of 7", method="model")
    assert scores.score(4) is None
    assert scores.score(-1) is None
    assert scores.score(10_000) is None
    assert scores.info.rivals[0].name == "shuffled"


def test_a_figure_that_was_not_measured__stays_unmeasured(path: Path) -> None:
    from sae_desktop.features.reading.scores_file import write_scores

    write_made_scores(path)
    own = read_scores(path, FeatureIndex(path).info)
    assert own is not None
    few = made_score(5, "l", specificity=None, sensitivity=None, sensitivity_others=None,
                     matching=0, matching_share=())  # fmt: skip
    write_scores(path, own.info, [few])
    found = FeatureIndex(path).scores
    assert found is not None
    read = found.score(5)
    assert read is not None
    assert (read.specificity, read.sensitivity, read.log_probability) == (None, None, None)
    assert read.matching_share == ()
    assert read.sensitivity_others is None


def test_a_changed_label__has_no_score(path: Path) -> None:
    write_made_scores(path)
    scores = FeatureIndex(path).scores
    assert scores is not None
    assert scores.score(3, "label of 3") is not None
    assert scores.score(3, "label of 3, corrected") is None
    assert scores.is_of(3, "label of 3")
    assert not scores.is_of(3, "label of 4")
    assert label_digest("a\ud800") != label_digest("a")


def test_columns__sort_and_filter_a_list(path: Path) -> None:
    write_made_scores(path, features=range(8))
    index = FeatureIndex(path)
    found = matching(FeatureFilter(ranges=(Range("label_score", 0.7),)), index, None)  # type: ignore[arg-type]
    assert found.tolist() == [2, 3, 6, 7]
    everything = np.arange(index.features)
    order = ordered(everything, "label_score", True, index, None)  # type: ignore[arg-type]
    assert order[:4].tolist() == [3, 7, 2, 6]
    assert order[8:].tolist() == list(range(8, index.features))  # those without come last


def test_scores_of_another_text_or_dictionary__are_passed_over(path: Path, tmp_path: Path) -> None:
    file = write_made_scores(path)
    other = write_sample_index(tmp_path / "other.h5", repeats=13)
    other.with_suffix(".scores").write_bytes(file.read_bytes())
    assert FeatureIndex(other).scores is None
    assert not set(COLUMN_NAMES) & FeatureIndex(other).columns.keys()
    of_another = write_sample_index(tmp_path / "third.h5", dictionary_hash="h")
    of_another.with_suffix(".scores").write_bytes(file.read_bytes())
    assert FeatureIndex(of_another).scores is None


def test_damaged_scores__count_as_none(path: Path) -> None:
    file = write_made_scores(path)
    data = file.read_bytes()
    file.write_bytes(data[: len(data) // 2])
    assert FeatureIndex(path).scores is None
    file.write_bytes(b"no scores")
    assert FeatureIndex(path).scores is None


def test_stale_scores__are_those_of_another_text_than_is_shown(path: Path) -> None:
    write_made_scores(path, features=range(4))
    index = FeatureIndex(path)
    assert index.scores is not None
    names = [f"label of {feature}" for feature in range(index.features)]
    assert index.scores.stale({}, names).tolist() == []
    assert index.scores.stale({2: "mine", 9: "not scored"}, names).tolist() == [2]
    assert index.scores.stale({}, []).tolist() == [0, 1, 2, 3]


def test_hidden_scores__leave_the_columns_and_come_back(path: Path) -> None:
    write_made_scores(path, features=range(4))
    index = FeatureIndex(path)
    before = index.columns["label_score"].copy()
    assert index.hide_scores(np.array([1]))
    assert np.isnan(index.columns["label_score"][1])
    assert np.isnan(index.columns["label_specificity"][1])
    assert index.columns["label_score"][2] == before[2]
    assert not index.hide_scores(np.array([1]))
    assert index.hide_scores(np.array([], np.int64))
    np.testing.assert_array_equal(index.columns["label_score"], before)
