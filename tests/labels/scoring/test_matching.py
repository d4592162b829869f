"""Places that labels apply to, and at how many of them the feature fires."""

from __future__ import annotations

import numpy as np
import pytest
from sample_index import write_sample_index

from sae_desktop.features.reading.held_out import held_out
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.labels.examples import interval_edges
from sae_desktop.labels.known_firings import KnownFirings
from sae_desktop.labels.scoring.facts import FactsDetector
from sae_desktop.labels.scoring.matching import NOTHING, Matching, MatchingPlaces

LORD = 0


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> MatchingPlaces:
    index = FeatureIndex(write_sample_index(tmp_path_factory.mktemp("m") / "main.h5", repeats=40))
    return MatchingPlaces(index, None, FactsDetector(index), 0)


def matching(places: MatchingPlaces, label: str, feature: int = LORD) -> Matching:
    index = places._index
    acts = np.load(index.path.with_name("activations.npy"))[feature]
    rows = np.flatnonzero(acts)
    edges = interval_edges(index, feature)[0]
    return places.of_label(label, KnownFirings(rows, acts[rows], None), edges)


def test_a_label_that_is_what_the_feature_does__fires_wherever_it_applies(
    places: MatchingPlaces,
) -> None:
    found = matching(places, "“Lord”")
    index = places._index
    held = held_out(index).rows(np.arange(index.info.rows))
    stands = [index.token(int(t)) == " Lord" for t in index.tokens[held]]
    assert found.places == sum(stands) > 5
    assert sum(found.shares) == pytest.approx(1.0)
    assert len(found.shares) == index.info.buckets


def test_a_label_that_applies_elsewhere_too__fires_at_a_share_of_its_places(
    places: MatchingPlaces,
) -> None:
    wide = matching(places, "“Lord” or “the”")
    assert 0.0 < sum(wide.shares) < 0.8
    assert sum(matching(places, "“the”").shares) == 0.0


def test_a_label_whose_words_stand_nowhere__applies_nowhere(places: MatchingPlaces) -> None:
    assert matching(places, "sarcasm") == NOTHING
    assert matching(places, "") == NOTHING


def test_rows_of_which_nothing_is_known__are_not_looked_at(places: MatchingPlaces) -> None:
    index = places._index
    few = MatchingPlaces(index, np.arange(50), FactsDetector(index), 0)
    assert set(few.rows.tolist()) <= set(range(50))
