"""Deleting what a project holds."""

from __future__ import annotations

import shutil
from pathlib import Path

from sae_desktop.features.effect_path import effect_path
from sae_desktop.features.firing_paths import firings_folder, remove_firings
from sae_desktop.project import Project
from sae_desktop.storage.faults import explained, folder_bytes, format_bytes


def item_path(project: Project, kind: str, name: str) -> Path:
    """Return where a store, dictionary or index lies."""
    paths = {
        "store": project.store_path,
        "dictionary": project.dictionary_path,
        "index": project.index_path,
        "sweep": project.sweep_path,
    }
    return paths[kind](name)


def deletion_question(project: Project, kind: str, name: str) -> str:
    """Return what is asked before a deletion: how many bytes of what."""
    path = item_path(project, kind, name)
    size = format_bytes(index_bytes(path) if kind == "index" else folder_bytes(path))
    what = {
        "store": "its activations; dictionaries trained on it stay",
        "dictionary": "its weights, curves and checkpoint; its indexes stay",
        "sweep": "its table; the dictionaries it trained stay",
        "index": "what was found out about its features; labels stay",
    }[kind]
    return f"Delete the {kind} “{name}”? {size} on disk: {what}."


def index_bytes(path: Path) -> int:
    """Return the bytes of an index and of the firings beside it."""
    kept = firings_folder(path)
    return folder_bytes(path) + (folder_bytes(kept) if kept.exists() else 0)


def delete_item(project: Project, kind: str, name: str) -> None:
    """Delete a store, dictionary or index. Raises UserError when the system refuses.

    It is renamed first, so that half a deletion never looks like a whole thing.
    """
    path = item_path(project, kind, name)
    doomed = path.with_name(f".{path.name}.part")
    with explained(path):
        path.rename(doomed)
        if doomed.is_dir():
            shutil.rmtree(doomed)
        else:
            doomed.unlink()
    if kind == "index":
        remove_firings(path)
        with explained(path):
            effect_path(path).unlink(missing_ok=True)
