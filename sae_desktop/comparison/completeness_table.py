"""A completeness table on disk: `completeness/<name>.json`. Free of torch and Qt."""

from __future__ import annotations

import msgspec

from sae_desktop.comparison.config import CompletenessResult
from sae_desktop.errors import UserError
from sae_desktop.project import Project, existing
from sae_desktop.storage.atomic import write_bytes
from sae_desktop.storage.faults import explained


def write_table(project: Project, table: CompletenessResult) -> None:
    """Write a table in one step. Raises UserError when the disk is full."""
    path = project.completeness_path(table.name)
    with explained(path):
        path.parent.mkdir(exist_ok=True)
        write_bytes(path, msgspec.json.encode(table))


def read_table(project: Project, name: str) -> CompletenessResult:
    """Return a table of the project. Raises UserError when it is missing or damaged."""
    existing("completeness table", name, project.completeness_tables())
    path = project.completeness_path(name)
    try:
        return msgspec.json.decode(path.read_bytes(), type=CompletenessResult)
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(
            f"The completeness table “{name}” cannot be read: {error}.",
            next_step="Restore it from a copy, or make it again under another name.",
        ) from error
