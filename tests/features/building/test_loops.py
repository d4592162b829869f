"""The compiled loops over firings do what a few lines of numpy say, ties and all."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch

from sae_desktop.dictionary import Dictionary
from sae_desktop.features.building import collect
from sae_desktop.features.building.contexts import Slots, bucket_edges, chosen_rows
from sae_desktop.features.building.figures import by_name, firing_tokens, histogram, moments
from sae_desktop.features.reading.firings import FiringBlock
from sae_desktop.features.reading.index_text import IndexText, Names
from sae_desktop.features.reading.layout import BINS, DOCUMENT_DTYPE, PASSAGE_DTYPE

R, PASSAGES, VOCABULARY = 400, 40, 23


@pytest.fixture(scope="module")
def block() -> FiringBlock:
    """Five features, one silent and one that always fires; many values are equal."""
    rng = np.random.default_rng(3)
    rows = [np.flatnonzero(rng.random(R) < share) for share in (0.5, 0.0, 1.0, 0.02, 0.3)]
    values = [rng.integers(1, 9, len(own)).astype(np.float32) / 4 for own in rows]
    offsets = np.concatenate([[0], np.cumsum([len(own) for own in rows])])
    return FiringBlock(7, offsets, np.concatenate(rows), np.concatenate(values))


@pytest.fixture(scope="module")
def text() -> IndexText:
    passages, documents = np.zeros(PASSAGES, PASSAGE_DTYPE), np.zeros(PASSAGES, DOCUMENT_DTYPE)
    passages["first_row"] = np.arange(PASSAGES) * (R // PASSAGES)
    passages["length"], passages["document"] = R // PASSAGES, np.arange(PASSAGES)[::-1]
    passages["offset"] = np.arange(PASSAGES) % 3 - 1
    documents["ordinal"] = np.arange(PASSAGES) * 5
    windows = np.arange(0, R, 16)
    return IndexText(passages, documents, windows, R, np.zeros(len(windows), np.int32))


def spans(block: FiringBlock) -> list[slice]:
    return [slice(int(a), int(b)) for a, b in pairwise(block.offsets)]


def mix(x: int) -> int:
    """One step of SplitMix64."""
    x = (x + 0x9E3779B97F4A7C15) % 2**64
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) % 2**64
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) % 2**64
    return x ^ (x >> 31)


def test_contexts__are_the_strongest_of_windows_and_the_lowest_chances_of_buckets(
    block: FiringBlock, text: IndexText
) -> None:
    slots = Slots(top=6, buckets=3, per_bucket=4, scheme="linear", seed=11, reach=8)
    maxima = moments(block, R)["max_activation"]
    edges = bucket_edges(block, maxima, slots)
    passage = text.passage_of(block.rows)
    rows, values = chosen_rows(block, passage, text, edges, slots)
    for feature, span in enumerate(spans(block)):
        fired = dict(zip(block.rows[span].tolist(), block.values[span].tolist(), strict=True))
        peaks: dict[int, int] = {}
        for row, value in fired.items():
            window = row // 16
            if window not in peaks or value > fired[peaks[window]]:
                peaks[window] = row
        wanted = sorted(peaks.values(), key=lambda row: (-fired[row], row))[:6]
        for bucket in (3, 2, 1):
            low, high = edges[feature, bucket - 1], edges[feature, bucket]
            inside = [r for r, v in fired.items() if (low < v or bucket == 1) and v <= high]
            p = text.passages

            def chance(row: int, feature: int = feature, p: Any = p) -> int:
                own = p[row // (R // PASSAGES)]
                ordinal = int(text.documents["ordinal"][own["document"]])
                place = (int(own["offset"]) - int(own["first_row"]) + row) % 2**64
                return mix(mix(mix(mix(11) ^ (7 + feature)) ^ ordinal) ^ place)

            wanted += [-1] * (6 + 4 * (3 - bucket) - len(wanted))
            wanted += sorted(inside, key=lambda row: (chance(row), row))[:4]
        wanted += [-1] * (18 - len(wanted))
        assert rows[feature].tolist() == wanted
        assert values[feature].tolist() == [fired.get(row, 0.0) for row in wanted]


def test_figures__count_bins_names_and_tokens(block: FiringBlock, text: IndexText) -> None:
    rng = np.random.default_rng(5)
    tokens = rng.integers(0, VOCABULARY, len(block.rows)).astype(np.int32)
    passage = text.passage_of(block.rows)
    names = Names(["en", "fr"], np.array([1, 1]), rng.integers(-1, 2, PASSAGES))
    maxima = moments(block, R)["max_activation"]
    bins, (counts, sums) = histogram(block, maxima), by_name(block, passage, names)
    ids, times, totals = firing_tokens(block, tokens)
    for feature, span in enumerate(spans(block)):
        values, own = block.values[span].astype(float), names.of_passage[passage[span]]
        edges = float(maxima[feature]) / BINS * np.arange(BINS + 1)
        edges[-1] = np.inf
        expected = [((values >= a) & (values < b)).sum() for a, b in pairwise(edges)]
        assert bins[feature].tolist() == (expected if len(values) else [0] * BINS)
        for name in (0, 1):
            assert counts[feature, name] == (own == name).sum()
            assert sums[feature, name] == values[own == name].sum()
        often = np.bincount(tokens[span], minlength=VOCABULARY)
        order = sorted(np.flatnonzero(often).tolist(), key=lambda t: (-often[t], t))[:10]
        assert ids[feature].tolist() == order + [-1] * (10 - len(order))
        for place, token in enumerate(order):
            assert times[feature, place] == often[token]
            assert totals[feature, place] == values[tokens[span] == token].sum()


@pytest.mark.parametrize("k", [None, 5])
def test_firings_of_rows__are_those_of_encode_however_many(
    monkeypatch: pytest.MonkeyPatch, k: int | None
) -> None:
    monkeypatch.setattr(collect, "_EXPECTED", 1)  # less than there are
    generator = torch.Generator().manual_seed(0)
    W = torch.randn(6, 16, generator=generator)
    threshold = None if k else torch.linspace(-1, 1, 16)
    dictionary = Dictionary(W, torch.zeros(16), W.T.contiguous(), torch.zeros(6), threshold, k=k)
    x = torch.randn(9, 6, generator=generator)
    rows, features, values = collect._active(dictionary, x)
    dense = dictionary.encode(x).numpy()
    assert len(rows) > 9
    assert np.array_equal(np.stack([rows, features]), np.stack(np.nonzero(dense > 0)))
    assert np.array_equal(values, dense[dense > 0])
    assert [one.dtype.str for one in (rows, features, values)] == ["<i4", "<i4", "<f4"]
