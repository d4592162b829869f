"""A demonstration with pictures, small and planted, packed as the one that ships is."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path

import pytest
from lit_index import lit_project

from sae_desktop import demonstrations as demonstration
from sae_desktop.demonstrations import PICTURES, START_LIST
from sae_desktop.project import Project
from sae_desktop.project_lists import FeatureList, FeatureLists, ListMember
from sae_desktop.project_notes import FeatureNote, Notes
from sae_desktop.resources import resource_path

LISTED = {2: "dogs", 1: "the word"}
"""Feature → label of the list to start with, in its order."""


def picture_project(folder: Path) -> Project:
    """Return a project that is called and indexed as the one that ships."""
    Project.open_or_create(folder, title=PICTURES.title)
    project = lit_project(folder)
    for file in project.index_path("i").parent.glob("i.*"):
        file.rename(file.with_name(f"{PICTURES.first_index}{file.suffix}"))
    with closing(Notes(project.notes_path)) as notes:
        for feature, label in LISTED.items():
            notes.save("d", FeatureNote(feature=feature, label=label, starred=True))
        members = [ListMember(feature=feature) for feature in LISTED]
        FeatureLists(notes).write("d", START_LIST, FeatureList(name=START_LIST, members=members))
    return project


def ship(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have an installation with the demonstration; return its archive."""
    project = picture_project(folder / "shipped.saeproj")
    packed = Path(shutil.make_archive(str(folder / "pictures"), "zip", project.path))
    monkeypatch.setattr(
        demonstration, "resource_path",
        lambda name: packed if name == PICTURES.archive else resource_path(name),
    )  # fmt: skip
    return packed
