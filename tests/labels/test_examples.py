"""Examples of a feature, held against all its activations."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
from sample_index import write_sample_index

from sae_desktop.errors import UserError
from sae_desktop.features.reading.held_out import held_out
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.labels import examples as module
from sae_desktop.labels.examples import SILENT_KINDS, Example, Examples, examples
from sae_desktop.labels.known_firings import KnownFirings
from sae_desktop.labels.row_text import LEAST_SILENT

LORD, LINES_END = 0, 4


class _Made:
    """An index with contexts alone, and the activations it was made from."""

    def __init__(self, folder: Path) -> None:
        self.index = FeatureIndex(write_sample_index(folder / "main.h5", repeats=40))
        self.acts = np.load(folder / "activations.npy")

    def of(self, feature: int, **counts: int) -> Examples:
        return examples(self.index, feature, **counts)

    def first(self, example: Example) -> int:
        return example.row - example.peak


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> _Made:
    return _Made(tmp_path_factory.mktemp("examples"))


@pytest.fixture
def whole(made: _Made, monkeypatch: pytest.MonkeyPatch) -> _Made:
    """The same as if it kept all firings."""

    def known(_index: FeatureIndex, feature: int, _firings: object) -> KnownFirings:
        rows = np.flatnonzero(made.acts[feature])
        return KnownFirings(rows, made.acts[feature][rows], None)

    monkeypatch.setattr(module, "known_firings", known)
    return made


def _all(found: Examples) -> list[Example]:
    return [*found.explain, *found.contrast, *found.test]


@pytest.mark.parametrize("feature", [LORD, LINES_END, 9, 30])
def test_firings__are_true_and_of_their_interval(made: _Made, feature: int) -> None:
    found = made.of(feature)
    fired = [e for e in _all(found) if e.fires]
    assert fired
    for example in fired:
        first = made.first(example)
        true = made.acts[feature, first : first + len(example.tokens)]
        assert np.allclose(example.activations, true, atol=0.01)
        assert example.activation == pytest.approx(true[example.peak], abs=0.01)
        assert found.edges[example.interval - 1] < example.activation
        assert example.activation <= found.edges[example.interval] + 0.01
        texts = [made.index.token(t) for t in made.index.tokens[first : first + len(true)].tolist()]
        assert list(example.tokens) == texts
    assert found.scheme == made.index.info.bucket_scheme
    assert found.intervals == made.index.info.buckets


@pytest.mark.parametrize("feature", [LORD, LINES_END, 9, 30])
def test_silent_examples__are_silent_throughout_where_all_firings_are_known(
    whole: _Made, feature: int
) -> None:
    found = whole.of(feature)
    silent = [e for e in _all(found) if not e.fires]
    assert {e.kind for e in silent} >= {"random", "neighbour"}
    for example in silent:
        first = whole.first(example)
        assert not whole.acts[feature, first : first + len(example.tokens)].any()
        assert (example.interval, example.activation, example.doubt) == (0, 0.0, 0.0)
        assert len(example.tokens) >= LEAST_SILENT
    assert found.complete


def test_same_token__is_a_token_it_fires_on_elsewhere(whole: _Made) -> None:
    feature = 30  # fires anywhere, so that each of its tokens is silent somewhere
    found = whole.of(feature)
    fires_on = set(whole.index.tokens[np.flatnonzero(whole.acts[feature])].tolist())
    same = [e for e in _all(found) if e.kind == "same_token"]
    assert same
    assert {int(whole.index.tokens[e.row]) for e in same} <= fires_on


def test_neighbours__are_contexts_of_features_named(whole: _Made) -> None:
    found = whole.of(9)
    near = {f for f, _ in whole.index.neighbours(9)} | {c.feature for c in whole.index.coactive(9)}
    for example in (e for e in _all(found) if e.kind == "neighbour"):
        assert example.of in near
        assert example.row in whole.index.arrays["contexts/row"][example.of]
        assert whole.acts[example.of, example.row] > 0


def test_without_firings__doubtful_silence_is_mostly_silence(made: _Made) -> None:
    wrong, doubts = [], []
    for feature in range(6, made.index.features):
        for example in made.of(feature).test:
            if not example.fires:
                first = made.first(example)
                true = made.acts[feature, first : first + len(example.tokens)]
                wrong.append(bool(true.any()))
                doubts.append(example.doubt)
    assert len(wrong) > 500
    assert max(doubts) > 0.0
    # The sample's densest features fire on a quarter of all rows, so some doubt is left.
    assert abs(np.mean(wrong) - np.mean(doubts)) < 0.1


def test_both_sides__share_no_document_that_is_held_out(made: _Made) -> None:
    split = held_out(made.index)
    for feature in (LORD, 9, 30):
        found = made.of(feature)
        assert found.explain
        assert found.test
        rows = np.asarray([e.row for e in (*found.explain, *found.contrast)])
        assert not split.rows(rows).any()
        assert split.rows(np.asarray([e.row for e in found.test])).all()


def test_examples__depend_on_the_seed_alone(made: _Made, tmp_path: Path) -> None:
    again = FeatureIndex(made.index.path)
    assert examples(again, 9, seed=3).test == made.of(9, seed=3).test
    assert made.of(9, seed=4).test != made.of(9, seed=3).test


def test_counts__are_not_exceeded(whole: _Made) -> None:
    found = whole.of(LINES_END, explain=2, test=3, silent=4)
    for side, most in ((found.explain, 2), (found.test, 3)):
        for interval in range(1, found.intervals + 1):
            assert sum(e.interval == interval for e in side) <= most
    for kind in SILENT_KINDS:
        assert len(found.tested(kind)) <= 4
    assert len(found.tested("firing", found.intervals)) == 3


def test_dead_feature__has_no_firings_and_random_silence(made: _Made) -> None:
    found = made.of(5)
    assert not any(e.fires for e in _all(found))
    assert found.tested("random")
    with pytest.raises(UserError, match="no feature 999"):
        made.of(999)


def test_index_without_buckets__gets_intervals_of_equal_width(
    made: _Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(made.index, "info", msgspec.structs.replace(made.index.info, buckets=0))
    found = made.of(9)
    assert found.scheme == "linear"
    assert np.allclose(np.diff(found.edges), found.edges[-1] / found.intervals)
