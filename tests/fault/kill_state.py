"""What a folder holds, so that two can be compared: bit for bit, but for times and order."""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from sae_desktop.activations.store import ActivationStore
from sae_desktop.errors import UserError
from sae_desktop.training.run_log import read_run

_MADE = re.compile(r'"made":"[^"]*"')
_TIMED = {
    "seconds", "rows_per_second", "waited_share", "tokens_per_second", "created", "deleted",
    "key", "when", "made_at", "peak_bytes",
}  # fmt: skip
_STAGES = "stages"
"""What a job said of its stages' times: one that goes on has fewer of them."""
_CLOCKED = {"loss_recovered", "loss_recovered_mean", "kl"}
"""Curves measured when, and on as much text as, a share of the time allows."""
_KEY = re.compile(r"^\.trash/[0-9a-f]{32}")
_LIBRARYS = re.compile(
    r"^hub/.*(?:\.[0-9a-f]{8}\.incomplete|/refs/.+\.[0-9a-f]{8}\.tmp"
    r"|/tmp[\w-]+(?:\.tmp|/dummy_file_\w+)?)$"
)
"""What the hub's own library was writing in its own cache, under a name of chance."""
_IGNORED = (".lock", "-wal", "-shm", ".lock-owner")
State = dict[str, Any]
_READ: dict[Any, Any] = {}


def state_of(folder: Path) -> State:
    """Return the path of every file and empty folder → what it holds."""

    def known(found: re.Match[str]) -> str:
        """Name an entry of the trash by what it is: its folder has a number of chance."""
        record = folder / found[0] / "item.json"
        item = json.loads(record.read_bytes()) if record.exists() else {}
        return f".trash/{item.get('kind')} {item.get('name')}"

    found: State = {}
    for path in sorted(folder.rglob("*")):
        name = _KEY.sub(known, path.relative_to(folder).as_posix())
        if name.endswith(_IGNORED) or _LIBRARYS.search(name):
            continue
        if path.is_dir():
            if not any(path.iterdir()):
                found[name + "/"] = "empty"
        elif path.parent.parent.name == "activations" and path.name == "000.h5":
            found[f"{name} store"] = _known(path.parent, _store)
        elif path.parent.parent.name == "activations":
            found[name] = "segment"
        else:
            try:
                found[name] = _known(path, _content)
            except (UserError, OSError, ValueError, zipfile.BadZipFile) as error:
                found[name] = f"cannot be read: {error}"
    return found


def differences(found: State, right: State) -> list[str]:
    """Return the names of what is missing, too much, or different."""
    lines = [f"missing: {name}" for name in right.keys() - found.keys()]
    lines += [f"left over: {name}" for name in found.keys() - right.keys()]
    lines += [f"different: {n}" for n in found.keys() & right.keys() if found[n] != right[n]]
    return sorted(lines)


def _known(path: Path, read: Callable[[Path], Any]) -> Any:
    """Read a file, or a folder of files, unless one of the same name with the same bytes was.

    Most of what a trial leaves is as it was before. A database has more files than its own.
    """
    if path.suffix == ".sqlite":
        return read(path)
    files = sorted(f for f in path.iterdir() if f.is_file()) if path.is_dir() else [path]
    bytes_of = tuple((file.name, hashlib.sha256(file.read_bytes()).digest()) for file in files)
    key = path.parent.name, path.name, bytes_of
    if key not in _READ:
        _READ[key] = read(path)
    return _READ[key]


def _content(path: Path) -> Any:
    if path.name == "run.h5":
        return _run(path)
    if path.suffix in (".h5", ".effect", ".judged", ".scores", ".names", ".kinds"):
        return _hdf5(path)
    if path.name == "requests.sqlite":
        return _requests(path)
    if path.suffix == ".sqlite":
        return _notes(path)
    if path.suffix == ".json":
        return _timeless(json.loads(path.read_bytes()))
    if path.suffix == ".saepack":
        with zipfile.ZipFile(path) as archive:
            return {n: _archived(n, archive.read(n)) for n in sorted(archive.namelist())}
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _archived(name: str, data: bytes) -> Any:
    return _timeless(json.loads(data)) if name.endswith(".json") else hashlib.sha256(data).digest()


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _timeless(v) for k, v in value.items() if k not in _TIMED}
    return [_timeless(v) for v in value] if isinstance(value, list) else value


def _attribute(text: str) -> Any:
    text = _MADE.sub('"made":""', text)
    try:
        return _timeless(json.loads(text))
    except ValueError:
        return text


def _digest(values: Any) -> str:
    return hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()


def _hdf5(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    with h5py.File(path, "r") as file:
        found["attributes"] = {
            name: _attribute(str(value)) for name, value in file.attrs.items() if name != _STAGES
        }

        def remember(name: str, item: object) -> None:
            if isinstance(item, h5py.Dataset) and name == "info":  # a graph's, as JSON
                found[name] = _timeless(json.loads(item[...].tobytes()))
            elif isinstance(item, h5py.Dataset):
                found[name] = _digest(item[...])

        file.visititems(remember)
    return found


def _store(folder: Path) -> dict[str, Any]:
    store = ActivationStore.open(folder)
    found: dict[str, Any] = {"rows": store.rows, "info": str(store.info)}
    for name in ("tokens", "positions", "windows", "spans", "documents"):
        found[name] = _digest(getattr(store, name))
    for number in range(len(store.pictures)):
        picture = store.pictures.get(number)
        kept = store.pictures.thumbnail(number) + store.pictures.whole(number)
        rows = _digest(store.pictures.rows(number))
        found[f"picture {number}"] = str(picture), rows, hashlib.sha256(kept).hexdigest()
    for site in store.info.sites:
        statistics = store.statistics(site)
        found[site] = _digest(store.read(0, store.rows, site)), _digest(store.norms(site))
        found[f"{site} statistics"] = None if statistics is None else _digest(statistics.record)
    return found


def _run(path: Path) -> dict[str, Any]:
    run = read_run(path)
    found: dict[str, Any] = {
        name: _digest(values)
        for name, values in run.columns.items()
        if name not in _TIMED | _CLOCKED
    }
    # However fast it went, the figure at the end is there.
    for name in _CLOCKED & run.columns.keys():
        found[name] = bool(np.isfinite(run.columns[name][-1:]).all())
    found["density"] = _digest(run.density_counts)
    found["changes"] = str(run.changes)
    return found


def _requests(path: Path) -> dict[str, str]:
    """Return the answers that models gave; how often they were asked depends on the kill."""
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        # Killed before it had made the table, which whoever opens it next makes.
        if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'requests'").fetchone():
            return {}
        rows = database.execute("SELECT hex(digest), state, answer FROM requests")
        return {digest: f"{state} {answer!r}" for digest, state, answer in rows}


def _notes(path: Path) -> dict[str, Any]:
    with sqlite3.connect(path) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return {
            name: sorted(map(str, database.execute(query)))
            for name, query in {
                "notes": "SELECT d.name, n.key & 4294967295, label, score, starred, note "
                "FROM notes n JOIN dictionaries d ON d.number = n.key >> 32",
                "found": "SELECT rowid & 4294967295 FROM note_search WHERE note_search MATCH "
                "'label OR two OR nine'",
                "lists": "SELECT d.name, l.name, l.annotation, place, feature FROM lists l "
                "JOIN dictionaries d ON d.number = l.dictionary JOIN list_members m "
                "ON m.list = l.number",
                "filters": "SELECT * FROM filters",
            }.items()
        }
