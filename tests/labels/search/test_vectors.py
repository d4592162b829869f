"""The nearest vectors are those a plain comparison of all finds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sae_desktop.labels.search.vectors import cosines, nearest, rounded


@pytest.fixture(scope="module")
def vectors() -> np.ndarray:
    drawn = np.random.default_rng(0).normal(size=(3000, 48)).astype(np.float32)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def test_nearest__of_rounded_vectors_are_those_of_the_exact_ones(vectors: np.ndarray) -> None:
    small, asked = rounded(vectors), np.random.default_rng(1).normal(size=(20, 48)).astype("f4")
    same = 0
    for one in asked:
        places, near = nearest(small, one, 10)
        exact = vectors @ one / np.linalg.norm(one)
        best = np.argsort(-exact)[:10]
        same += len(set(places.tolist()) & set(best.tolist()))
        assert (np.diff(near) <= 1e-6).all()
        np.testing.assert_allclose(near, exact[places], atol=0.02)
        np.testing.assert_allclose(near, cosines(small[places], one), atol=6e-3)
    assert same >= 190


def test_nearest__reads_a_mapped_file(vectors: np.ndarray, tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", rounded(vectors))
    mapped = np.load(tmp_path / "v.npy", mmap_mode="r")
    in_memory = nearest(rounded(vectors), vectors[7], 5)[0]
    assert nearest(mapped, vectors[7], 5)[0].tolist() == in_memory.tolist()
    assert in_memory[0] == 7


@pytest.mark.parametrize("share", [0.0, 0.001, 0.05, 0.5, 1.0])
def test_nearest__among_some_are_the_nearest_of_these(vectors: np.ndarray, share: float) -> None:
    small, among = rounded(vectors), np.random.default_rng(2).random(len(vectors)) < share
    all_cosines = cosines(small, vectors[0])
    places, _ = nearest(small, vectors[0], 40, among)
    allowed = np.flatnonzero(among)
    assert len(places) == min(40, len(allowed))
    assert among[places].all()
    best = np.sort(all_cosines[allowed])[::-1][: len(places)]
    np.testing.assert_allclose(all_cosines[places], best, atol=6e-3)


def test_nearest__of_none_is_none() -> None:
    places, near = nearest(np.empty((0, 48), np.int8), np.ones(48, np.float32), 5)
    assert (len(places), len(near)) == (0, 0)
