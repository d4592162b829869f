"""Dictionaries and indexes from the command line: listed, and deleted after a question."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_process import sae_desktop

from sae_desktop.project import Project


@pytest.mark.parametrize(
    ("command", "name", "other"), [("dictionaries", "dict", "idx"), ("indexes", "idx", "dict")]
)
def test_items__are_listed_and_deleted(
    small_project: Path, command: str, name: str, other: str
) -> None:
    listed = sae_desktop(command, "list", small_project, "--json")
    assert listed.status == 0, listed.stderr
    (item,) = listed.result[command]
    assert item["name"] == name
    assert item["features"] > 0
    assert item["bytes"] > 1000
    assert name in sae_desktop(command, "list", small_project).stdout
    asked = sae_desktop(command, "delete", small_project, name)
    assert asked.status == 1
    assert "was not deleted" in asked.stderr
    assert "--yes" in asked.stderr
    done = sae_desktop(command, "delete", small_project, name, "--yes")
    assert done.status == 0, done.stderr
    project = Project.open(small_project)
    kept = project.indexes() if command == "dictionaries" else project.dictionaries()
    assert kept == [other]
    assert sae_desktop(command, "list", small_project, "--json").result[command] == []
