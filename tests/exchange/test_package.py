"""A dictionary goes to another person in one file, with all that belongs to it."""

from __future__ import annotations

import json
import zipfile
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from job_contexts import RecordingContext
from made_kinds import write_made_kinds
from made_names import write_made_names
from made_scores import write_made_scores

from sae_desktop.dictionary import load
from sae_desktop.errors import UserError
from sae_desktop.exchange.config import ExportPackageConfig, ImportPackageConfig
from sae_desktop.exchange.package import export_package, import_package
from sae_desktop.exchange.package_notes import read_card
from sae_desktop.features.reading.index_file import read_info
from sae_desktop.features.reading.judged_file import read_judged, write_judged
from sae_desktop.features.reading.judgement import Judge, JudgedLabel, Judgement
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.project import Project
from sae_desktop.project_labels import MODEL, REJECTED, Label
from sae_desktop.project_lists import FeatureList, FeatureLists, ListMember
from sae_desktop.project_notes import FeatureNote, Notes


@pytest.fixture
def package(small_project: Path, tmp_path: Path) -> Path:
    project = Project.open(small_project)
    with closing(Notes(project.notes_path)) as notes:
        notes.save("dict", FeatureNote(feature=1, label="a label", score=0.5, author="Anna"))
        beside = Label(feature=1, text="beside", method=MODEL, author="m", state=REJECTED)
        notes.add_labels("dict", [beside])
        content = FeatureList(name="mine", members=[ListMember(feature=2)])
        FeatureLists(notes).write("dict", "mine", content)
    config = ExportPackageConfig(
        project=str(small_project), dictionary="dict", index="idx", licence="mit",
        about="For | tests.", path=str(tmp_path / "d.saepack"),
    )  # fmt: skip
    write_made_names(project.index_path("idx"))
    write_made_scores(project.index_path("idx"))
    digest = read_info(project.index_path("idx")).dictionary_hash
    judged = JudgedLabel(
        feature=1, label="a label", method="", scorer="detection", judge=Judge(model="m"),
        judgement=Judgement(value=0.75, low=0.5, high=1.0, chance=0.5, asked=8, answered=8,
                            as_wrong=0.75, as_right=0.75),
    )  # fmt: skip
    write_judged(project.index_path("idx"), digest, 64, [judged])
    write_made_kinds(project.index_path("idx"), digest, 64)
    result = export_package(config, RecordingContext())
    assert result.bytes == (tmp_path / "d.saepack").stat().st_size
    return tmp_path / "d.saepack"


@pytest.fixture
def other(tmp_path: Path) -> Project:
    return Project.open_or_create(tmp_path / "other.saeproj")


def bring(other: Project, file: Path, **settings: Any) -> Any:
    config = ImportPackageConfig(project=str(other.path), file=str(file), **settings)
    return import_package(config, RecordingContext())


def test_package__comes_back_with_all_that_belongs_to_it(
    small_project: Path, package: Path, other: Project
) -> None:
    result = bring(other, package, name="theirs")
    with closing(Notes(other.notes_path)) as notes:
        told = [(x.text, x.method, x.author, x.state) for x in notes.labels_of("theirs", 1)]
    assert told == [("a label", "", "Anna", "agreed"), ("beside", MODEL, "m", REJECTED)]
    assert (result.name, result.index, result.lists) == ("theirs", "theirs", 1)
    ours = Project.open(small_project)
    mine, back = load(ours.dictionary_path("dict")), load(other.dictionary_path("theirs"))
    assert torch.equal(mine.W_enc, back.W_enc)
    before = FeatureIndex(ours.index_path("idx"))
    after = FeatureIndex(other.index_path("theirs"))
    assert after.info.dictionary == "theirs"
    assert after.info.dictionary_hash == before.info.dictionary_hash
    np.testing.assert_array_equal(after.columns["density"], before.columns["density"])
    loudest = int(before.columns["density"].argmax())
    assert after.contexts(loudest)[0].tokens == before.contexts(loudest)[0].tokens
    assert list(after.short_names()) == list(before.short_names())
    assert after.name(loudest) == before.name(loudest)
    assert after.scores is not None
    assert before.scores is not None
    assert after.scores.score(loudest) == before.scores.score(loudest)
    assert after.kinds is not None
    assert before.kinds is not None
    assert after.kinds.score(loudest) == before.kinds.score(loudest) is not None
    judged = read_judged(other.index_path("theirs"), 64, after.info.dictionary_hash)
    assert judged is not None
    assert [one.judgement.value for one in judged.of(1)] == [0.75]
    with closing(Notes(other.notes_path)) as notes:
        assert notes.note("theirs", 1).label == "a label"
        kept = FeatureLists(notes).read("theirs", "mine")
    assert kept is not None
    assert kept.features == [2]
    assert [p.name for p in other.path.iterdir() if p.name.startswith(".")] == []


