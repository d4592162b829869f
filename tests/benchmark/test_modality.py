"""One concept in words and pictures: features planted, so that every figure is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from job_contexts import RecordingContext

from sae_desktop.benchmark.kinds.config import GOOD
from sae_desktop.benchmark.kinds.instances import Concept, Instance, Named
from sae_desktop.benchmark.kinds.material import Material, material_of
from sae_desktop.benchmark.kinds.modality import modal_score, modal_scores
from sae_desktop.benchmark.kinds.reading import ReadInstances
from sae_desktop.features.asking.text_classifier import PooledText
from sae_desktop.features.reading.beside import beside_index, kinds_path, read_with_index
from sae_desktop.features.reading.kinds_file import KindsInfo, open_kinds, read_kinds, write_kinds
from sae_desktop.features.reading.same_concept_text import same_concept_text
from sae_desktop.safety.scan.separation import separation

NAMES = ("horse", "cat", "dog")
SAME, OTHER, WORDS, PICTURES, SILENT, LEARNT_ALONE, HELD_OUT_ALONE, ENGLISH, COUNT = range(9)
_FRAMES, _PICTURES = 6, 2


def _instances() -> list[Instance]:
    return [
        Instance(name, kind, f"{name} {kind} {frame}", frame)
        for name in NAMES
        for kind, frames in (("en", _FRAMES), ("es", _FRAMES), ("picture", _PICTURES))
        for frame in range(frames)
    ]


def _fires(one: Instance) -> list[int]:
    """The features that fire on an instance."""
    horse, drawn, english = one.concept == "horse", one.kind == "picture", one.kind == "en"
    word, learnt = not drawn, one.frame % 2 == 0
    found = {
        SAME: horse,
        OTHER: horse if word else one.concept == "cat",
        WORDS: horse and word,
        PICTURES: horse and drawn,
        LEARNT_ALONE: horse and (drawn or learnt),
        HELD_OUT_ALONE: horse and (drawn or not learnt),
        ENGLISH: horse and (drawn or english),
    }
    return [feature for feature, fires in found.items() if fires]


@pytest.fixture(scope="module")
def material() -> Material:
    known = _instances()
    pooled = []
    for one in known:
        fires = np.array(_fires(one), np.int64)
        pooled.append(
            PooledText(fires, np.ones(len(fires), np.float32), np.empty(0, np.int32), np.zeros(1))
        )
    nothing = np.zeros((len(known), 1), np.float32)
    concepts = [Named(name, "animals", Concept(symbols=["!"]), {}) for name in NAMES]
    read = ReadInstances(pooled, nothing, nothing, nothing)
    return material_of(concepts, known, ("en",), read)


@pytest.fixture(scope="module")
def arrays(material: Material) -> dict[str, np.ndarray]:
    found = modal_scores(material, ("en",), COUNT, RecordingContext())
    assert found is not None
    assert found.chosen_on == ["en"]
    return found.arrays


def _scores(folder: Path, arrays: dict[str, np.ndarray]):
    info = KindsInfo(dictionary_hash="h", concepts=list(NAMES), chosen_on=["en"], pictures=6)
    write_kinds(folder / "i.h5", info, arrays)
    found = read_kinds(folder / "i.h5", COUNT, "h")
    assert found is not None
    return found


def test_planted_features__have_their_areas_in_words_held_out_pictures_and_languages(
    tmp_path: Path, arrays: dict[str, np.ndarray]
) -> None:
    scores = _scores(tmp_path, arrays)
    same = scores.score(SAME)
    assert same is not None
    assert (same.concept, same.drawn) == ("horse", "horse")
    areas = (same.words.value, same.pictures.value, same.languages, same.drawn_at, same.back.value)
    assert areas == (1, 1, 1, 1, 1)
    # A cat’s picture ties with a dog’s and lies below a horse’s: one half of one half.
    assert (same.chance, same.back_chance) == (0.25, 0.25)

    other = scores.score(OTHER)
    assert other is not None
    assert (other.concept, other.drawn) == ("horse", "cat")
    assert (other.words.value, other.pictures.value, other.back.value) == (1, 0.25, 0.25)
    # Of the concepts beside “horse” on pictures, and beside “cat” on words: 1 and .25.
    assert (other.chance, other.back_chance) == (0.625, 0.625)

    # What is chosen on says nothing of what is held out, nor one language of the other.
    learnt, english = scores.score(LEARNT_ALONE), scores.score(ENGLISH)
    assert learnt is not None
    assert learnt.words.value == 0.5
    assert english is not None
    assert (english.words.value, english.languages) == (1, 0.5)
    column = scores.columns["same_concept"]
    assert column[[SAME, OTHER, LEARNT_ALONE]].tolist() == [1, 0.25, 0.5]
    assert scores.columns["concept"].tolist() == [0, 0, -1, -1, -1, 0, -1, 0]
    assert scores.columns["same_concept_languages"][ENGLISH] == 0.5


def test_intervals__are_those_of_other_instances_of_the_concepts(
    tmp_path: Path, arrays: dict[str, np.ndarray]
) -> None:
    scores = _scores(tmp_path, arrays)
    found = scores.score(SAME)
    assert found is not None
    fires = np.array([1, 1, 0, 0, 0, 0.0])
    told = separation(fires, fires > 0, np.array([-1, -2, 1, 1, 2, 2]))
    assert (found.pictures.low, found.pictures.high) == pytest.approx((told.low, told.high))
    assert found.pictures.low < found.words.low < 1  # two pictures say less than three sentences
    assert scores.columns["same_concept_low"][SAME] == pytest.approx(told.low)


def test_features_without_a_score__say_on_what_they_never_fired(
    tmp_path: Path, arrays: dict[str, np.ndarray]
) -> None:
    scores = _scores(tmp_path, arrays)
    lacking = [scores.lacking(feature) for feature in range(COUNT)]
    wanted = {WORDS: "pictures", PICTURES: "words", SILENT: "both", HELD_OUT_ALONE: "words"}
    assert lacking == [wanted.get(feature) for feature in range(COUNT)]
    for feature, why in lacking_words().items():
        assert scores.score(feature) is None
        assert np.isnan(scores.columns["same_concept"][feature])
        assert why in same_concept_text(scores, feature)
    told = same_concept_text(scores, OTHER)
    assert told.startswith("Chosen on English words for “horse” (AUROC 1.00 on words held out, 1")
    assert "apart at 0.25 (" in told
    assert "it is “cat” (1.00 there)" in told
    assert same_concept_text(None, 0) == ""


def lacking_words() -> dict[int, str]:
    return {
        WORDS: "on none of the 6 pictures",
        PICTURES: "on none of the English words",
        SILENT: "and on none of the 6 pictures",
    }


def test_chance__is_the_mean_over_all_pairings_with_other_concepts(material: Material) -> None:
    found = modal_scores(material, ("en",), COUNT, RecordingContext())
    assert found is not None
    score = modal_score(found, material.names)
    # Scored: SAME, OTHER, LEARNT_ALONE, ENGLISH. The words of OTHER with the pictures of “cat”
    # are at 1, which is one of the two other concepts.
    assert (score.features, score.same, score.other_way) == (4, 2, 2)
    assert score.by_chance == 0.5
    assert {row.feature for row in score.best[:2]} == {SAME, ENGLISH}
    assert score.best[0].text >= GOOD


def test_scores__of_another_dictionary_or_damaged_count_as_none(
    tmp_path: Path, arrays: dict[str, np.ndarray]
) -> None:
    _scores(tmp_path, arrays)
    index = tmp_path / "i.h5"
    path = kinds_path(index)
    assert path in beside_index(index)
    assert path in read_with_index(index)
    assert read_kinds(index, COUNT, "another") is None
    assert read_kinds(index, COUNT + 1, "h") is None
    # A number that is of no concept is none, and does not lead beyond the names.
    wrong = {name: array.copy() for name, array in arrays.items()}
    wrong["concept"][SAME] = 7
    wrong["drawn"][OTHER] = -5
    scores = _scores(tmp_path, wrong)
    assert scores.score(SAME) is None
    assert scores.score(OTHER) is None
    assert scores.columns["concept"][[SAME, OTHER]].tolist() == [-1, -1]
    path.write_bytes(path.read_bytes()[:200])
    assert open_kinds(path, COUNT, "h") is None


def test_material_without_two_concepts_in_both__is_not_scored(material: Material) -> None:
    alone = material._replace(concept_N=np.zeros_like(material.concept_N))
    assert modal_scores(alone, ("en",), COUNT, RecordingContext()) is None
    # Where only pictures were learnt from, words of the usual languages are chosen on.
    found = modal_scores(material, ("picture",), COUNT, RecordingContext())
    assert found is not None
    assert found.chosen_on == ["en", "de", "fr"]
