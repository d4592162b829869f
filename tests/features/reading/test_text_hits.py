"""Features by a text, each with what of it answers."""

from __future__ import annotations

import numpy as np
import pytest
from sample_index import write_sample_index

from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.features.reading.search import features_with_context
from sae_desktop.features.reading.text_hits import MOST, text_hits


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> FeatureIndex:
    return FeatureIndex(write_sample_index(tmp_path_factory.mktemp("index") / "main.h5"))


@pytest.mark.parametrize("text", ["Lord", "the", "人人", "def read", "nowhere at all"])
def test_hits__are_as_many_as_the_list_would_show(index: FeatureIndex, text: str) -> None:
    hits = text_hits(index, text)
    assert hits.contexts_total == len(features_with_context(index, text))
    assert len(hits.contexts) <= MOST


def test_hits__begin_with_the_features_most_of_whose_contexts_have_the_text(
    index: FeatureIndex,
) -> None:
    hits = text_hits(index, "Lord")
    shares = [hit.share for hit in hits.contexts]
    assert shares == sorted(shares, reverse=True)
    assert hits.contexts[0].share == 1.0
    assert 0 in [hit.feature for hit in hits.contexts], "feature 0 fires on “Lord”"


def test_snippets__mark_the_text_and_the_token(index: FeatureIndex) -> None:
    hit = next(hit for hit in text_hits(index, "lord").contexts if hit.feature == 0)
    snippet = hit.snippet
    assert snippet.text[slice(*snippet.found)] == "Lord"
    assert snippet.text[slice(*snippet.token)].strip() == "Lord"
    assert "\n" not in snippet.text


def test_tokens__go_by_their_place_among_a_features_own(index: FeatureIndex) -> None:
    firing = text_hits(index, "Lord").firing
    ids = index.array("firing_tokens/ids")
    assert ids is not None
    lord = next(i for i in range(index.vocabulary_size) if index.token_bytes(i) == b" Lord")
    places = [int(np.flatnonzero(ids[feature] == lord)[0]) for feature in firing]
    assert places == sorted(places)
    assert firing[0] == 0
