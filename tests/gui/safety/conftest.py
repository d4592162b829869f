"""A project with a scan that was made by hand, and the two places on it."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_scan import save_scan, three_sets

from sae_desktop.project import Project


@pytest.fixture
def scanned(tmp_path: Path) -> Project:
    """A project with the scan “first” of the index “i”, which is not in the project."""
    project = Project.open_or_create(tmp_path / "p")
    save_scan(project, "first", three_sets())
    return project
