"""Which features a job names or judges, and in which order."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import numpy as np
import pytest
from made_names import write_made_names
from sample_index import write_sample_index

from sae_desktop.errors import UserError
from sae_desktop.features.reading.filter import FeatureFilter, Range
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.labels.selection import Selection, select
from sae_desktop.project_lists import FeatureList, FeatureLists, ListMember, SavedFilters
from sae_desktop.project_notes import FeatureNote, Notes


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> FeatureIndex:
    path = tmp_path_factory.mktemp("selection") / "i.h5"
    write_sample_index(path)
    return FeatureIndex(path)


@pytest.fixture
def notes(tmp_path: Path, index: FeatureIndex) -> Iterator[Notes]:
    with closing(Notes(tmp_path / "notes.sqlite")) as opened:
        for feature in (1, 3):
            opened.save(index.info.dictionary, FeatureNote(feature=feature, label="a label"))
        members = [ListMember(feature=f) for f in (9, 5, 1, 4)]
        FeatureLists(opened).write(
            index.info.dictionary, "mine", FeatureList(name="mine", members=members)
        )
        conditions = FeatureFilter(ranges=(Range("density", least=0.01),))
        SavedFilters(opened).write("dense", msgspec.json.encode(conditions).decode())
        yield opened


def _chosen(index: FeatureIndex, notes: Notes | None, **selection: object) -> list[int]:
    return select(index, notes, Selection(**selection)).tolist()  # type: ignore[arg-type]


def test_selection__is_of_the_living_and_densest_first(index: FeatureIndex, notes: Notes) -> None:
    chosen = select(index, notes, Selection())
    density = np.asarray(index.columns["density"])
    assert set(chosen.tolist()) == set(np.flatnonzero(density > 0).tolist())
    assert 5 not in chosen  # it is dead
    assert (np.diff(density[chosen]) <= 0).all()
    assert np.array_equal(select(index, notes, Selection(order="number")), np.sort(chosen))


def test_selection__of_the_surest_names_takes_the_best_scored_first(
    tmp_path: Path, notes: Notes
) -> None:
    path = write_sample_index(tmp_path / "named.h5")
    assert _chosen(FeatureIndex(path), notes, order="surest") == _chosen(FeatureIndex(path), notes)
    write_made_names(path)
    index = FeatureIndex(path)
    chosen = _chosen(index, notes, order="surest")
    scores = np.asarray(index.columns["name_score"])[chosen]
    assert len(np.unique(scores)) > 1
    assert (np.diff(scores[np.isfinite(scores)]) <= 0).all()


def test_selection__without_labels_leaves_out_those_that_have_one(
    index: FeatureIndex, notes: Notes
) -> None:
    every = set(_chosen(index, notes))
    assert set(_chosen(index, notes, labelled="without")) == every - {1, 3}
    assert set(_chosen(index, notes, labelled="with")) == {1, 3}
    assert set(_chosen(index, None, labelled="without")) == every


def test_selection__of_a_list_keeps_its_order(index: FeatureIndex, notes: Notes) -> None:
    assert _chosen(index, notes, list="mine") == [9, 1, 4]
    assert _chosen(index, notes, list="mine", alive=False, labelled="without") == [9, 5, 4]
    assert _chosen(index, notes, features=(7, 2, 7, 0), limit=2) == [7, 2]


def test_selection__of_a_filter_is_what_the_filter_shows(index: FeatureIndex, notes: Notes) -> None:
    density = np.asarray(index.columns["density"])
    assert set(_chosen(index, notes, filter="dense")) == set(np.flatnonzero(density >= 0.01))
    both = _chosen(index, notes, filter="dense", list="mine")
    assert both == [f for f in (9, 1, 4) if density[f] >= 0.01]


@pytest.mark.parametrize(
    ("selection", "said"),
    [
        ({"list": "theirs"}, "no list “theirs”"),
        ({"filter": "rare"}, "no filter “rare”.*dense"),
        ({"features": (10**9,)}, "no feature 1000000000"),
        ({"features": (1,), "list": "mine"}, "one of the two"),
        ({"features": (5,)}, "is selected: number 5, alive"),
    ],
)
def test_selection__of_what_is_not_there_is_refused(
    index: FeatureIndex, notes: Notes, selection: dict[str, object], said: str
) -> None:
    with pytest.raises(UserError, match=said):
        _chosen(index, notes, **selection)
