"""Deleting what a project holds: into its trash, from which it can be restored.

`.trash/<number>/` holds what was deleted together, under the paths it had in the project, and
`item.json`, which says what it is. It is kept until the trash is emptied. Free of torch and Qt.
"""

from __future__ import annotations

import datetime
import uuid
from contextlib import suppress
from pathlib import Path

import msgspec

from sae_desktop.circuits.reading.graph_terms import view_path
from sae_desktop.circuits.reading.lens_file import lens_title
from sae_desktop.errors import UserError
from sae_desktop.features.reading.beside import beside_index
from sae_desktop.features.reading.firing_paths import firings_folder, unfinished_folder
from sae_desktop.project import Project, is_member
from sae_desktop.safety.scan.kept_folder import kept_folder
from sae_desktop.storage.atomic import write_bytes
from sae_desktop.storage.faults import explained, folder_bytes, format_bytes
from sae_desktop.storage.moves import TRASH, doomed, empty_gone, move_together

_RECORD = "item.json"
SET_FILE = "concept set"
"""Its name is that of its file, with the ending: a set may be a table, too."""
KINDS = (
    "store",
    "dictionary",
    "set",
    "index",
    "sweep",
    "graph",
    "comparison",
    "watch",
    "calibration",
    "scan",
    "lens",
    SET_FILE,
    "monitor",
    "benchmark",
)
_OF = {"lens": "of "}
"""Before the name of what is called after something else."""


