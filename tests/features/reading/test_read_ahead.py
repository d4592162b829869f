"""What a page reads of an index is asked of the system together, before it is looked at."""

from __future__ import annotations

from pathlib import Path

import pytest
from sample_index import write_sample_index

from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.storage.mapped import MappedFile


def test_page__is_asked_for_whole_before_its_contexts_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = FeatureIndex(write_sample_index(tmp_path / "i.h5"))
    feature = int(index.columns["density"].argmax())
    asked: dict[str, list[tuple[int, int]]] = {}
    monkeypatch.setattr(
        MappedFile, "will_need",
        lambda _, name, first, last: asked.setdefault(name, []).append((first, last)),
    )  # fmt: skip
    contexts = index.contexts(feature)
    by_feature = {n for n, a in index.arrays.items() if a.ndim and len(a) == index.features}
    assert len(by_feature) > 20
    assert all((feature, feature + 1) in asked[name] for name in by_feature)
    assert len(contexts) > 5
    for context in contexts:
        shown = len(context.tokens) // 2
        assert any(a <= context.row - shown and context.row + 1 <= b for a, b in asked["tokens"])
        passage = index.passages[index.passage_at(context.row)]
        assert (passage["document"], passage["document"] + 1) in asked["documents"]


def test_what_lies_outside__is_left_out(tmp_path: Path) -> None:
    index = FeatureIndex(write_sample_index(tmp_path / "i.h5"))
    rows = len(index.tokens)
    for first, last in ((-9, 3), (rows - 1, rows + 10**9), (rows + 5, rows + 9), (4, 4)):
        index._file.will_need("tokens", first, last)
    index.read_ahead(index.features - 1, 10**6)
