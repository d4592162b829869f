"""An index over words and pictures: what it counts, shows and finds, against what was planted."""

from __future__ import annotations

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from lit_index import CAT, DOG, FIRST_OF_CAT, FIRST_OF_DOG, lit_config, lit_index, lit_project

from sae_desktop.cli import render
from sae_desktop.errors import UserError
from sae_desktop.features.building.index import build_index
from sae_desktop.features.building.merge import merge_indexes
from sae_desktop.features.config import MergeIndexesConfig
from sae_desktop.features.reading.comparing import compare_features
from sae_desktop.features.reading.filter import FeatureFilter, matching
from sae_desktop.features.reading.layout import OTHER_KIND, TOP_BUCKET
from sae_desktop.features.reading.noted import NotedMarks
from sae_desktop.features.reading.plain_data import feature_page
from sae_desktop.features.reading.reader import FeatureIndex
from sae_desktop.features.reading.references import check_references
from sae_desktop.jobs import SilentContext
from sae_desktop.pictures.light import strongest_region
from sae_desktop.project import Project


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return lit_project(tmp_path_factory.mktemp("lit") / "p")


@pytest.fixture(scope="module")
def index(project: Project) -> FeatureIndex:
    return lit_index(project)


def test_columns__count_firings_on_pictures_and_on_text(index: FeatureIndex) -> None:
    found = {name: index.columns[name][:5].tolist() for name in ("picture_firings", "text_firings")}
    assert found == {"picture_firings": [6, 0, 1, 1, 12], "text_firings": [0, 3, 1, 12, 1]}
    np.testing.assert_allclose(index.columns["picture_share"][:4], [1, 0, 0.5, 1 / 13], rtol=1e-6)
    # Feature 3: 1 of 40 image tokens is less than a tenth of 12 of 19 words.
    assert index.columns["modality"][:6].tolist() == [0, 1, 2, 1, 2, -1]
    assert index.picture_rows == 40


def test_index__has_neurons_beside_any_number_of_pictures(
    index: FeatureIndex, tmp_path: Path
) -> None:
    path = tmp_path / "i.h5"
    shutil.copyfile(index.path, path)
    count = index.features
    with h5py.File(path, "r+") as file:
        for name, values in (
            ("layers", np.zeros((count, 3), np.int16)),
            ("ids", np.tile(np.arange(3, dtype=np.int32), (count, 1))),
            ("pearson", np.full((count, 3), 0.5, np.float32)),
        ):
            file[f"neurons/{name}"] = values
    found = FeatureIndex(path)
    assert [neuron.neuron for neuron in found.neurons(0)] == [0, 1, 2]
    assert found.pictures is not None
    assert len(found.pictures) == 2


def test_filter__finds_what_fires_on_pictures_on_text_and_on_both(index: FeatureIndex) -> None:
    marks = NotedMarks(None, "d")

    def found(*kinds: str) -> list[int]:
        return matching(FeatureFilter(modalities=kinds), index, marks).tolist()  # type: ignore[arg-type]

    assert (found("pictures"), found("text"), found("both")) == ([0], [1, 3], [2, 4])
    assert found("pictures", "both") == [0, 2, 4]


def test_tokens__of_pictures_are_none_that_a_feature_fires_on(index: FeatureIndex) -> None:
    assert [fired.token for fired in index.firing_tokens(0)] == []
    assert [(f.token, f.firings) for f in index.firing_tokens(1)] == [("⟨6⟩", 2), ("⟨12⟩", 1)]
    assert index.short_names()[0] == "pictures: “cat”"


def test_contexts__of_a_picture_hold_every_tokens_activation(index: FeatureIndex) -> None:
    first, second = (c for c in index.contexts(0) if c.bucket == TOP_BUCKET)  # one a picture
    assert (first.activation, second.activation) == (8.0, 6.0)
    assert first.picture is not None
    assert second.picture is not None
    assert (first.picture.name, second.picture.name) == (CAT.name, DOG.name)
    wanted = np.zeros(20, np.float32)
    wanted[[6, 7, 8, 12, 19]] = [1, 8, 5, 4, 7]
    np.testing.assert_array_equal(first.picture.activations, wanted)
    assert first.picture.token == 7
    assert strongest_region(first.picture.layout, first.picture.activations) == [7, 8, 12]
    assert first.picture.thumbnail[8:12] == b"WEBP"
    assert first.tokens == ["⟨picture cat.png⟩"]


