"""Giving a set another name: its members, their indexes, graphs, results and labels go along.

Free of torch and Qt.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import msgspec

from sae_desktop.circuits.reading.graph_file import read_graph, read_graph_info, write_graph
from sae_desktop.comparison.completeness_table import read_table
from sae_desktop.comparison.match_file import read_match_info
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
from sae_desktop.steering.config import DecoderRow
from sae_desktop.steering.presets import Preset, read_preset
from sae_desktop.storage.atomic import write_bytes
from sae_desktop.storage.moves import Move, doomed, leave_work, move_together, work_folder
from sae_desktop.training.run_folder import CFG, TRAIN_CONFIG, TRAIN_RESULT
from sae_desktop.training.started import STARTED_FROM

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
        graphs, results = place / "graphs", place / "results"
        for part in (graphs, results):
            part.mkdir()
        for graph in _graphs_of(project, name):
            old = project.graph_path(graph)
            found = read_graph(old)
            told = msgspec.structs.replace(found.info, set=new)
            write_graph(graphs / old.name, told, found.arrays)
            away.append((old, doomed(project.path)))
            into.append((graphs / old.name, old))
        children = place / "dictionaries"
        for old, copy in _trained_from(project, renames, children):
            away.append((old, doomed(project.path)))
            into.append((copy, old))
        for old, copy, target in _results_of(project, renames, results):
            away.append((old, doomed(project.path)))
            into.append((copy, target))
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


def _trained_from(
    project: Project, renames: dict[str, str], place: Path
) -> Iterator[tuple[Path, Path]]:
    """Write to `place` what dictionaries trained further from members say of these, anew.

    Yields where each file is and its copy; damaged ones are left as they are.
    """
    for number, child in enumerate(project.dictionaries()):
        folder = project.dictionary_path(child)
        with suppress(OSError, ValueError, LookupError, AttributeError, RecursionError):
            cfg = msgspec.json.decode((folder / CFG).read_bytes())
            told = cfg["metadata"].get(STARTED_FROM) or {}
            if told.get("name") not in renames:
                continue
            told["name"] = renames[told["name"]]
            written = {CFG: cfg}
            for file in (TRAIN_CONFIG, TRAIN_RESULT):
                found = msgspec.json.decode((folder / file).read_bytes())
                if file == TRAIN_CONFIG:
                    found["start_from"] = told["name"]
                else:
                    found[STARTED_FROM] = told
                written[file] = found
            for file, content in written.items():
                copy = place / str(number) / file
                copy.parent.mkdir(parents=True, exist_ok=True)
                write_bytes(copy, msgspec.json.format(msgspec.json.encode(content), indent=2))
                yield folder / file, copy


def _results_of(
    project: Project, renames: dict[str, str], place: Path
) -> Iterator[tuple[Path, Path, Path]]:
    """Write matches, completeness tables and presets that name members anew to `place`.

    Yields where each is, its copy, and where that is to be; damaged ones are left as they are.
    """
    for match in project.matches():
        with suppress(UserError):
            info = read_match_info(match)
            if not {side.name for side in info.sides} & renames.keys():
                continue
            smaller, larger = (
                msgspec.structs.replace(side, name=renames.get(side.name, side.name))
                for side in info.sides
            )
            target = project.match_path(smaller.name, larger.name)
            told = msgspec.structs.replace(info, smaller=smaller, larger=larger)
            _copy(match, place / target.name, told)
            yield match, place / target.name, target
    for name in project.completeness_tables():
        with suppress(UserError):
            table = read_table(project, name)
            if not {one.dictionary for one in table.dictionaries} & renames.keys():
                continue
            dictionaries = [
                msgspec.structs.replace(
                    one,
                    dictionary=renames.get(one.dictionary, one.dictionary),
                    index=renames.get(one.index, one.index),
                )
                for one in table.dictionaries
            ]
            target = project.completeness_path(name)
            told_table = msgspec.structs.replace(table, dictionaries=dictionaries)
            write_bytes(place / target.name, msgspec.json.encode(told_table))
            yield target, place / target.name, target
    for name in project.presets():
        with suppress(UserError):
            preset = read_preset(project, name)
            changed = _with_names(preset, renames)
            if changed != preset:
                target = project.preset_path(name)
                copy = place / "presets" / target.name
                copy.parent.mkdir(exist_ok=True)
                write_bytes(copy, msgspec.json.format(msgspec.json.encode(changed)))
                yield target, copy, target


def _with_names(preset: Preset, renames: dict[str, str]) -> Preset:
    """Return a preset whose features are those of members by their new names."""
    variants = []
    for variant in preset.variants:
        acts = []
        for act in variant.interventions:
            direction = act.direction
            if isinstance(direction, DecoderRow):
                new = renames.get(direction.dictionary, direction.dictionary)
                direction = msgspec.structs.replace(direction, dictionary=new)
            index = renames.get(act.index, act.index)
            acts.append(msgspec.structs.replace(act, index=index, direction=direction))
        variants.append(msgspec.structs.replace(variant, interventions=acts))
    dictionary = renames.get(preset.dictionary, preset.dictionary)
    return msgspec.structs.replace(preset, dictionary=dictionary, variants=variants)


def _belonging(index: Path) -> list[Path]:
    return [firings_folder(index), unfinished_folder(index), *beside_index(index)]


def _of_dictionary(index: Path, copy: Path, renames: dict[str, str]) -> None:
    """Copy an index that names its dictionary by the new name."""
    info = read_info(index)
    new = renames.get(info.dictionary, info.dictionary)
    _copy(index, copy, msgspec.structs.replace(info, dictionary=new))


def _copy(file: Path, copy: Path, told: msgspec.Struct) -> None:
    """Copy an HDF5 file that says something else of itself."""
    import h5py

    shutil.copyfile(file, copy)
    with h5py.File(copy, "r+", locking=False) as opened:
        opened.attrs["info"] = msgspec.json.encode(told).decode()
