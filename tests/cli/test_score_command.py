"""The command `score`, on an index without a model."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from cli_process import sae_desktop
from made_names import write_made_names
from made_scores import write_made_scores
from sample_index import write_sample_index

from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.project import Project
from sae_desktop.project_notes import FeatureNote, Notes

NO_MODEL = ("--rows", "0", "--new-texts", "0")


def test_labels__are_scored_and_told_as_json_and_as_a_table(project: Project) -> None:
    path = write_sample_index(project.index_path("main"), repeats=40)
    write_made_names(path)
    place = str(project.path)
    done = sae_desktop("score", place, "--index", "main", *NO_MODEL, "--json")
    assert done.status == 0, done.stderr
    result = done.result
    assert result["scored"] > 10
    assert result["known_from"] == "contexts"
    assert [rival["name"] for rival in result["rivals"]][:3] == ["label", "shuffled", "top_token"]
    scores = FeatureIndex(path).scores
    assert scores is not None
    assert len(scores.all()) == result["scored"]
    tried = sae_desktop(
        "score", place, "--index", "main", "--feature", "0", "--label", "“Lord”", *NO_MODEL
    )
    assert tried.status == 0, tried.stderr
    assert "Feature 0: Detection AUROC" in tried.stdout
    assert "texts of the nearest features" in tried.stdout
    one = sae_desktop(
        "score", place, "--index", "main", "--feature", "0", "--label", "“Lord”", *NO_MODEL,
        "--json",
    ).result  # fmt: skip
    assert one["scores"][0]["detection"]["value"] > 0.9
    assert not one["kept"]


def test_what_cannot_be_scored__is_told(project: Project, tmp_path: Path) -> None:
    write_sample_index(project.index_path("main"))
    done = sae_desktop("score", str(project.path), "--index", "main", *NO_MODEL)
    assert done.status == 1
    assert "Name the features first" in done.stderr
    none = sae_desktop("score", str(project.path), "--index", "none")
    assert none.status == 1
    wrong = sae_desktop("score", str(project.path), "--index", "main", "--feature", "-1")
    assert wrong.status == 2


def test_score_of_a_label_that_has_changed__is_not_listed(project: Project) -> None:
    path = write_sample_index(project.index_path("main"))
    with closing(Notes(project.notes_path)) as notes:
        notes.save("dict", FeatureNote(feature=3, label="kings"))
        notes.save("dict", FeatureNote(feature=4, label="changed since"))
    write_made_scores(path, {3: "kings", 4: "queens"}.__getitem__, [3, 4])
    listed = sae_desktop(
        "features", str(project.path), "--index", "main", "--sort", "label_score", "--json"
    ).result["features"]
    assert listed[0]["id"] == 3
    scores = {feature["id"]: feature["label_score"] for feature in listed}
    assert scores[3] is not None
    assert scores[4] is None