def test_picture__is_drawn_once_and_by_what_is_strongest_in_it(index: FeatureIndex) -> None:
    drawn = [c for c in index.contexts(0) if c.bucket not in (TOP_BUCKET, OTHER_KIND)]
    assert {(c.picture.name, c.activation) for c in drawn if c.picture} == {
        (CAT.name, 8.0), (DOG.name, 6.0),
    }  # fmt: skip
    assert len(drawn) == 2


def test_contexts__of_a_text_tell_a_picture_as_one_word(index: FeatureIndex) -> None:
    context = next(c for c in index.contexts(2) if c.picture is None)
    assert context.tokens == ["⟨5⟩", "⟨6⟩", "⟨picture cat.png⟩", "⟨8⟩", "⟨9⟩"]
    assert (context.peak, context.activations.tolist()) == (3, [0, 0, 0, 5, 0])
    narrow = index.context(2, context.slot, 1, 0)
    assert narrow.tokens == ["⟨picture cat.png⟩", "⟨8⟩"]


def test_contexts__hold_the_strongest_of_the_rarer_kind_beside(tmp_path: Path) -> None:
    project = lit_project(tmp_path / "p")
    build_index(lit_config(project, top_contexts=1, names=False), SilentContext())
    contexts = lit_index(project).contexts(2)
    other = [c for c in contexts if c.bucket == OTHER_KIND]
    assert [(c.row, c.activation) for c in other] == [(FIRST_OF_DOG + 3, 2.0)]
    assert not [c for c in lit_index(project).contexts(1) if c.bucket == OTHER_KIND]


def test_index__is_read_without_its_store_and_checked(project: Project, tmp_path: Path) -> None:
    moved = tmp_path / "i.h5"
    shutil.copy(project.index_path("i"), moved)
    alone = FeatureIndex(moved)
    check_references(alone)
    assert alone.pictures is not None
    assert alone.pictures.get(1).digest == alone.contexts(0)[1].picture.digest  # type: ignore[union-attr]
    with h5py.File(moved, "r+") as file:
        file["picture_token"][FIRST_OF_CAT] = 3
    with pytest.raises(UserError, match="rows of its tokens"):
        check_references(FeatureIndex(moved))


def test_index__of_rows_that_are_added_renumbers_their_pictures(tmp_path: Path) -> None:
    project = lit_project(tmp_path / "p")
    whole = lit_index(project)
    build_index(lit_config(project, rows=24, names=False), SilentContext())
    assert lit_index(project).info.rows == 24
    build_index(lit_config(project, add=True), SilentContext())
    added = lit_index(project)
    for name in ("picture", "picture_token", "pictures", "picture_data", "contexts/row"):
        np.testing.assert_array_equal(added.arrays[name], whole.arrays[name], err_msg=name)


def test_command__tells_a_picture_by_name_and_strongest_patch(index: FeatureIndex) -> None:
    page = feature_page(index, {}, 0)
    told = render.feature_page(page)
    line = "  8.00  ▣ animals/cat.png (100 × 80 pixels): strongest at patch row 2, column 3"
    assert line in told
    assert "fires on 6 image tokens and 0 tokens of text: mostly on pictures" in told
    picture = page["contexts"][0]["picture"]
    assert picture["strongest"]["where"] == "patch row 2, column 3"
    assert picture["activations"][7] == 8.0


def test_context__knows_of_a_picture_what_lies_in_it_and_no_more(index: FeatureIndex) -> None:
    chosen = np.array([FIRST_OF_CAT + 7, 1])
    assert index.kept_around(chosen).tolist() == [[FIRST_OF_CAT, FIRST_OF_CAT + 20], [0, 24]]


def test_comparison__counts_no_token_of_pictures_as_one_that_tells_features_apart(
    project: Project, index: FeatureIndex
) -> None:
    sides = compare_features(index, project.dictionary_path("d"), [0, 1]).features
    assert [side.firings for side in sides] == [6, 3]
    assert [[t.token for t in side.tokens] for side in sides] == [[], ["⟨6⟩", "⟨12⟩"]]


def test_merged__parts_are_the_index_of_all_rows(tmp_path: Path) -> None:
    project = lit_project(tmp_path / "p")
    whole = lit_index(project)
    for part in ("1/2", "2/2"):
        name = f"part{part[0]}"
        build_index(lit_config(project, name=name, shard=part, names=False), SilentContext())
    config = MergeIndexesConfig(project=str(project.path), name="m", indexes=["part1", "part2"])
    merge_indexes(config, SilentContext())
    merged = FeatureIndex(project.index_path("m"))
    for name in ("picture", "pictures", "picture_data", "contexts/row", "columns/modality"):
        np.testing.assert_array_equal(merged.arrays[name], whole.arrays[name], err_msg=name)
