"""Giving a monitor another name: what refers to it in the project goes along.

Free of torch and Qt.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from sae_desktop.errors import UserError
from sae_desktop.project import Project, checked_name, existing
from sae_desktop.safety.monitors.file import read_monitor, tensors_of
from sae_desktop.safety.monitors.hits_file import run_file_name
from sae_desktop.storage.atomic import write_bytes
from sae_desktop.storage.faults import explained
from sae_desktop.storage.moves import Move, doomed, leave_work, move_together, work_folder

_WITHIN = ("config", "settings")
"""What is kept as JSON within JSON: what a watch was started with, what its scores depend on."""


def rename_monitor(project: Project, name: str, new: str) -> None:
    """Call a monitor by another name, in one step; the project's lock is held.

    Its hits, presets whose conditions it is, and watches with their calibrations go along.
    Raises UserError where there is none of the name, the new name is taken, or the system refuses.
    """
    monitor = read_monitor(project, existing("monitor", name, project.monitors()))
    new = checked_name(new)
    if project.monitor_path(new).exists():
        raise UserError(
            f"There is already a monitor “{new}”.",
            kept="Nothing was changed.",
            next_step="Choose another name.",
        )
    path, target = project.monitor_path(name), project.monitor_path(new)
    place = work_folder(project.path, "rename")
    try:
        own = monitor.tensors.replace(path.stem, target.stem, 1)
        told = msgspec.structs.replace(monitor, name=new, tensors=own)
        away: list[Move] = [(path, doomed(project.path))]
        into: list[Move] = [(_written(place / target.name, [told]), target)]
        for tensors in tensors_of(path):
            away.append((tensors, doomed(project.path)))
            if tensors.name == monitor.tensors:
                into.insert(0, (_copied(tensors, place / own), target.with_name(own)))
        for file, lines in _referring(project, name):
            changed = [renamed(line, name, new) for line in lines]
            goal = _goal(project, file, name, new)
            if goal != file and file.suffix == ".json":
                changed[0]["name"] = goal.stem
            if changed != lines or goal != file:
                away.append((file, doomed(project.path)))
                into.append((_written(place / file.parent.name / goal.name, changed), goal))
        move_together(project.path, away=away, into=into)
    finally:
        leave_work(project.path, place)


def renamed(value: Any, name: str, new: str) -> Any:
    """Return plain values in which a monitor has another name wherever they speak of it."""
    if isinstance(value, list):
        return [renamed(item, name, new) for item in value]
    if not isinstance(value, dict):
        return value
    found = {}
    for key, item in value.items():
        if key == "monitor" and item == name:
            item = new
        elif key == "monitors" and isinstance(item, list):
            item = [new if one == name else renamed(one, name, new) for one in item]
        elif key == "measure" and item == _score(name):
            item = _score(new)
        elif key in _WITHIN and isinstance(item, str):
            item = _within(item, name, new)
        elif key in ("scores", "units") and isinstance(item, dict):
            item = {_score(new) if k == _score(name) else k: v for k, v in item.items()}
        else:
            item = renamed(item, name, new)
        found[key] = item
    return found


def _score(name: str) -> str:
    """Return what a watch calls the score of a monitor."""
    return f"monitor {name}"


def _within(text: str, name: str, new: str) -> str:
    try:
        inner = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text
    changed = renamed(inner, name, new)
    return text if changed == inner else msgspec.json.encode(changed).decode()


def _referring(project: Project, name: str) -> Iterator[tuple[Path, list[Any]]]:
    """Yield files that may name a monitor, with the values on their lines; damaged ones stay."""
    known = msgspec.json.encode(name)[1:-1]
    for pattern in ("presets/*.json", "changes/[!.]*.json", "hits/[!.]*.json*"):
        for path in sorted(project.path.glob(pattern)):
            with suppress(OSError, msgspec.DecodeError, UnicodeDecodeError):
                data = path.read_bytes()
                if known in data:
                    lines = data.splitlines() if path.suffix == ".jsonl" else [data]
                    yield path, [msgspec.json.decode(line) for line in lines if line.strip()]


def _goal(project: Project, file: Path, name: str, new: str) -> Path:
    """Return where a file is to be: hits that are called as the monitor go by the new name.

    They stay where others have that name.
    """
    if file.parent.name != "hits":
        return file
    corpus = ""
    with suppress(OSError, msgspec.DecodeError, UnicodeDecodeError, AttributeError):
        corpus = msgspec.json.decode(file.with_suffix(".json").read_bytes()).get("corpus", "")
    stem = file.stem
    if stem == name:
        stem = new
    elif stem == run_file_name(name, str(corpus)):
        stem = run_file_name(new, str(corpus))
    taken = stem != file.stem and project.hits_path(stem).exists()
    return file if taken else file.with_name(stem + file.suffix)


def _written(path: Path, values: list[Any]) -> Path:
    """Write lines of JSON, or one value that a person can read."""
    lines = [msgspec.json.encode(value) for value in values]
    if path.suffix == ".jsonl":
        data = b"".join(line + b"\n" for line in lines)
    else:
        data = msgspec.json.format(lines[0])
    return _put(path, data)


def _copied(source: Path, path: Path) -> Path:
    with explained(source, reading=True):
        data = source.read_bytes()
    return _put(path, data)


def _put(path: Path, data: bytes) -> Path:
    with explained(path):
        path.parent.mkdir(exist_ok=True)
        write_bytes(path, data)
    return path
