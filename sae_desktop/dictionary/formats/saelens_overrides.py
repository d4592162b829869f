"""What SAELens's directory of releases corrects in published configs.

A repository that is read without SAELens is read as SAELens reads it: `resources/` holds of its
directory what changes the mathematics, made by `packaging/saelens_overrides.py`.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from sae_desktop.resources import resource_path

_CACHED = "models--"
"""How a folder of the hub's cache begins: models--owner--name."""


def overridden(folder: Path) -> dict[str, Any]:
    """Return the fields of a config that the directory overrides, by where its folder is.

    `norm_scaling_factor` among them is what the rows of this dictionary were scaled by.
    """
    found = corrections(_repository(folder))
    scales = found.pop("norm_scaling_factor", {})
    scale = next((scales[inside] for inside in _inside(folder) if inside in scales), None)
    return found if scale is None else {**found, "norm_scaling_factor": scale}


def _inside(folder: Path) -> list[str]:
    """Return the last parts of a folder's path, joined: what may be its path in a repository."""
    return ["/".join(folder.parts[start:]) for start in range(1, len(folder.parts))]


def corrections(repository: str) -> dict[str, Any]:
    """Return the fields that the directory overrides of a repository, given as owner/name."""
    return dict(_overrides().get(repository, {}))


def _repository(folder: Path) -> str:
    """Return the repository of a folder of the hub's cache as owner/name; "" for another."""
    cached = next((part for part in reversed(folder.parts) if part.startswith(_CACHED)), "")
    return cached.removeprefix(_CACHED).replace("--", "/", 1)


@cache
def _overrides() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = json.loads(
        resource_path("saelens_overrides.json").read_text(encoding="utf-8")
    )
    return found
