"""Labels go out with who made them and how well they fit, and come back the same."""

from __future__ import annotations

import gzip
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from job_contexts import RecordingContext
from made_names import write_made_names
from sample_index import write_sample_index

from sae_desktop.errors import UserError
from sae_desktop.exchange.config import (
    ExportFeaturesConfig,
    ImportFeaturesConfig,
    ImportLabelsConfig,
)
from sae_desktop.exchange.delphi_explanations import read_explanations, write_explanations
from sae_desktop.exchange.features import export_features, import_features
from sae_desktop.exchange.labels import import_labels
from sae_desktop.project import Project
from sae_desktop.project_labels import (
    AGREED,
    IMPORTED,
    MODEL,
    PERSON,
    REJECTED,
    STATISTICS,
    Label,
)  # fmt: skip
from sae_desktop.project_notes import FeatureNote, Notes

EVIL = "=cmd|' /C calc'!A0 <b>\u202ebidi</b> \"quoted\", 'DROP TABLE notes;--"
TABLES = (".csv", ".tsv", ".json", ".jsonl", ".parquet")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project.open_or_create(tmp_path / "p.saeproj")
    write_made_names(write_sample_index(made.index_path("main")))
    with closing(Notes(made.notes_path)) as notes:
        scored = {"score": 0.8, "score_low": 0.7, "score_high": 0.875, "measure": "detection AUROC"}
        notes.save("dict", FeatureNote(feature=1, label="mine", author="Anna", starred=True,
                                       note="seen", tags=("law", "Latin"), rating=4))  # fmt: skip
        notes.add_labels(
            "dict",
            [
                Label(feature=1, text="by a model", method=MODEL, author="m", **scored),
                Label(feature=1, text="by another", method=MODEL, author="m", state=REJECTED),
                Label(feature=2, text=EVIL, method=MODEL, author="m", **scored),
                Label(feature=2, text="from a table", method=IMPORTED, author="labels"),
                Label(feature=3, text="agreed", method=STATISTICS, state=AGREED, **scored),
            ],
        )
        chosen = notes.labels_of("dict", 2)[1]
        notes.save("dict", notes.note("dict", 2).showing(chosen, chosen=True))
    return made


def everything(project: Project) -> tuple[list[Label], dict[int, Any]]:
    with closing(Notes(project.notes_path)) as notes:
        labels = [
            msgspec.structs.replace(label, number=0, evidence="")
            for label in notes.all_labels("dict")
        ]
        found = notes.all("dict")
    rest = {f: (n.starred, n.note, n.tags, n.label) for f, n in found.items()}
    return sorted(labels, key=lambda label: (label.feature, label.text)), rest


def write(project: Project, path: Path, **more: Any) -> None:
    config = ExportFeaturesConfig(
        project=str(project.path), index="main", path=str(path), format="labels", **more
    )
    export_features(config, RecordingContext())


def take(project: Project, path: Path) -> Any:
    config = ImportLabelsConfig(project=str(project.path), index="main", file=str(path))
    return import_labels(config, RecordingContext())


@pytest.mark.parametrize("ending", TABLES)
def test_table_of_every_label__comes_back_whole(
    project: Project, tmp_path: Path, ending: str
) -> None:
    before = everything(project)
    write(project, tmp_path / f"labels{ending}", every_label=True)
    project.notes_path.unlink()
    result = take(project, tmp_path / f"labels{ending}")
    assert everything(project) == before
    assert (result.labels, result.new, result.stars, result.notes) == (6, 6, 1, 1)
    again = take(project, tmp_path / f"labels{ending}")
    assert everything(project) == before
    assert again.new == 0


def test_table_of_shown_labels__holds_one_of_each_feature(project: Project, tmp_path: Path) -> None:
    write(project, tmp_path / "labels.json")
    rows = msgspec.json.decode((tmp_path / "labels.json").read_bytes())
    assert [(row["feature"], row["label"], row["method"]) for row in rows] == [
        (1, "mine", "person"),
        (2, "from a table", "imported"),
        (3, "agreed", "automatic"),
    ]
    assert (rows[2]["score"], rows[2]["score_low"], rows[2]["score_high"]) == (0.8, 0.7, 0.875)


def test_automatic_names__are_written_only_when_asked_and_are_marked(
    project: Project, tmp_path: Path
) -> None:
    write(project, tmp_path / "labels.json", automatic_names=True, features=[3, 4, 5])
    rows = msgspec.json.decode((tmp_path / "labels.json").read_bytes())
    assert [(r["feature"], r["label"], r["method"], r["state"], r["shown"]) for r in rows] == [
        (3, "agreed", "automatic", "agreed", True),
        (4, "name of 4", "automatic", "proposed", False),
        (5, "name of 5", "automatic", "proposed", False),
    ]


