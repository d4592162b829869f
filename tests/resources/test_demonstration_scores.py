"""The scores that the demonstration ships: of every name and label, beside cheap rivals."""

from __future__ import annotations

from contextlib import closing

import numpy as np
import pytest
from shipped import demonstration

from sae_desktop.features.reading.noted import stale_scores
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.project_notes import Notes

MOST_BYTES = 350_000


@pytest.mark.parametrize("name", ["builtin-L3", "builtin-L3-512"])
def test_scores__are_of_the_labels_that_ship_and_beat_their_rivals(name: str) -> None:
    project = demonstration()
    index = FeatureIndex(project.index_path(name))
    scores = index.scores
    assert scores is not None
    alive = np.flatnonzero(index.columns["density"] > 0)
    assert len(scores.all()) >= 0.95 * len(alive)
    with closing(Notes(project.notes_path)) as notes:
        assert len(stale_scores(index, notes)) <= 0.02 * len(alive)
    means = {rival.name: rival.figure for rival in scores.info.rivals}
    assert means["label"].low > means["top_token"].high
    assert means["label"].low > means["random"].high
    assert means["shuffled"].low <= 0.5 + 0.01
    assert means["shuffled"].high < 0.52
    assert scores.info.known_from == "read"
    assert np.isfinite(index.columns["label_sensitivity"]).mean() > 0.9


def test_scores__stay_small() -> None:
    folder = demonstration().path / "features"
    assert sum(path.stat().st_size for path in folder.glob("*.scores")) <= MOST_BYTES
