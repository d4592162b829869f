"""Renames that happen as one, deletion, the trash, and what a killed process left."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import msgspec
import pytest

from sae_desktop.deletion import delete_item, empty_trash, restore_item, trash_items
from sae_desktop.errors import UserError
from sae_desktop.project import Project
from sae_desktop.storage import moves
from sae_desktop.storage.atomic import replacing, write_bytes
from sae_desktop.storage.moves import finish_moves, move_together, work_folder
from sae_desktop.upkeep import leftovers, put_in_order, writing


def _file(path: Path, text: str = "x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def _index(project: Project, name: str = "i") -> None:
    _file(project.index_path(name), "index")
    _file(project.index_path(name).with_suffix(".firings") / "000.h5", "firings")
    _file(project.index_path(name).with_suffix(".effect"), "effect")
    _file(project.index_path(name).with_suffix(".names"), "names")


def _names(project: Project) -> list[str]:
    return sorted(
        path.relative_to(project.path).as_posix()
        for path in project.path.rglob("*")
        if path.is_file() and not path.name.startswith(".lock")
    )


def test_moves__interrupted_after_any_rename_are_finished_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = os.replace
    for allowed in range(6):
        root = tmp_path / str(allowed)
        _file(root / "index", "old")
        _file(root / "firings" / "0", "old")
        _file(root / "work" / "index", "new")
        _file(root / "work" / "0", "new")
        left = allowed

        def limited(source: Path, target: Path) -> None:
            nonlocal left
            if not left:
                raise OSError(5, "the machine went down")
            left -= 1
            replace(source, target)

        monkeypatch.setattr(os, "replace", limited)
        moved = [
            (root / "work" / "index", root / "index"),
            (root / "work" / "0", root / "firings" / "0"),
        ]
        try:
            move_together(root, away=[(root / "firings", moves.doomed(root))], into=moved)
        except UserError:
            assert allowed < 4
        monkeypatch.setattr(os, "replace", replace)
        finish_moves(root)
        found = (root / "index").read_text(), (root / "firings" / "0").read_text()
        # The record itself is written by a rename: before it nothing has happened.
        assert found == (("old", "old") if allowed < 1 else ("new", "new")) or (
            allowed == 1 and found == ("old", "old")
        )
        assert not (root / ".moves").exists()


def test_moves__of_a_stranger_never_lead_out_of_the_folder(tmp_path: Path) -> None:
    root, outside = tmp_path / "p", _file(tmp_path / "mine")
    for source, target in (("../mine", "taken"), ("own", "../mine")):
        _file(root / "own", "theirs")
        record = {"away": [], "into": [[source, target]]}
        write_bytes(root / ".moves" / "1.json", msgspec.json.encode(record))
        finish_moves(root)
        assert outside.read_text() == "x"
        assert (root / "own").read_text() == "theirs"
        assert not (root / ".moves").exists()


def test_deletion__can_be_undone_with_all_that_belongs_to_it(project: Project) -> None:
    _index(project)
    before = _names(project)
    item = delete_item(project, "index", "i")
    assert project.indexes() == []
    assert [name for name in _names(project) if not name.startswith(".trash")] == ["project.toml"]
    (kept,) = trash_items(project)
    assert (kept.kind, kept.name, kept.key) == ("index", "i", item.key)
    assert kept.bytes == len("index" + "firings" + "effect" + "names")
    restore_item(project, item)
    assert _names(project) == before
    assert trash_items(project) == []


def test_deletion__twice_keeps_both_and_gives_back_only_where_there_is_room(
    project: Project,
) -> None:
    _file(project.store_path("acts") / "000.h5", "first")
    first = delete_item(project, "store", "acts")
    _file(project.store_path("acts") / "000.h5", "second")
    with pytest.raises(UserError, match="There is a new store “acts” now"):
        restore_item(project, first)
    delete_item(project, "store", "acts")
    restore_item(project, first)
    assert (project.store_path("acts") / "000.h5").read_text() == "first"
    with pytest.raises(UserError, match="no longer in the trash"):
        restore_item(project, first)
    assert empty_trash(project) == len("second")
    assert not (project.path / ".trash").exists()


def test_deletion__of_nothing_is_refused(project: Project) -> None:
    with pytest.raises(UserError, match="no dictionary “gone”"):
        delete_item(project, "dictionary", "gone")
    assert trash_items(project) == []


def test_writing__clears_what_killed_jobs_of_any_version_left(project: Project) -> None:
    _index(project)
    kept = _names(project)
    _file(project.path / "activations" / ".acts.part" / "000.h5")
    _file(project.path / ".package-abc" / "card.json")
    _file(project.path / "dictionaries" / "d" / "checkpoint" / "000000000001.safetensors.part")
    _file(project.path / "completeness" / ".control" / "000" / "job.json")
    _file(project.path / "features" / "gone.firings.part" / "job.json")
    _file(work_folder(project.path, "index") / "index.h5")
    _file(project.path / "features" / "half.firings.part" / "000.h5", "goes on from here")
    assert project.stores() == []
    with writing(project):
        assert _names(project) == sorted([*kept, "features/half.firings.part/000.h5"])
        assert not (project.path / ".work").exists()
        assert not (project.path / ".gone").exists()


def test_order__is_made_though_some_of_it_cannot_be(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    _file(project.path / "activations" / ".acts.part" / "000.h5")

    def refused(*_: object) -> None:
        raise PermissionError(13, "held by another program")

    monkeypatch.setattr(Path, "rename", refused)
    put_in_order(project)
    assert len(leftovers(project)) == 1
    assert project.stores() == []


def test_files__get_their_mode_without_the_mask_of_the_process_being_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = os.umask(0o027)
    ended = threading.Event()
    modes = set()

    def make_files() -> None:
        number = 0
        while not ended.is_set():
            path = tmp_path / f"other{number % 7}"
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o666))
            modes.add(stat.S_IMODE(path.stat().st_mode))
            path.unlink()
            number += 1

    other = threading.Thread(target=make_files)
    try:
        set_mask = os.umask
        monkeypatch.setattr(os, "umask", lambda _: pytest.fail("the mask is everybody's"))
        other.start()
        for number in range(50):
            path = tmp_path / f"file{number}"
            with replacing(path) as part:
                part.unlink()  # as libraries do that write beside and rename
                os.close(os.open(part, os.O_CREAT | os.O_WRONLY, 0o600))
            modes.add(stat.S_IMODE(path.stat().st_mode))
    finally:
        ended.set()
        other.join()
        set_mask(before)
    assert modes == {0o640}
