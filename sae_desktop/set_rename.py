"""Giving a set another name: its members, their indexes, graphs and labels go along.

Free of torch and Qt.
"""

from __future__ import annotations

import shutil
from contextlib import closing, suppress
from pathlib import Path

import msgspec

from sae_desktop.circuits.reading.graph_file import read_graph, read_graph_info, write_graph
from sae_desktop.deletion import member_indexes
from sae_desktop.dictionary.set_info import read_set_info
from sae_desktop.errors import UserError
from sae_desktop.features.reading.beside import beside_index
from sae_desktop.features.reading.firing_paths import firings_folder, unfinished_folder
from sae_desktop.features.reading.index_file import read_info
from sae_desktop.incoming_notes import (
    IncomingNotes,
    incoming_path,
    take_incoming,
    write_incoming,
)
from sae_desktop.project import Project, checked_name, existing
from sae_desktop.project_notes import Notes
from sae_desktop.storage.moves import Move, doomed, leave_work, move_together, work_folder

_INCOMING = "incoming.json"


def rename_set(project: Project, name: str, new: str) -> None:
    """Call a set by another name, in one step; the project's lock is held.

    Indexes that are called as its members are get the new names, too. Raises UserError where the
    set is not complete, the new name or one of these is taken, or the system refuses.
    """
    name = existing("set", name, project.sets())
    new = checked_name(new)
    members = read_set_info(project.set_path(name)).folders
    renames = {f"{name}.{member}": f"{new}.{member}" for member in members}
    _require_free(project, name, new, renames)
    place = work_folder(project.path, "rename")
    try:
        into: list[Move] = [(project.set_path(name), project.set_path(new))]
        away: list[Move] = []
        for index in member_indexes(project, name):
            old = project.index_path(index)
            target = project.index_path(renames.get(index, index))
            copy = place / old.name
            _of_dictionary(old, copy, renames)
            away.append((old, doomed(project.path)))
            into.append((copy, target))
            if target != old:
                into += zip(_belonging(old), _belonging(target), strict=True)
        for graph in _graphs_of(project, name):
            old = project.graph_path(graph)
            found = read_graph(old)
            told = msgspec.structs.replace(found.info, set=new)
            write_graph(place / old.name, told, found.arrays)
            away.append((old, doomed(project.path)))
            into.append((place / old.name, old))
        write_incoming(place / _INCOMING, IncomingNotes(dictionary="", notes=[], renames=renames))
        into.append((place / _INCOMING, incoming_path(project, new)))
        move_together(project.path, away=away, into=into)
    finally:
        leave_work(project.path, place)
    take_incoming(project)


def _require_free(project: Project, name: str, new: str, renames: dict[str, str]) -> None:
    for member in renames.values():
        checked_name(member)
    taken = f"a set “{new}”" if new == name or project.set_path(new).exists() else ""
    for old, member in renames.items():
        if project.index_path(old).exists() and project.index_path(member).exists():
            taken = taken or f"an index “{member}”"
    if not taken and project.notes_path.is_file():
        with closing(Notes(project.notes_path)) as notes:
            written = set(notes.dictionaries()) & set(renames.values())
        taken = f"labels of a dictionary “{min(written)}”" if written else ""
    if taken:
        raise UserError(
            f"There {'are' if taken.startswith('labels') else 'is'} already {taken}.",
            kept="Nothing was changed.",
            next_step="Choose another name.",
        )


def _graphs_of(project: Project, name: str) -> list[str]:
    """Return the graphs that were traced with a set; damaged ones are left as they are."""
    found = []
    for graph in project.graphs():
        with suppress(UserError):
            if read_graph_info(project.graph_path(graph)).set == name:
                found.append(graph)
    return found


def _belonging(index: Path) -> list[Path]:
    return [firings_folder(index), unfinished_folder(index), *beside_index(index)]


def _of_dictionary(index: Path, copy: Path, renames: dict[str, str]) -> None:
    """Copy an index that names its dictionary by the new name."""
    import h5py

    info = read_info(index)
    shutil.copyfile(index, copy)
    told = msgspec.structs.replace(info, dictionary=renames.get(info.dictionary, info.dictionary))
    with h5py.File(copy, "r+", locking=False) as file:
        file.attrs["info"] = msgspec.json.encode(told).decode()
