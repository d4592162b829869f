"""The demonstration of SmolLM2 that ships."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from sae_desktop.demonstrations import SMOLLM2, START_LIST, demonstration_copy
from sae_desktop.dictionary import load
from sae_desktop.dictionary.set_info import weights_digest
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.language_model.names import KNOWN, ModelMark
from sae_desktop.language_model.same_model import said_same
from sae_desktop.project import Project
from sae_desktop.project_lists import FeatureLists
from sae_desktop.project_notes import Notes
from sae_desktop.resources import resource_path


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return Project.open(demonstration_copy(tmp_path_factory.mktemp("own"), SMOLLM2))


@pytest.fixture(scope="module")
def index(project: Project) -> FeatureIndex:
    return FeatureIndex(project.index_path(SMOLLM2.first_index))


def test_it_is_small(project: Project) -> None:
    assert resource_path(SMOLLM2.archive).stat().st_size <= 40_000_000
    assert project.title == SMOLLM2.title
    assert not project.stores()


def test_dictionary__is_the_one_that_was_indexed(project: Project, index: FeatureIndex) -> None:
    folder = project.dictionary_path(index.info.dictionary)
    assert index.info.dictionary_hash == weights_digest(folder)
    assert load(folder).features == index.features >= 16_384


def test_features__are_named(index: FeatureIndex) -> None:
    assert index.names is not None
    alive = np.flatnonzero(index.columns["density"] > 0)
    assert len(alive) > 0.6 * index.features
    named = sum(index.names.short[int(feature)] != "" for feature in alive)
    assert named > 0.95 * len(alive)


def test_start__is_of_labelled_features_that_turn_a_text(
    project: Project, index: FeatureIndex
) -> None:
    with closing(Notes(project.notes_path)) as notes:
        found = FeatureLists(notes).read(index.info.dictionary, START_LIST)
        labels = {one: note.label for one, note in notes.all(index.info.dictionary).items()}
    assert found is not None
    assert len(found.members) >= 7
    for member in found.members:
        assert labels[member.feature]
        strength = index.strength(member.feature)
        assert strength is not None
        assert strength.verdict == "works"


def test_weights_of_the_hub__are_taken_for_the_same_model(
    project: Project, index: FeatureIndex
) -> None:
    other = ModelMark("smollm2", "model-" + "0" * 32 + "-" + "0" * 8)
    said = said_same(project.path)
    assert said.same(index.info.mark, other)
    assert said.same(index.info.mark, ModelMark(KNOWN["smollm2"].hub, other.revision))
    assert not said.same(index.info.mark, ModelMark("somebody/else", other.revision))


def test_nothing_tells_of_who_made_it(project: Project) -> None:
    for path in project.path.rglob("*"):
        if path.is_file() and path.suffix != ".safetensors":
            held = path.read_bytes()
            assert str(Path.home()).encode() + b"/" not in held, path
            assert b".saeproj/" not in held, path
