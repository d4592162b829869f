"""Features found by the text they fire on, against looking at every context."""

from __future__ import annotations

import numpy as np
import pytest
from sample_index import write_sample_index

from sae_desktop.features.reading import search
from sae_desktop.features.reading.reader import FeatureIndex


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> FeatureIndex:
    return FeatureIndex(write_sample_index(tmp_path_factory.mktemp("search") / "main.h5"))


def _near(index: FeatureIndex, feature: int, text: str) -> bool:
    """Return whether a context has the text within NEAR tokens, read token by token."""
    for context in index.contexts(feature, None, None):
        data = [index.token_bytes(int(t)) or b"" for t in _tokens(index, context.row)]
        whole = b"".join(data).lower()
        starts = np.cumsum([0, *(len(piece) for piece in data)])
        at = whole.find(text.lower().encode())
        while at >= 0:
            first = int(np.searchsorted(starts, at, side="right")) - 1
            end = at + len(text.encode()) - 1
            last = int(np.searchsorted(starts, end, side="right")) - 1
            if first - search.NEAR <= context.peak <= last + search.NEAR:
                return True
            at = whole.find(text.lower().encode(), at + 1)
    return False


def _tokens(index: FeatureIndex, row: int) -> np.ndarray:
    passage = index.passages[index.passage_at(row)]
    first = int(passage["first_row"])
    return index.tokens[first : first + int(passage["length"])]


@pytest.mark.parametrize("text", ["Lord said", "SHEPHERD", "人人生而", "def read", "égaux", "x"])
@pytest.mark.parametrize("rows", [1 << 20, 50])
def test_context_search__equals_reading_every_context(
    index: FeatureIndex, monkeypatch: pytest.MonkeyPatch, text: str, rows: int
) -> None:
    monkeypatch.setattr(search, "_CHUNK_ROWS", rows)
    expected = [f for f in range(index.features) if _near(index, f, text)]
    assert search._with_context(index, text).tolist() == expected


def test_context_search__finds_nothing_across_two_passages(index: FeatureIndex) -> None:
    # One passage ends with "him.\n", the next begins with "In the beginning".
    assert search.features_with_context(index, ".\nIn").tolist() == []
    assert search.features_with_context(index, "").tolist() == []
    assert search.features_with_context(index, "(.*)").tolist() == []


def test_tokens__are_found_whatever_their_case_and_space(index: FeatureIndex) -> None:
    ids = search.token_ids(index, "lord")
    assert {index.token(i) for i in ids} == {" Lord"}
    assert search.token_ids(index, "no such token") == []


def test_firing_and_raising__equal_a_look_at_every_feature(index: FeatureIndex) -> None:
    for text in ("Lord", "def", ".", "。", "absent"):
        wanted = {index.token(i) for i in search.token_ids(index, text)}
        fires = [f for f in range(64) if wanted & {t.token for t in index.firing_tokens(f)}]
        raises = [f for f in range(64) if wanted & {t for t, _ in index.top_logits(f)}]
        assert search.features_firing_on(index, text).tolist() == fires
        assert search.features_raising(index, text).tolist() == raises
    assert 0 in search.features_firing_on(index, "Lord")
