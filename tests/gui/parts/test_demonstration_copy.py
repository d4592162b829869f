"""The demonstration, copied to where it may be written."""

import os
import shutil
from pathlib import Path

import pytest

from sae_desktop.gui.parts import demonstration
from sae_desktop.gui.parts.demonstration import FIRST_INDEX, demonstration_copy
from sae_desktop.project import Project
from sae_desktop.resources import resource_path
from sae_desktop.words.inventory import take_inventory


def test_demonstration__opens_its_labelled_index_however_it_was_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = Project.open_or_create(tmp_path / "shipped.saeproj")
    index = Project.open(resource_path("demonstration.saeproj")).index_path(FIRST_INDEX)
    shipped.index_path("a").parent.mkdir()
    for name, second in ((FIRST_INDEX, 1), ("a", 2), ("z", 3)):  # the others installed later
        shutil.copyfile(index, shipped.index_path(name))
        os.utime(shipped.index_path(name), (second, second))
    monkeypatch.setattr(demonstration, "resource_path", lambda _name: shipped.path)
    copy = Project.open(demonstration_copy(tmp_path / "own"))
    newest = max(take_inventory(copy).indexes, key=lambda item: item.modified)
    assert newest.name == FIRST_INDEX
