"""Removes local paths from whatever is given to others."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from sae_desktop.language_model.names import hub_name, public_name

_PLACE = re.compile(r"(/|~|[A-Za-z]:[\\/]|\\\\|file:)")
_MODEL_FIELDS = ("model", "model_name", "lm_name")
_COPIED_AT_ONCE = 1 << 16


def is_place(text: str) -> bool:
    """Whether a text is an absolute path on some machine."""
    return bool(_PLACE.match(text)) and "\n" not in text


def without_place(text: str) -> str:
    """Return what a path names, without where it is: a hub's model, or the last part."""
    if not is_place(text):
        return text
    return hub_name(text) or public_name(text)


def without_places(value: Any) -> Any:
    """Return JSON-like data with every path in it replaced by what it names."""
    if isinstance(value, str):
        return without_place(value)
    if isinstance(value, dict):
        return {key: _field(key, entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [without_places(entry) for entry in value]
    return value


def _field(name: str, value: Any) -> Any:
    if name in _MODEL_FIELDS and isinstance(value, str):
        return public_name(value)
    if name == "config" and isinstance(value, str):
        return _json_text(value)
    return without_places(value)


def _json_text(text: str) -> str:
    """Return JSON in a text without places; any other text as it is, or what it names."""
    try:
        found = json.loads(text)
    except ValueError:
        return without_place(text)
    if not isinstance(found, dict | list):
        return without_place(text)
    return json.dumps(without_places(found), ensure_ascii=False, separators=(",", ":"))


def copy_without_places(path: Path, target: Path) -> Path:
    """Copy a file of a project for others; what a person reads of it is the same but for paths.

    JSON and HDF5 are gone through, anything else is copied as it is.
    """
    if path.suffix == ".json":
        try:
            told = json.loads(path.read_bytes())
        except ValueError:  # half a file: it is said where it is read
            shutil.copyfile(path, target)
        else:
            target.write_text(
                json.dumps(without_places(told), ensure_ascii=False, indent=2), encoding="utf-8"
            )
        return target
    if path.suffix != ".h5":
        shutil.copyfile(path, target)
        return target
    # Written anew: an attribute that is replaced leaves its bytes in the file.
    with h5py.File(path) as file, h5py.File(target, "w", libver=("earliest", "v110")) as clean:
        pictures = "pictures" in file and "picture_data" in file
        for name in file:
            if not (pictures and name in ("pictures", "picture_data")):
                file.copy(name, clean)
        if pictures:
            _copy_pictures(file, clean)
        for name, value in file.attrs.items():
            clean.attrs[name] = _json_text(value) if isinstance(value, str) else value
        if "documents" in clean:
            _clean_documents(clean["documents"])
    return target


def _copy_pictures(file: h5py.File, clean: h5py.File) -> None:
    """Copy the pictures of an index; what is said of where they are from has no places."""
    table, data = file["pictures"][:], bytearray()
    for entry in table:
        first, size = int(entry["data_first"]), int(entry["record_bytes"])
        after = int(entry["thumbnail_bytes"]) + int(entry["whole_bytes"])
        held = file["picture_data"][first : first + size + after].tobytes()
        told = _json_text(held[:size].decode("utf-8", "replace")).encode()
        entry["data_first"], entry["record_bytes"] = len(data), len(told)
        data += told + held[size:]
    clean.create_dataset("pictures", data=table)
    clean.create_dataset("picture_data", data=np.frombuffer(bytes(data), np.uint8))


def _clean_documents(documents: h5py.Dataset) -> None:
    """Take the places out of what documents say of their source and title."""
    for first in range(0, len(documents), _COPIED_AT_ONCE):
        rows = documents[first : first + _COPIED_AT_ONCE]
        for field in set(rows.dtype.names or ()) & {"source", "title", "group"}:
            for text in np.unique(rows[field]):
                told = text.decode("utf-8", "replace")
                if is_place(told):
                    rows[field][rows[field] == text] = without_place(told).encode()
        documents[first : first + _COPIED_AT_ONCE] = rows
