"""What names are scored on is text they were not made from, and no copy of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from sample_index import write_sample_index

from sae_desktop.features.reading.held_out import KEPT_SHARE, HeldOut, held_out
from sae_desktop.features.reading.layout import DOCUMENT_DTYPE, PASSAGE_DTYPE
from sae_desktop.features.reading.reader import FeatureIndex


class Text:
    """An index's text alone, of documents of random tokens."""

    def __init__(self, lengths: Sequence[int], kinds: Sequence[tuple[str, str]]) -> None:
        rng = np.random.default_rng(0)
        self.documents = np.zeros(len(lengths), DOCUMENT_DTYPE)
        self.documents["source"] = [source.encode() for source, _ in kinds]
        self.documents["language"] = [language.encode() for _, language in kinds]
        self.passages = np.zeros(len(lengths), PASSAGE_DTYPE)
        self.passages["first_row"] = np.cumsum([0, *lengths[:-1]])
        self.passages["length"] = lengths
        self.passages["document"] = np.arange(len(lengths))
        self.tokens = rng.integers(0, 1000, sum(lengths)).astype(np.int32)
        self.info = self
        self.rows = sum(lengths)

    def array(self, name: str) -> np.ndarray | None:
        return np.arange(0, self.rows, 10) if name == "windows" else None

    def split(self) -> HeldOut:
        return held_out(self)  # type: ignore[arg-type]

    def share(self, documents: Sequence[int] | None = None) -> float:
        rows = np.arange(self.rows)
        if documents is not None:
            of = np.searchsorted(self.passages["first_row"], rows, side="right") - 1
            rows = rows[np.isin(of, documents)]
        return float(self.split().rows(rows).mean())


def test_documents__are_shared_out_within_their_kind() -> None:
    kinds = [("a", "en")] * 40 + [("b", "fr")] * 20
    text = Text([50 + 7 * (i % 9) for i in range(60)], kinds)
    assert text.split().by_documents
    assert text.share(range(40)) == pytest.approx(KEPT_SHARE, abs=0.05)
    assert text.share(range(40, 60)) == pytest.approx(KEPT_SHARE, abs=0.08)


def test_only_document_of_its_kind__is_what_names_are_made_from() -> None:
    text = Text([100] * 12, [("a", "en")] * 10 + [("udhr", "zu"), ("udhr", "is")])
    assert text.share([10, 11]) == 0.0
    assert text.share(range(10)) == pytest.approx(KEPT_SHARE, abs=0.1)


def test_copies__are_on_one_side() -> None:
    text = Text([90] * 30, [("a", "en")] * 30)
    for copy in range(10, 20):
        text.tokens[copy * 90 : (copy + 1) * 90] = text.tokens[5 * 90 : 6 * 90]
    split = text.split()
    sides = {bool(split.rows(np.array([copy * 90]))[0]) for copy in (5, *range(10, 20))}
    assert len(sides) == 1


def test_many_sources__are_no_kinds() -> None:
    text = Text([60] * 100, [(f"{i}.txt", "") for i in range(100)])
    assert text.share() == pytest.approx(KEPT_SHARE, abs=0.05)


def test_one_document__is_cut_into_stretches() -> None:
    text = Text([5000], [("a", "en")])
    split = text.split()
    assert not split.by_documents
    assert text.share() == pytest.approx(KEPT_SHARE, abs=0.1)
    assert not split.rows(np.array([0]))[0]


def test_split__is_the_same_again(tmp_path: Path) -> None:
    path = write_sample_index(tmp_path / "i.h5")
    one, two = (held_out(FeatureIndex(path)) for _ in range(2))
    np.testing.assert_array_equal(one.kept, two.kept)
    assert one.any
    assert not one.kept.all()
