"""The command `score`, on an index without a model."""

from __future__ import annotations

from pathlib import Path

from cli_process import sae_desktop
from made_names import write_made_names
from sample_index import write_sample_index

from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.project import Project

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
