"""The demonstrations that ship, unpacked once a process for tests that leave them as they are."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

from sae_desktop.demonstrations import SENTENCES, Demonstration, demonstration_copy
from sae_desktop.project import Project


@cache
def demonstration(of: Demonstration = SENTENCES) -> Project:
    """Return a project; a test that changes it takes `demonstration_copy`."""
    folder = tempfile.mkdtemp(prefix="sae-desktop-demonstration-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Project.open(demonstration_copy(Path(folder), of))