class TrashItem(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was deleted and is still there."""

    kind: str
    """One of KINDS."""
    name: str
    deleted: datetime.datetime
    key: str = ""
    """Its folder in the trash."""
    bytes: int = 0
    called: str = ""
    """What a person calls it, where that is not its name."""

    @property
    def title(self) -> str:
        return f"{self.kind} {_OF.get(self.kind, '')}“{self.called or self.name}”"


def item_path(project: Project, kind: str, name: str) -> Path:
    """Return where an item of one of KINDS is."""
    paths = {
        "store": project.store_path,
        "dictionary": project.dictionary_path,
        "set": project.set_path,
        "index": project.index_path,
        "sweep": project.sweep_path,
        "graph": project.graph_path,
        "comparison": project.change_path,
        "watch": project.watch_path,
        "calibration": project.calibration_path,
        "scan": project.scan_path,
        "lens": project.lens_path,
        SET_FILE: project.concept_file,
        "monitor": project.monitor_path,
        "benchmark": project.benchmark_path,
    }
    return paths[kind](name)


def deletion_question(project: Project, kind: str, name: str) -> str:
    """Return what is asked before a deletion: how many bytes of what."""
    size = format_bytes(sum(folder_bytes(p) for p in _paths(project, kind, name) if p.exists()))
    what = {
        "store": "its activations; dictionaries trained on it stay",
        "dictionary": "its weights, curves and checkpoint; its indexes stay",
        "set": "the weights and curves of all its layers, with their indexes; labels stay",
        "sweep": "its table; the dictionaries it trained stay",
        "index": "what was measured about its features; labels stay",
        "graph": "its nodes and edges, with pins and groups",
        "comparison": "what was found to have changed; the checkpoints stay",
        "watch": "the scores of its checkpoints; its comparisons and the checkpoints stay",
        "calibration": "its threshold; the watches it comes from stay",
        "scan": "its figures; the dictionaries and concept sets stay",
        "lens": "the averaged Jacobians of the model, which can be measured again",
        SET_FILE: "its texts; scans that have looked for it stay",
        "benchmark": "its figures, and the column of returns in Explore; the dictionaries stay",
        "monitor": "what it reads, its threshold and its promise; hits stay",
    }[kind]
    called = f"{_OF.get(kind, '')}“{_called(project, kind, name)}”"
    return (
        f"Delete the {kind} {called}? {size} on disk: {what}. It goes to the project’s trash, and "
        "takes up disk space until the trash is emptied."
    )


def _called(project: Project, kind: str, name: str) -> str:
    if kind == SET_FILE:
        return Path(name).stem
    return lens_title(project, name) if kind == "lens" else name


def index_bytes(path: Path) -> int:
    """Return the bytes of an index and of the firings beside it."""
    kept = firings_folder(path)
    return folder_bytes(path) + (folder_bytes(kept) if kept.exists() else 0)


def _paths(project: Project, kind: str, name: str) -> list[Path]:
    """Return all that belongs to an item, what makes it one first."""
    path = item_path(project, kind, name)
    if kind == "set":
        indexes = member_indexes(project, name)
        return [path, *(part for index in indexes for part in _paths(project, "index", index))]
    if kind == "graph":
        return [path, view_path(path)]
    if kind in ("scan", "benchmark"):
        return [path, kept_folder(path)]
    if kind == "monitor":
        # numpy: the window is shown before it is there
        from sae_desktop.safety.monitors.file import tensors_of

        return [path, *tensors_of(path)]
    if kind != "index":
        return [path]
    return [path, firings_folder(path), unfinished_folder(path), *beside_index(path)]


def member_indexes(project: Project, name: str) -> list[str]:
    """Return the indexes of the members of a set: without it nobody could ask them anything."""
    # h5py: the window is shown before it is there
    from sae_desktop.features.reading.index_file import read_info

    found = []
    for index in project.indexes():
        with suppress(UserError):
            whole, _, member = read_info(project.index_path(index)).dictionary.rpartition(".")
            if whole == name and is_member(member):
                found.append(index)
    return found


def delete_item(project: Project, kind: str, name: str) -> TrashItem:
    """Move an item of one of KINDS to the trash, at once.

    Raises UserError when there is none of the name, or the system refuses.
    """
    path = item_path(project, kind, name)
    if not path.exists():
        raise UserError(f"There is no {kind} “{name}”.", kept="Nothing was changed.")
    item = TrashItem(
        kind=kind,
        name=name,
        called=_called(project, kind, name),
        deleted=datetime.datetime.now(datetime.UTC).replace(microsecond=0),
        key=uuid.uuid4().hex,
    )
    folder = project.path / TRASH / item.key
    with explained(folder):
        write_bytes(folder / _RECORD, msgspec.json.encode(item))
    try:
        move_together(
            project.path,
            away=[
                (part, folder / part.relative_to(project.path))
                for part in _paths(project, kind, name)
            ],
        )
    except UserError:
        settle_trash(project)
        raise
    return item


def trash_items(project: Project) -> list[TrashItem]:
    """Return what is in the trash, the last deleted first."""
    found = []
    for record in (project.path / TRASH).glob(f"*/{_RECORD}"):
        with suppress(OSError, msgspec.DecodeError, UnicodeDecodeError):
            item = msgspec.json.decode(record.read_bytes(), type=TrashItem)
            content = folder_bytes(record.parent) - record.stat().st_size
            if item.kind in KINDS and _parts(record.parent):
                key = record.parent.name
                found.append(msgspec.structs.replace(item, key=key, bytes=content))
    return sorted(found, key=lambda item: item.deleted, reverse=True)


def restore_item(project: Project, item: TrashItem) -> None:
    """Put something back where it was.

    Raises UserError when its name has been taken since, or it is no longer in the trash.
    """
    folder = project.path / TRASH / item.key
    path = item_path(project, item.kind, item.name)
    if not (folder / path.relative_to(project.path)).exists():
        raise UserError(f"The {item.title} is no longer in the trash.", kept="Nothing was changed.")
    moves = [(part, project.path / part.relative_to(folder)) for part in _parts(folder)]
    moves.sort(key=lambda move: move[1] != path)
    if any(there.exists() for source, there in moves):
        raise UserError(
            f"There is a new {item.title} now.",
            kept="Both are unchanged.",
            next_step="Delete the new one first, then restore this one.",
        )
    move_together(project.path, into=moves)
    settle_trash(project)


def empty_trash(project: Project) -> int:
    """Delete for good what is in the trash, and return its bytes. Raises UserError."""
    items = trash_items(project)
    move_together(
        project.path,
        away=[(project.path / TRASH / item.key, doomed(project.path)) for item in items],
    )
    settle_trash(project)
    empty_gone(project.path)
    return sum(item.bytes for item in items)


def settle_trash(project: Project) -> None:
    """Remove what is in the trash without being anything: records of what is back in its place."""
    trash = project.path / TRASH
    for folder in trash.iterdir() if trash.is_dir() else ():
        if folder.is_dir() and not folder.is_symlink() and not _parts(folder):
            with suppress(OSError):
                (folder / _RECORD).unlink(missing_ok=True)
            for empty in folder.iterdir():  # folders like those of the project
                with suppress(OSError):
                    empty.rmdir()
            with suppress(OSError):
                folder.rmdir()
    with suppress(OSError):
        trash.rmdir()


def _parts(folder: Path) -> list[Path]:
    """Return what was deleted of an entry of the trash."""
    return [part for part in folder.glob("*/*") if part.parent.is_dir()]
