"""Whether a feature's strongest texts name its concept: whole words, there, in any language."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from toy_index import make_toy_index
from toy_pictures import save_picture_model

from sae_desktop.benchmark.captions.naming import named_at
from sae_desktop.benchmark.kinds.config import Strongest
from sae_desktop.benchmark.kinds.instances import read_concepts
from sae_desktop.benchmark.kinds.strongest import BEFORE, TEXTS, strongest
from sae_desktop.features.reading.facts import Context
from sae_desktop.features.reading.reader import FeatureIndex


def test_named_at__finds_whole_words_that_touch_the_place() -> None:
    text = "A horse sees a HORSEshoe"
    assert named_at(text, ["horse"], 4, 6)
    assert not named_at(text, ["horse"], 8, len(text))
    assert named_at("Straße", ["strasse"], 5, 6)  # folding makes it longer
    assert not named_at("Straße, weg", ["strasse"], 6, 11)


def _context(tokens: list[str], peak: int) -> Context:
    return Context(0, 0, 0, 1.0, tokens, np.ones(len(tokens)), peak, "", "", "", "")


@pytest.mark.parametrize(
    ("tokens", "peak", "named"),
    [
        ([" my", " ho", "rse", " ran"], 1, True),
        ([" mon", " che", "val", " noir"], 2, True),
        ([" лошадь", ".", *[" x"] * (BEFORE - 2), "!"], BEFORE, True),
        ([" лошадь", ".", *[" x"] * BEFORE, "!"], BEFORE + 2, False),
        ([" of", " ho", "pe", " horse"], 1, False),
    ],
)
def test_strongest__counts_texts_that_name_the_concept_where_they_are_strongest(
    tokens: list[str], peak: int, named: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    project = make_toy_index(tmp_path, save_picture_model(tmp_path / "model", "llava"))
    index = FeatureIndex(project.index_path("i"))
    horse = next(one for one in read_concepts() if one.name == "horse")
    feature = next(f for f in range(index.features) if len(index.strongest_slots(f)) > TEXTS)
    assert strongest(index, feature, horse) == Strongest(named=0, texts=TEXTS)
    monkeypatch.setattr(FeatureIndex, "context", lambda *_args, **_more: _context(tokens, peak))
    assert strongest(index, feature, horse) == Strongest(named=TEXTS * named, texts=TEXTS)
