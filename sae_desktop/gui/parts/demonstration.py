"""The demonstration project that ships, unpacked to where it may be written. Free of Qt."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import platformdirs

from sae_desktop.jobs import SilentContext
from sae_desktop.project import Project
from sae_desktop.resources import resource_path
from sae_desktop.storage.archives import unpack
from sae_desktop.storage.faults import explained

SHIPPED = "demonstration.saeproj"
PACKED = "demonstration.zip"
"""What ships: a folder of that project, packed."""
PROMPT = "This is"
CIRCUIT_PROMPT = "The capital of France is the city of"
"""What is traced first in Circuits."""
OTHER_CIRCUIT_PROMPT = "The capital of Spain is the city of"
"""As many tokens of the built-in model: what is patched into it first."""
CLAMP = 1.5
"""What steering is shown with."""
TITLE = "Demonstration"
FIRST_INDEX = "builtin-L3"
"""Opened first, of the two; its features have labels."""
START_LIST = "Start here"
"""The list of features that are easy to read, the clearest first."""


def demonstration_path() -> Path:
    """Return where a person's own copy of the demonstration is."""
    return Path(platformdirs.user_data_dir("sae-desktop", appauthor=False)) / SHIPPED


def demonstration_copy(folder: Path | None = None) -> Path:
    """Return a person's own copy of the demonstration, made now if it is not there.

    It is in `folder`, or in the person's data folder.

    Raises UserError when the installation lacks it or the copy cannot be written.
    """
    copy = demonstration_path() if folder is None else folder.resolve() / SHIPPED
    if (copy / "project.toml").is_file():
        return copy
    packed = resource_path(PACKED)
    part = copy.with_name(copy.name + ".part")
    with explained(copy):
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        unpack(packed, part, SilentContext())
        # The newest index is the one that opens.
        os.utime(Project.open(part).index_path(FIRST_INDEX))
        part.rename(copy)
    return copy


def is_demonstration(project: Project | None) -> bool:
    """Tell whether a project is a copy of the one that ships, wherever it lies."""
    return project is not None and project.title == TITLE
