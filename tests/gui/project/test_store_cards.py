"""The cards of activation stores say what they hold."""

from __future__ import annotations

import datetime
from pathlib import Path

from frame_project import add_store
from lit_index import DOCUMENTS, planted_rows
from picture_stores import picture_info, write_picture_store

from sae_desktop.gui.project.project_cards import cards
from sae_desktop.project import Project
from sae_desktop.words.inventory import take_inventory

NOW = datetime.datetime(2026, 1, 1)


def test_store__tells_how_many_pictures_it_has(tmp_path: Path) -> None:
    project = Project.open_or_create(tmp_path / "p")
    add_store(project, "words", rows=20, wanted=20)
    rows = planted_rows()
    info = picture_info(rows.shape[1], model="")
    write_picture_store(project.store_path("seen"), DOCUMENTS, rows, info=info)
    found = {
        card.name: dict(card.figures)
        for card in cards(take_inventory(project), NOW)["Activation stores"]
    }
    assert found["seen"]["Pictures"] == "2"
    assert "Pictures" not in found["words"]
