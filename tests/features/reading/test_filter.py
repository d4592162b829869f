"""Which features a list shows, and in which order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sample_index import write_sample_index

from sae_desktop.errors import UserError
from sae_desktop.features.reading import filter as filters
from sae_desktop.features.reading.filter import FeatureFilter, Range, matching, ordered
from sae_desktop.features.reading.name_search import shown_names_with_text
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.language_names import language_name


class Written:
    """Marks from plain dictionaries."""

    def __init__(self, labels: dict[int, str], stars: tuple[int, ...] = ()) -> None:
        self.labels, self.stars = labels, stars

    def starred_features(self) -> Any:
        return np.asarray(self.stars, dtype=np.int64)

    def labelled_features(self) -> Any:
        order = sorted(self.labels, key=lambda f: self.labels[f].lower())
        return np.asarray(order, dtype=np.int64)

    def labelled_by(self, method: str) -> np.ndarray:
        return self.labelled_features() if not method else np.empty(0, dtype=np.int64)

    def named_features(self, index: FeatureIndex) -> np.ndarray:
        return self.labelled_features()

    def scored_features(self) -> Any:
        return np.array([4, 2]), np.array([0.5, 0.9], dtype=np.float32)

    def found_features(self, text: str) -> Any:
        words = text.lower().split()
        found = [
            f
            for f, label in self.labels.items()
            if all(any(w.startswith(t) for w in label.lower().split()) for t in words)
        ]
        return np.asarray(sorted(found), dtype=np.int64)

    def found_names(self, index: FeatureIndex, text: str) -> np.ndarray:
        return shown_names_with_text(index, text, self.labelled_features(), {})

    def list_members(self, name: str) -> Any:
        return np.array([9, 1]) if name == "mine" else None


WRITTEN = Written({2: "Golden Gate", 5: "python code"}, stars=(1, 5))


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> FeatureIndex:
    return FeatureIndex(write_sample_index(tmp_path_factory.mktemp("filter") / "main.h5"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [("2", [2, *range(20, 30)]), ("#13", [13]), ("GATE", [2]), ("02", []), ("0", [0])],
)
def test_text__is_the_beginning_of_a_number_or_words_of_a_label(
    index: FeatureIndex, text: str, expected: list[int]
) -> None:
    assert matching(FeatureFilter(text=text), index, WRITTEN).tolist() == expected


@given(st.integers(1, 3000), st.integers(0, 3100))
def test_number__equals_looking_at_every_one(count: int, wanted: int) -> None:
    found = np.flatnonzero(filters._number_begins(str(wanted), count))
    assert found.tolist() == [f for f in range(count) if str(f).startswith(str(wanted))]


def test_conditions__are_all_met(index: FeatureIndex) -> None:
    conditions = FeatureFilter(
        alive_only=True,
        ranges=(Range("density", 0.005, 0.3), Range("kurtosis", None, 2.0)),
        languages=("en", "python"),
        clusters=(-1, 0, 1, 2),
    )
    columns, names = index.columns, index.info.languages
    expected = [
        f
        for f in range(index.features)
        if columns["density"][f] > 0
        and 0.005 <= columns["density"][f] <= 0.3
        and columns["kurtosis"][f] <= 2.0
        and names[columns["language"][f]] in ("en", "python")
        and columns["cluster"][f] in (-1, 0, 1, 2)
    ]
    assert 0 < len(expected) < 64
    assert matching(conditions, index, WRITTEN).tolist() == expected
    both = FeatureFilter(starred_only=True, labelled_only=True)
    assert matching(both, index, WRITTEN).tolist() == [5]
    assert matching(FeatureFilter(dead_only=True), index, WRITTEN).tolist() == [5]
    assert matching(FeatureFilter(member_of="mine"), index, WRITTEN).tolist() == [1, 9]
    assert matching(FeatureFilter(), index, WRITTEN, among=np.array([7, 3])).tolist() == [3, 7]


def test_filter__survives_being_kept(index: FeatureIndex) -> None:
    kept = FeatureFilter(text="a", ranges=(Range("density", 0.1, None),), clusters=(3,))
    assert msgspec.json.decode(msgspec.json.encode(kept), type=FeatureFilter) == kept


@pytest.mark.parametrize(
    ("conditions", "said"),
    [
        (FeatureFilter(ranges=(Range("colour", 0, 1),)), "no column “colour”"),
        (FeatureFilter(languages=("tlh",)), "language “tlh”"),
        (FeatureFilter(member_of="theirs"), "no list “theirs”"),
    ],
)
def test_impossible_condition__is_named(
    index: FeatureIndex, conditions: FeatureFilter, said: str
) -> None:
    with pytest.raises(UserError, match=said):
        matching(conditions, index, WRITTEN)


@settings(max_examples=60)
@given(
    arrays.arrays(
        np.float32,
        st.integers(1, 40),
        elements=st.floats(-(2.0**90), 2.0**90, width=32) | st.just(np.nan),
    ),
    st.booleans(),
)
def test_order__of_any_floats_is_that_of_a_stable_sort(values: Any, falling: bool) -> None:
    keys, missing = filters._rising_bits(values), np.isnan(values)
    has = np.flatnonzero(~missing)
    order = has[filters._stable_order(keys[has], falling)]
    signed = -values[has] if falling else values[has]
    assert order.tolist() == has[np.argsort(signed, kind="stable")].tolist()


def test_order__puts_what_is_missing_last_either_way(index: FeatureIndex) -> None:
    everything = np.arange(index.features)
    up = ordered(everything, "label", False, index, WRITTEN)
    down = ordered(everything, "label", True, index, WRITTEN)
    assert up[:2].tolist() == [2, 5]
    assert down[:2].tolist() == [5, 2]
    assert up[2:].tolist() == down[2:].tolist() == [f for f in range(64) if f not in (2, 5)]
    assert ordered(everything, "score", True, index, WRITTEN)[:2].tolist() == [2, 4]
    assert ordered(everything, "starred", True, index, WRITTEN)[:2].tolist() == [1, 5]
    languages = [
        language_name(index.info.languages[i]) if i >= 0 else "~"
        for i in index.columns["language"][ordered(everything, "language", False, index, WRITTEN)]
    ]
    assert languages == sorted(languages)
    assert ordered(everything[:0], "density", True, index, WRITTEN).tolist() == []


def test_sample__is_read_with_all_its_columns(index: FeatureIndex, tmp_path: Path) -> None:
    assert {"language", "cluster", "map_x", "token"} <= set(index.columns)


def test_range__holds_both_of_its_bounds(index: FeatureIndex) -> None:
    density = index.columns["density"]
    value = float(np.sort(density[density > 0])[len(density) // 3])
    here = np.flatnonzero(density == value)
    assert len(here)
    for bounds in (Range("density", value, None), Range("density", None, value)):
        found = matching(FeatureFilter(ranges=(bounds,)), index, WRITTEN)
        assert set(here) <= set(found.tolist())
    exactly = FeatureFilter(ranges=(Range("density", value, value),))
    assert matching(exactly, index, WRITTEN).tolist() == here.tolist()
