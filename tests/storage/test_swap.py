"""A file that another program has open is replaced as well as the system lets one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from sae_desktop.errors import UserError
from sae_desktop.project import Project
from sae_desktop.storage import swap
from sae_desktop.storage.atomic import write_bytes
from sae_desktop.storage.moves import doomed, finish_moves, move_together
from sae_desktop.upkeep import put_in_order, writing


class Open:
    """A system on which some files are open elsewhere: none of them can be replaced, and those
    that were not opened for it cannot be renamed."""

    def __init__(self, *paths: Path, renamed: bool) -> None:
        self.paths, self.renamed = set(paths), renamed
        self.replace = os.replace
        self.asked = 0

    def __call__(self, source: Any, target: Any) -> None:
        self.asked += 1
        if Path(target) in self.paths and Path(target).exists():
            raise PermissionError(13, "Access is denied", str(target))
        if Path(source) in self.paths and not self.renamed:
            raise PermissionError(13, "It is used by another process", str(source))
        self.replace(source, target)


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(swap, "_WAIT_SECONDS", 0.0)
    path = Project.open_or_create(tmp_path / "p.saeproj").index_path("i")
    write_bytes(path, b"old")
    return path


def test_open_file__is_moved_aside(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "replace", Open(index, renamed=True))
    write_bytes(index, b"new")
    assert index.read_bytes() == b"new"
    assert [path.name for path in index.parent.iterdir()] == ["i.h5"]


def test_open_file_that_is_let_go__is_replaced(
    index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = Open(index, renamed=False)
    monkeypatch.setattr(os, "replace", system)

    def let_go(_seconds: float) -> None:
        system.paths.clear()

    monkeypatch.setattr(swap, "wait", let_go)
    write_bytes(index, b"new")
    assert index.read_bytes() == b"new"


def test_open_file_that_cannot_be_moved__keeps_the_new_one_beside_it(
    index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "replace", Open(index, renamed=False))
    for name in ("i-new", "i-new2"):
        with pytest.raises(UserError, match="another program has it open") as told:
            write_bytes(index, b"new")
        assert f"kept as “{name}”, and “i” is unchanged" in told.value.kept
        assert (index.parent / f"{name}.h5").read_bytes() == b"new"
    assert index.read_bytes() == b"old"
    assert not list(index.parent.glob("*.part"))


def moved(index: Path) -> tuple[Path, Path]:
    """Let an index take another's place, whose firings go, in one step."""
    root = index.parent.parent
    written, firings = root / ".work" / "w" / "i.h5", index.parent / ".i.firings"
    for path, content in ((written, b"new"), (firings, b"firings")):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    move_together(root, away=[(firings, doomed(root))], into=[(written, index)])
    return written, firings


def test_several_moves__replace_an_open_file(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "replace", Open(index, renamed=True))
    written, firings = moved(index)
    assert index.read_bytes() == b"new"
    assert not written.exists()
    assert not firings.exists()


def test_several_moves__that_cannot_be_made_leave_all_as_it_was(
    index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "replace", Open(index, renamed=False))
    with pytest.raises(UserError, match="another program has it open"):
        moved(index)
    assert index.read_bytes() == b"old"
    assert (index.parent / ".i.firings").read_bytes() == b"firings"
    assert (index.parent / "i-new.h5").read_bytes() == b"new"
    monkeypatch.undo()
    finish_moves(index.parent.parent)
    assert index.read_bytes() == b"old"


@pytest.mark.parametrize("in_place", [True, False])
def test_file_moved_aside__is_put_back_or_deleted_at_the_next_opening(
    index: Path, in_place: bool
) -> None:
    aside = index.with_name(f".{index.name}.0123abcd.aside")
    if in_place:
        aside.write_bytes(b"older")
    else:
        index.rename(aside)
    project = Project.open(index.parent.parent)
    with writing(project):
        put_in_order(project)
    assert [path.name for path in index.parent.iterdir()] == ["i.h5"]
    assert index.read_bytes() == b"old"