def test_label_from_elsewhere__stands_beside_ones_own(project: Project, tmp_path: Path) -> None:
    table = tmp_path / "theirs.csv"
    table.write_text("feature,label,score\n1,kings,0.9\n7,queens,\n")
    assert take(project, table).new == 2
    with closing(Notes(project.notes_path)) as notes:
        assert notes.note("dict", 1).label == "mine"
        new = next(label for label in notes.labels_of("dict", 1) if label.text == "kings")
        assert (new.method, new.author, new.score) == (IMPORTED, "theirs", 0.9)
        assert notes.note("dict", 7).label == "queens"


def test_own_label_changed_in_the_table__is_changed_and_the_earlier_one_kept(
    project: Project, tmp_path: Path
) -> None:
    write(project, tmp_path / "labels.csv", every_label=True)
    table = tmp_path / "labels.csv"
    table.write_text(table.read_text().replace("1,mine,", "1,mine and better,"))
    take(project, table)
    with closing(Notes(project.notes_path)) as notes:
        shown = notes.note("dict", 1)
        assert (shown.label, shown.method, shown.author) == ("mine and better", PERSON, "Anna")
        assert len(notes.labels_of("dict", 1)) == 3
        assert [step.text for step in notes.history("dict", 1)] == ["mine"]


def export(project: Project, folder: Path, form: Any) -> None:
    config = ExportFeaturesConfig(
        project=str(project.path), index="main", path=str(folder), format=form
    )
    export_features(config, RecordingContext())


def told(label: Label) -> tuple[Any, ...]:
    return (label.text, label.method, label.author, label.score, label.score_low,
            label.score_high, label.measure, label.shown)  # fmt: skip


def test_neuronpedia__takes_every_label_with_its_score_and_gives_it_back(
    project: Project, tmp_path: Path
) -> None:
    export(project, tmp_path / "out", "neuronpedia")
    packed = (tmp_path / "out/explanations/batch-0.jsonl.gz").read_bytes()
    lines = [msgspec.json.decode(line) for line in gzip.decompress(packed).splitlines()]
    assert [(line["index"], line["description"], line["typeName"]) for line in lines] == [
        ("1", "mine", "human"),
        ("1", "by a model", "model"),
        ("2", "from a table", "imported"),
        ("2", EVIL, "model"),
        ("3", "agreed", "automatic"),
    ]
    assert lines[1]["explanationModelName"] == "m"
    assert lines[1]["scores"][0]["value"] == 0.8
    other = Project.open_or_create(tmp_path / "o.saeproj")
    config = ImportFeaturesConfig(
        project=str(other.path), name="theirs", source=str(tmp_path / "out"), dictionary="dict"
    )
    import_features(config, RecordingContext())
    with closing(Notes(other.notes_path)) as notes, closing(Notes(project.notes_path)) as ours:
        for feature in (1, 2, 3):
            before = [told(x) for x in ours.labels_of("dict", feature) if x.state != REJECTED]
            after = notes.labels_of("dict", feature)
            assert sorted(one[:-1] for one in before) == sorted(told(x)[:-1] for x in after)
        assert notes.note("dict", 1).label == "mine"
        assert notes.note("dict", 1).note == "seen"


def test_delphi__explanations_and_scores_come_back(project: Project, tmp_path: Path) -> None:
    scored = {"score": 0.8, "score_low": 0.7, "score_high": 0.875, "measure": "detection AUROC"}
    labels = [Label(feature=2, text=EVIL, method=MODEL, author="m", made="2026-01-01", **scored),
              Label(feature=5, text="Größe", author="Anna")]  # fmt: skip
    write_explanations(tmp_path, "blocks.1.mlp", labels)
    found = read_explanations(tmp_path / "explanations")
    assert [told(label) for label in found] == [told(label) for label in labels]
    take(project, tmp_path / "explanations")
    with closing(Notes(project.notes_path)) as notes:
        five, two = notes.note("dict", 5), notes.labels_of("dict", 2)
    assert (five.label, five.method, five.author) == ("Größe", PERSON, "Anna")
    assert told(two[1])[:4] == (EVIL, MODEL, "m", 0.8)


@pytest.mark.parametrize(
    ("examples", "score"),
    [
        ([(True, True), (True, False), (False, False)], 0.75),
        ([(True, True), (False, True)], 0.5),
        ([(True, True)], None),
        ([], None),
    ],
)
def test_delphi__score_is_the_balanced_accuracy(
    tmp_path: Path, examples: list[tuple[bool, bool]], score: float | None
) -> None:
    for kind in ("explanations", "scores/fuzz", "scores/detection"):
        (tmp_path / kind).mkdir(parents=True)
    name = "m_latent3.txt"
    (tmp_path / "explanations" / name).write_text('"kings"')
    given = [{"activating": truth, "prediction": said, "correct": truth == said}
             for truth, said in examples]  # fmt: skip
    (tmp_path / "scores/detection" / name).write_text(msgspec.json.encode(given).decode())
    (label,) = read_explanations(tmp_path / "explanations")
    assert (label.text, label.method, label.author) == ("kings", IMPORTED, "Delphi")
    assert label.score == score
    (tmp_path / "scores/detection" / name).write_text("[" * 100_000)
    with pytest.raises(UserError, match="cannot be read"):
        read_explanations(tmp_path / "explanations")
