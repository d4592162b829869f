"""Names are letters of any script that every system takes as the name of a file."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from sae_desktop.errors import UserError
from sae_desktop.project import Project, checked_name, existing

GOOD = ["acts", "Größe é", "模型 2", "модель-1", "नमूना", "مثال", "ünïcödé.v2", "a" * 80, "console"]
BAD = [
    "", ".hidden", "a/b", "a\\b", "a:b", "..", "a\n", "a\0", "a\u202eb", "name.", "name ", "-a",
    "con", "NUL.txt", "Com1", "lpt9.x.y", "a*", "a?", 'a"b', "a<b", "a|b", "́a", "字" * 60,
    "a" * 81, "a\u200bb",
]  # fmt: skip


@pytest.mark.parametrize("name", GOOD)
def test_good_names__are_taken_composed(tmp_path: Path, name: str) -> None:
    composed = unicodedata.normalize("NFC", name)
    assert checked_name(unicodedata.normalize("NFD", name)) == composed
    project = Project.open_or_create(tmp_path / "p")
    path = project.index_path(name)
    path.parent.mkdir()
    path.write_bytes(b"")
    assert project.indexes() == [composed]
    assert existing("index", unicodedata.normalize("NFD", name), project.indexes()) == composed
    assert project.match_path(name, name).name.encode().__len__() <= 250


@pytest.mark.parametrize("name", BAD)
def test_names_that_some_system_refuses__are_refused(name: str) -> None:
    with pytest.raises(UserError, match="is not a valid name"):
        checked_name(name)
