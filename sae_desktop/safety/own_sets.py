"""A project's own concept sets, written: added to, saved, brought from elsewhere. Free of Qt."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec.toml

from sae_desktop.project import Project, checked_name
from sae_desktop.safety.concept_file import ConceptFile, Side, read_file
from sae_desktop.safety.concept_set import ConceptSet, own_sets, read_set, set_path
from sae_desktop.safety.set_draft import added_to, as_file, check
from sae_desktop.storage.atomic import write_bytes
from sae_desktop.storage.faults import explained


def set_file(project: Project, name: str) -> ConceptFile:
    """Return a set as it can be changed, whatever form its file has. Raises UserError."""
    path, _ = set_path(project, name)
    return read_file(path) if path.suffix == ".toml" else as_file(read_set(project, name))


def grow(
    project: Project,
    name: str,
    texts: Sequence[str],
    side: Side,
    *,
    language: str = "",
    held_out: bool = False,
) -> ConceptSet:
    """Add texts, each a template of its own, to the project's copy of a set, and return that.

    A set that ships is copied first. Texts in another language than the set's are held out. Raises
    UserError as `check`; then nothing is changed.
    """
    file = added_to(set_file(project, name), texts, side, language, held_out=held_out)
    found = check(name, file)
    save_set(project, name, file)
    return found


def save_set(project: Project, name: str, file: ConceptFile) -> Path:
    """Write a set that was checked as TOML, in the place of one so called in any form.

    Raises UserError where the disk is full.
    """
    return _put(project, name, ".toml", msgspec.toml.encode(file))


def keep_set(project: Project, name: str, file: Path) -> Path:
    """Copy the file of a set that was checked into the project, in the place of one so called.

    Raises UserError where the disk is full.
    """
    return _put(project, name, file.suffix.lower(), file.read_bytes())


def _put(project: Project, name: str, ending: str, content: bytes) -> Path:
    own = project.path / "concepts" / f"{checked_name(name)}{ending}"
    before = own_sets(project).get(name)
    with explained(own):
        own.parent.mkdir(exist_ok=True)
        write_bytes(own, content)
        if before is not None and before != own:
            before.unlink()
    return own
