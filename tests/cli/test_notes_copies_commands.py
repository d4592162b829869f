"""`sae-desktop labels copies` and `put-back`."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import msgspec
from cli_process import sae_desktop

from sae_desktop.notes_copies import keep_copy
from sae_desktop.project import Project
from sae_desktop.project_notes import Notes


def write(project: Project, *labels: str) -> None:
    with closing(Notes(project.notes_path)) as notes:
        notes.set_labels("d", enumerate(labels))


def said(what: str, project: Project, *rest: str, status: int = 0) -> str:
    ended = sae_desktop("labels", what, project.path, *rest)
    assert ended.status == status, ended.stderr
    return ended.stdout + ended.stderr


def test_labels__a_copy_is_listed_and_put_back(tmp_path: Path) -> None:
    project = Project.open_or_create(tmp_path / "p.saeproj")
    assert "There is no copy" in said("copies", project)
    assert "There is no copy" in said("put-back", project, status=1)
    write(project, "one", "two")
    copy = keep_copy(project)
    assert copy is not None
    write(project, "spoilt")
    (told,) = msgspec.json.decode(said("copies", project, "--json"))["copies"]
    assert (told["name"], told["labels"], told["notes"]) == (copy.stem, 2, 0)
    assert told["name"] in said("put-back", project, "2001-01-01", status=1)
    assert "2 labels" in said("put-back", project, told["name"])
    with closing(Notes(project.notes_path)) as notes:
        assert notes.note("d", 0).label == "one"
