"""The job that scores labels, on a small project with a model of its own."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path

import msgspec
import numpy as np
import pytest
from made_names import write_made_names

from sae_desktop.engine.run import run_job
from sae_desktop.errors import UserError
from sae_desktop.features.reading.beside import names_path
from sae_desktop.features.reading.firing_paths import firings_folder
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.jobs import SilentContext
from sae_desktop.labels.scoring.config import MEASURE, ScoreLabelsConfig, ScoreLabelsResult
from sae_desktop.project import Project
from sae_desktop.project_notes import FeatureNote, Notes


@pytest.fixture
def project(small_project: Path, tmp_path: Path) -> Project:
    shutil.copytree(small_project, tmp_path / "p")
    return Project.open(tmp_path / "p")


def config(project: Project, **settings: object) -> ScoreLabelsConfig:
    made = ScoreLabelsConfig(
        project=str(project.path), index="idx", rows=600, new_texts=2, device="cpu"
    )
    return msgspec.structs.replace(made, **settings)


def score(project: Project, **settings: object) -> ScoreLabelsResult:
    result = run_job(config(project, **settings), SilentContext())
    assert isinstance(result, ScoreLabelsResult)
    return result


def index_of(project: Project) -> FeatureIndex:
    return FeatureIndex(project.index_path("idx"))


def busy(project: Project, count: int = 4) -> list[int]:
    """Return the features that fire most."""
    return np.argsort(-np.asarray(index_of(project).columns["density"]))[:count].tolist()


def label_all(project: Project, features: list[int]) -> None:
    with closing(Notes(project.notes_path)) as notes:
        for feature in features:
            notes.save("dict", FeatureNote(feature=feature, label=f"the words of {feature}"))


def test_scores__are_kept_beside_the_index_with_what_made_them(project: Project) -> None:
    features = busy(project)
    label_all(project, features)
    result = score(project, features=features, seed=3)
    index = index_of(project)
    scores = index.scores
    assert scores is not None
    assert result.scored == len(result.scores) > 0
    for one in result.scores:
        kept = scores.score(one.feature, f"the words of {one.feature}")
        assert kept is not None
        assert kept.detection.value == pytest.approx(one.detection.value, abs=1e-3)
        assert index.columns["label_score"][one.feature] == pytest.approx(
            one.detection.value, abs=1e-3
        )
        assert one.detection.low <= one.detection.value <= one.detection.high
    assert scores.info.seed == 3
    assert scores.info.model
    assert scores.info.known_from == result.known_from == "kept"
    assert {rival.name for rival in result.rivals} == {"label", "shuffled", "top_token", "random"}
    assert result.random_of == "directions"


def test_scores__reach_the_labels_in_the_notes(project: Project) -> None:
    features = busy(project)
    label_all(project, features)
    result = score(project, features=features)
    with closing(Notes(project.notes_path)) as notes:
        for one in result.scores:
            label = notes.labels_of("dict", one.feature)[0]
            assert label.measure == MEASURE
            assert label.score == pytest.approx(one.detection.value, abs=1e-3)


def test_automatic_names__are_scored_where_there_is_no_label(project: Project) -> None:
    write_made_names(project.index_path("idx"))
    features = busy(project)
    label_all(project, features[:1])
    result = score(project, features=features, new_texts=0)
    methods = {one.feature: one.method for one in result.scores}
    assert methods.pop(features[0], "") == ""
    assert set(methods.values()) == {"statistics"}


def test_a_label_that_is_tried__is_not_kept(project: Project) -> None:
    feature = busy(project, 1)
    result = score(project, features=feature, label="“the”")
    assert result.scored == 1
    assert not result.kept
    assert index_of(project).scores is None
    with pytest.raises(UserError, match="no feature that it is of"):
        score(project, label="“the”")


def test_scores_made_in_another_way__are_not_mixed(project: Project) -> None:
    features = busy(project)
    label_all(project, features)
    score(project, features=features[:1], new_texts=0)
    score(project, features=features[1:2], new_texts=0)
    scores = index_of(project).scores
    assert scores is not None
    both = set(scores.all())
    score(project, features=features[2:3], new_texts=0, seed=9)
    scores = index_of(project).scores
    assert scores is not None
    assert both == set(features[:2])
    assert set(scores.all()) == {features[2]}


def test_without_kept_firings__the_model_reads_the_text_again(project: Project) -> None:
    features = busy(project)
    label_all(project, features)
    whole = score(project, features=features, new_texts=0)
    shutil.rmtree(firings_folder(project.index_path("idx")))
    read = score(project, features=features, new_texts=0, rows=10_000)
    assert read.known_from == "read"
    index = FeatureIndex(project.index_path("idx"))
    assert index.scores is not None
    assert index.scores.info.rows_read == index.info.rows
    # All rows were read, so that the same is known.
    assert [one.detection for one in read.scores] == [one.detection for one in whole.scores]


def test_without_model_or_firings__contexts_have_to_do(project: Project) -> None:
    features = busy(project)
    label_all(project, features)
    shutil.rmtree(firings_folder(project.index_path("idx")))
    result = score(project, features=features, rows=0, new_texts=0)
    assert result.known_from == "contexts"
    assert result.random_of in ("features", "")


def test_where_nothing_has_a_label__it_is_told(project: Project) -> None:
    names_path(project.index_path("idx")).unlink()
    project.notes_path.unlink()
    with pytest.raises(UserError, match="has a label or a name"):
        score(project)


def test_the_same_seed__gives_the_same_scores(project: Project) -> None:
    features = busy(project)
    label_all(project, features)
    first, again = (score(project, features=features, label="“the” and “of”") for _ in range(2))
    assert msgspec.json.encode(first.scores) == msgspec.json.encode(again.scores)


def test_means__are_of_all_labels_scored_in_the_same_way(project: Project) -> None:
    features = busy(project, 3)
    label_all(project, features)
    score(project, features=features[:2], new_texts=0, rows=0)
    score(project, features=features[2:], new_texts=0, rows=0)
    scores = index_of(project).scores
    assert scores is not None
    kept = [one.detection.value for one in scores.all().values()]
    (own,) = [rival for rival in scores.info.rivals if rival.name == "label"]
    assert own.features == len(kept) > 1
    assert own.figure.value == pytest.approx(np.mean(kept), abs=1e-3)