def test_package__says_what_it_is_without_being_unpacked(package: Path) -> None:
    card = read_card(package)
    assert (card.name, card.licence, card.model != "") == ("dict", "mit", True)
    with zipfile.ZipFile(package) as archive:
        names = archive.namelist()
        text = archive.read("README.md").decode()
    assert "license: mit" in text
    assert "For / tests." in text  # ends no cell of a table
    assert "dictionary/cfg.json" in names
    assert not [name for name in names if "checkpoint" in name]


def test_package__refuses_names_that_are_taken(package: Path, other: Project) -> None:
    bring(other, package)
    with pytest.raises(UserError, match="already a dictionary “dict”"):
        bring(other, package)


def _rewritten(package: Path, out: Path, **changed: bytes | None) -> Path:
    """A copy of a package in which some members are others, or not there."""
    with zipfile.ZipFile(package) as archive, zipfile.ZipFile(out, "w") as copy:
        for name in archive.namelist():
            key = name.replace("/", "_").replace(".", "_")
            data = changed.get(key, archive.read(name))
            if data is not None:
                copy.writestr(name, data)
    return out


def test_package__that_is_damaged_leaves_nothing(
    package: Path, other: Project, tmp_path: Path
) -> None:
    card = json.loads(zipfile.ZipFile(package).read("card.json"))
    newer = json.dumps(card | {"schema_version": 99}).encode()
    wrong = json.dumps(card | {"features": 7}).encode()
    cases: list[tuple[dict[str, bytes | None], str]] = [
        ({"card_json": None}, "is not a package"),
        ({"card_json": b"{"}, "is not a package"),
        ({"card_json": newer}, "newer SAE Desktop"),
        ({"card_json": wrong}, "not the one described on its card"),
        ({"index_h5": b"no index"}, "is not a package"),
        ({"index_names": b"no names"}, "is not a package|not an HDF5"),
        ({"index_judged": b"no judgements"}, "is not a package|not an HDF5"),
        ({"index_scores": b"no scores"}, "is not a package|not an HDF5"),
        ({"index_kinds": b"no scores"}, "is not a package|not an HDF5"),
        ({"labels_json": b"[{}]"}, "is not a package"),
        ({"labels_json": b'[{"feature": 99999999}]'}, "features that it does not have"),
        ({"labels_json": b'[{"feature": 1, "score": 7}]'}, "score is not between"),
        ({"lists_json": b'[{"name": "l", "members": [{"feature": -1}]}]'}, "it does not have"),
        ({"lists_json": b'[{"name": "l"}, {"name": "l"}]'}, "do not have distinct names"),
        ({"dictionary_sae_weights_safetensors": b"cut"}, "is not a package"),
        ({"dictionary_cfg_json": None}, "is not a package"),
    ]
    for number, (changed, error) in enumerate(cases):
        bad = _rewritten(package, tmp_path / f"bad{number}.saepack", **changed)
        with pytest.raises(UserError, match=error):
            bring(other, bad)
    with zipfile.ZipFile(tmp_path / "evil.saepack", "w") as archive:
        archive.writestr("card.json", json.dumps(card))
        archive.writestr("../out.txt", "x")
    with pytest.raises(UserError, match="points outside its folder"):
        bring(other, tmp_path / "evil.saepack")
    (tmp_path / "cut.saepack").write_bytes(package.read_bytes()[:-200])
    with pytest.raises(UserError, match="is not a package"):
        bring(other, tmp_path / "cut.saepack")
    assert other.dictionaries() == []
    assert other.indexes() == []
    assert not (tmp_path / "out.txt").exists()


def test_export__refuses_another_ending_and_another_dictionarys_index(
    small_project: Path, tmp_path: Path
) -> None:
    config = ExportPackageConfig(
        project=str(small_project), dictionary="dict", index="idx", path=str(tmp_path / "d.zip")
    )
    with pytest.raises(UserError, match=r"“d\.zip” is not a package"):
        export_package(config, RecordingContext())
    project = Project.open(small_project)
    project.dictionary_path("dict").rename(project.dictionary_path("second"))
    other = msgspec.structs.replace(config, dictionary="second", path=str(tmp_path / "d.saepack"))
    with pytest.raises(UserError, match="belongs to the dictionary “dict”, not to “second”"):
        export_package(other, RecordingContext())
    assert not (tmp_path / "d.saepack").exists()
