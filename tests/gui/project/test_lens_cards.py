"""A fitted lens is one of the things of a project: listed, deleted, restored."""

from __future__ import annotations

import datetime
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from sae_desktop.circuits.reading.lens_file import lens_items
from sae_desktop.deletion import (
    delete_item,
    deletion_question,
    restore_item,
    trash_items,
)
from sae_desktop.gui.project.project_cards import cards
from sae_desktop.project import Project
from sae_desktop.words.inventory import take_inventory

DIGEST = "0123456789abcdef"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project.open_or_create(tmp_path / "p")
    path = project.lens_path(DIGEST)
    path.parent.mkdir()
    told = {"model": "smollm2", "told": "1,536 tokens in 32 texts of “builtin”"}
    save_file({"jacobians": np.zeros((3, 4, 4), np.float16)}, path, metadata=told)
    return project


def test_lens__has_a_card_under_the_name_of_its_model(project: Project) -> None:
    (item,) = take_inventory(project).lenses
    assert (item.model, item.layers, item.width, item.problem) == ("smollm2", 3, 4, "")
    now = datetime.datetime(2026, 1, 1, 12)
    (card,) = cards(take_inventory(project), now)["Lenses"]
    assert card.name == DIGEST
    assert "SmolLM2" in card.title
    assert card.figures[0] == ("Averaged over", "1,536 tokens in 32 texts of “builtin”")
    assert card.actions == ("lens", "reveal", "delete")


def test_lens__goes_to_the_trash_and_comes_back(project: Project) -> None:
    assert "Delete the lens of “smollm2”?" in deletion_question(project, "lens", DIGEST)
    item = delete_item(project, "lens", DIGEST)
    assert item.title == "lens of “smollm2”"
    assert project.lenses() == []
    (trashed,) = trash_items(project)
    assert trashed.title == "lens of “smollm2”"
    restore_item(project, trashed)
    assert project.lenses() == [DIGEST]


@pytest.mark.parametrize("damage", ["cut", "header", "empty"])
def test_damaged_lens__says_so_and_can_be_deleted(project: Project, damage: str) -> None:
    path = project.lens_path(DIGEST)
    whole = path.read_bytes()
    path.write_bytes({"cut": whole[:-8], "header": b"\xff" * 64, "empty": b""}[damage])
    (item,) = lens_items(project)
    assert item.problem
    (card,) = cards(take_inventory(project), datetime.datetime(2026, 1, 1))["Lenses"]
    assert "Measure the lens again" in card.warning
    assert card.actions == ("reveal", "delete")
    delete_item(project, "lens", DIGEST)
    assert project.lenses() == []
