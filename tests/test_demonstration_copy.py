"""The demonstrations, unpacked to where they may be written."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from picture_demonstration import ship
from safetensors.numpy import load_file
from shipped import demonstration as shipped_demonstration

from sae_desktop import demonstrations as demonstration
from sae_desktop.demonstrations import (
    PICTURES,
    SENTENCES,
    SMOLLM2,
    demonstration_copy,
    demonstration_of,
    offered,
    own_picture,
)
from sae_desktop.errors import UserError
from sae_desktop.features.reading.directions import WEIGHTS
from sae_desktop.language_model.files.packed import pack
from sae_desktop.project import Project
from sae_desktop.resources import resource_path
from sae_desktop.words.inventory import take_inventory


def test_demonstration__opens_its_labelled_index_in_whatever_order_it_was_packed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = Project.open_or_create(tmp_path / "shipped.saeproj")
    index = shipped_demonstration().index_path(SENTENCES.first_index)
    shipped.index_path("a").parent.mkdir()
    for name in (SENTENCES.first_index, "a", "z"):
        shutil.copyfile(index, shipped.index_path(name))
    packed = shutil.make_archive(str(tmp_path / "packed"), "zip", shipped.path)
    monkeypatch.setattr(demonstration, "resource_path", lambda _name: Path(packed))
    copy = Project.open(demonstration_copy(tmp_path / "own"))
    newest = max(take_inventory(copy).indexes, key=lambda item: item.modified)
    assert newest.name == SENTENCES.first_index


def test_copy_that_was_cut_short__is_made_anew(tmp_path: Path) -> None:
    part = tmp_path / "demonstration.saeproj.part"
    (part / "features").mkdir(parents=True)
    (part / "project.toml").touch()
    copy = demonstration_copy(tmp_path)
    assert Project.open(copy).index_path(SENTENCES.first_index).is_file()
    assert not part.exists()
    (copy / "project.toml").touch()
    assert os.listdir(tmp_path) == [copy.name]
    before = (copy / "project.toml").stat().st_mtime_ns
    assert demonstration_copy(tmp_path) == copy
    assert (copy / "project.toml").stat().st_mtime_ns == before


def test_copy_with_pictures__has_those_that_are_tried_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ship(tmp_path, monkeypatch)
    text, copy = (
        demonstration_copy(tmp_path / "own"),
        demonstration_copy(tmp_path / "own", PICTURES),
    )
    assert text.parent == copy.parent
    project = Project.open(copy)
    assert demonstration_of(project) is PICTURES
    assert demonstration_of(Project.open(text)) is SENTENCES
    assert project.indexes() == [PICTURES.first_index]
    for resource in PICTURES.pictures:
        own = Path(own_picture(project, resource))
        assert own.parent == copy
        assert own.read_bytes() == resource_path(resource).read_bytes()
    (copy / "horse.png").unlink()
    assert own_picture(project, "drawings/horse.png") == ""


def test_copy_of_a_dictionary_in_8_bit__has_its_weights_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = Project.open_or_create(tmp_path / "shipped.saeproj", title=SMOLLM2.title)
    folder = shipped.dictionary_path("d")
    folder.mkdir(parents=True)
    weights = {"W_dec": np.eye(3, 2, dtype=np.float32), "b_enc": np.ones(3, np.float32)}
    pack(weights, folder)
    shipped.index_path(SMOLLM2.first_index).parent.mkdir()
    shipped.index_path(SMOLLM2.first_index).touch()
    archive = shutil.make_archive(str(tmp_path / "packed"), "zip", shipped.path)
    monkeypatch.setattr(demonstration, "resource_path", lambda _name: Path(archive))
    copy = Project.open(demonstration_copy(tmp_path / "own", SMOLLM2))
    assert [path.name for path in copy.dictionary_path("d").iterdir()] == [WEIGHTS]
    np.testing.assert_array_equal(
        load_file(copy.dictionary_path("d") / WEIGHTS)["W_dec"], weights["W_dec"]
    )


def test_demonstration_that_is_not_installed__is_not_offered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = ship(tmp_path, monkeypatch)
    assert offered()[:2] == [SENTENCES, PICTURES]
    packed.unlink()
    monkeypatch.setattr(demonstration, "resource_path", _missing)
    assert offered() == [SENTENCES]
    with pytest.raises(UserError, match=r"pictures\.zip"):
        demonstration_copy(tmp_path, PICTURES)
    assert demonstration_of(Project.open_or_create(tmp_path / "mine")) is None
    assert demonstration_of(None) is None


def _missing(name: str) -> Path:
    if name in (PICTURES.archive, SMOLLM2.archive):
        raise UserError(f"The installation is missing the file “{name}”.")
    return resource_path(name)
