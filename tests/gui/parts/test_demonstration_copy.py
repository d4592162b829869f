"""The demonstration, unpacked to where it may be written."""

import os
import shutil
from pathlib import Path

import pytest
from shipped import demonstration as shipped_demonstration

from sae_desktop.gui.parts import demonstration
from sae_desktop.gui.parts.demonstration import FIRST_INDEX, demonstration_copy
from sae_desktop.project import Project
from sae_desktop.words.inventory import take_inventory


def test_demonstration__opens_its_labelled_index_in_whatever_order_it_was_packed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = Project.open_or_create(tmp_path / "shipped.saeproj")
    index = shipped_demonstration().index_path(FIRST_INDEX)
    shipped.index_path("a").parent.mkdir()
    for name in (FIRST_INDEX, "a", "z"):
        shutil.copyfile(index, shipped.index_path(name))
    packed = shutil.make_archive(str(tmp_path / "packed"), "zip", shipped.path)
    monkeypatch.setattr(demonstration, "resource_path", lambda _name: Path(packed))
    copy = Project.open(demonstration_copy(tmp_path / "own"))
    newest = max(take_inventory(copy).indexes, key=lambda item: item.modified)
    assert newest.name == FIRST_INDEX


def test_copy_that_was_cut_short__is_made_anew(tmp_path: Path) -> None:
    part = tmp_path / "demonstration.saeproj.part"
    (part / "features").mkdir(parents=True)
    (part / "project.toml").touch()
    copy = demonstration_copy(tmp_path)
    assert Project.open(copy).index_path(FIRST_INDEX).is_file()
    assert not part.exists()
    (copy / "project.toml").touch()
    assert os.listdir(tmp_path) == [copy.name]
    before = (copy / "project.toml").stat().st_mtime_ns
    assert demonstration_copy(tmp_path) == copy
    assert (copy / "project.toml").stat().st_mtime_ns == before
