"""Kinds of instance: the shipped files, areas against brute force, and a planted feature found."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from job_contexts import RecordingContext
from sklearn.metrics import roc_auc_score
from toy_index import make_toy_index
from toy_pictures import noise_picture, save_picture_model

from sae_desktop.benchmark.kinds.areas import concept_areas
from sae_desktop.benchmark.kinds.config import WAYS, ConceptKindsConfig, ConceptKindsResult
from sae_desktop.benchmark.kinds.instances import KINDS, LANGUAGES, instances, read_concepts
from sae_desktop.benchmark.kinds.job import concept_kinds
from sae_desktop.errors import UserError
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.project import Project
from sae_desktop.resources import resource_path

_MOST_BYTES = 150_000
_FEWEST = 6
_MORE = {"a", "an", "the", "of", "in", "and", "some", "bunch"}


def test_shipped_concepts__are_thirty_with_six_instances_or_more_of_every_kind() -> None:
    concepts = read_concepts()
    groups = Counter(concept.group for concept in concepts)
    assert groups == {"animals": 7, "food": 7, "countries": 5, "colours": 4, "feelings": 4,
                      "numbers": 3}  # fmt: skip
    for concept in concepts:
        counts = Counter(one.kind for one in instances(concept))
        assert all(counts[kind] >= _FEWEST for kind in (*LANGUAGES, "synonyms", "description",
                                                        "symbol")), concept.name  # fmt: skip
        assert counts["picture"] >= 1
        assert counts["code"] in (0, _FEWEST)
        texts = [one.text for one in instances(concept) if one.kind != "picture"]
        assert len(texts) == len(set(texts)), concept.name
        assert not any("{" in text for text in texts if "print" not in text), concept.name
    files = resource_path("instances").iterdir()
    assert sum(file.stat().st_size for file in files) < _MOST_BYTES


def test_descriptions_and_code__never_name_what_they_are_of() -> None:
    for concept in read_concepts():
        words = {word for language in LANGUAGES for form in getattr(concept.told, language).values()
                 for word in re.findall(r"\w+", form.lower())} - _MORE  # fmt: skip
        # “One” is also a pronoun, and a word of one or two letters stands in every sentence.
        words = {word for word in words if len(word) > 2 and word != "one"} | {concept.name.lower()}
        words -= {"one"}
        for text in [*concept.told.description, *concept.told.code]:
            told = set(re.findall(r"\w+", text.lower()))
            assert not told & words, (concept.name, text)


def test_concept_areas__are_those_of_each_concept_against_the_others() -> None:
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 4, (60, 5)).astype(float)
    concept = rng.integers(0, 3, 60)
    found = concept_areas(scores, concept, 4)
    for number in range(3):
        for column in range(5):
            assert found[number, column] == pytest.approx(
                roc_auc_score(concept == number, scores[:, column])
            )
    assert (found[3] == 0.5).all()
    # What is an instance of two concepts stands against neither.
    things = np.arange(60)
    one, other = np.flatnonzero(concept == 0)[0], np.flatnonzero(concept == 1)[0]
    things[other] = one
    left = np.delete(np.arange(60), other)
    apart = concept_areas(scores, concept, 3, things)
    assert apart[0, 2] == pytest.approx(roc_auc_score(concept[left] == 0, scores[left, 2]))
    assert apart[2] == pytest.approx(found[2])


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("kinds")
    return make_toy_index(folder, save_picture_model(folder / "model", "llava"), training=3000)


def measured(project: Project, **more: object) -> ConceptKindsResult:
    config = ConceptKindsConfig(project=str(project.path), index="i", device="cpu", **more)
    return concept_kinds(config, RecordingContext())


@pytest.fixture(scope="module")
def drawings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drawings")
    for number, code in enumerate(("1f40e", "1f434", "1f408", "1f415")):
        noise_picture(28, 28, seed=number).save(folder / f"{code}.png")
    return folder


def test_job__gives_every_concept_and_kind_its_area_in_every_way(
    project: Project, drawings: Path
) -> None:
    chosen = ("horse", "cat", "dog")
    result = measured(project, concepts=chosen, pictures=(str(drawings),), learn=("en", "fr"))

    assert result.kinds == [kind for kind in KINDS if kind != "code"]
    assert [(row.concept, row.way) for row in result.rows] == [(c, w) for c in chosen for w in WAYS]
    for row in result.rows:
        assert [area.kind for area in row.areas] == result.kinds
        counts = {area.kind: (area.instances, area.others) for area in row.areas}
        assert counts["en"] == counts["fr"] == (3, 6)  # the half that was not chosen on
        assert counts["de"] == counts["description"] == (6, 12)
        assert counts["picture"] == ((2, 2) if row.concept == "horse" else (1, 3))
        assert all(area.low <= area.area <= area.high for area in row.areas)
    assert result.notes == ["2 of 6 drawings are missing: 1f431, 1f436."]
    assert result.modality is not None
    kept = FeatureIndex(project.index_path("i"))
    assert kept.kinds is not None
    assert (kept.kinds.info.chosen_on, kept.kinds.info.pictures) == (["en", "fr"], 4)
    assert np.isfinite(kept.columns["same_concept"]).sum() == result.modality.features
    assert (
        measured(project, concepts=chosen, pictures=(str(drawings),), learn=("en", "fr")) == result
    )
    # Chosen on words, a feature tells the words it was chosen on; chosen on shuffled ones, not so.
    learnt = {way: np.mean([r.learnt for r in result.rows if r.way == way]) for way in WAYS}
    assert learnt["feature"] > 0.6


def test_without_a_folder__the_drawings_that_ship_are_tried(project: Project) -> None:
    concepts = ("horse", "cat")
    shipped = str(resource_path("instances/drawings"))

    result = measured(project, concepts=concepts)

    assert "picture" in result.kinds
    assert result == measured(project, concepts=concepts, pictures=(shipped,))


def test_every_drawing_of_the_shipped_concepts__ships() -> None:
    folder = resource_path("instances/drawings")
    codes = {one.text for c in read_concepts() for one in instances(c) if one.kind == "picture"}
    assert codes == {path.stem for path in folder.glob("*.png")}


def test_what_cannot_be_measured__is_named(project: Project, tmp_path: Path) -> None:
    for more, said in (
        ({"concepts": ("horse",)}, "only one"),
        ({"concepts": ("horse", "unicorn")}, "no concept “unicorn”"),
        ({"learn": ("la",)}, "“la” is not among"),
        ({"pictures": (str(tmp_path),)}, "None of the"),
        ({"folder": str(tmp_path)}, "no files of concepts"),
    ):
        with pytest.raises(UserError, match=said):
            measured(project, **more)
    (tmp_path / "bad.toml").write_text('[frames]\nen = ["{the} x"]\n[a]\nsymbols = ["!"]\n'
                                       'en = { a = "b" }\n')  # fmt: skip
    with pytest.raises(UserError, match=r"bad\.toml” cannot be read .*: there is no 'the'"):
        measured(project, folder=str(tmp_path))
