"""Scans and own concept sets are things of a project: listed, opened, deleted, restored."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
from frame_client import Heard
from made_scan import save_scan, three_sets
from PySide6.QtWidgets import QWidget

from sae_desktop.deletion import SET_FILE, delete_item, deletion_question, restore_item
from sae_desktop.gui.project.card_actions import CardActions
from sae_desktop.gui.project.project_cards import Card, cards
from sae_desktop.gui.state.safety_request import SafetyRequest
from sae_desktop.gui.state.session import Session
from sae_desktop.gui.state.trash import Trash
from sae_desktop.project import Project
from sae_desktop.safety.concept_set import own_sets, read_set
from sae_desktop.safety.own_sets import grow
from sae_desktop.words.inventory import take_inventory


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project.open_or_create(tmp_path / "p")
    save_scan(project, "first", three_sets()[:2])
    grow(project, "scams", ["Send the fee today and the prize is yours."], "positive")
    return project


def found(project: Project) -> dict[str, list[Card]]:
    return cards(take_inventory(project), datetime.datetime(2026, 1, 1))


def test_scan_and_own_set__have_cards_and_damaged_ones_say_so(project: Project) -> None:
    (scan,) = found(project)["Scans"]
    assert scan.figures[2] == ("Separate after correction", "2 of 4 features")
    assert "2 of 3 sets" in scan.warning
    assert scan.actions == ("scan", "reveal", "delete")
    (own,) = found(project)["Concept sets"]
    assert (own.name, own.title) == ("scams.toml", "Scams")
    shipped = read_set(None, "scams")
    assert own.figures[0] == ("Positives", str(len(shipped.part(positive=True)) + 1))
    assert own.figures[1] == ("Near misses", str(len(shipped.part(positive=False))))
    project.scan_path("first").write_bytes(b"none")
    own_sets(project)["scams"].write_text("title = 1")
    assert "first" in found(project)["Scans"][0].warning
    (own,) = found(project)["Concept sets"]
    assert "not in the form of a set" in own.warning
    assert own.actions == ("reveal", "delete")


def test_both__go_to_the_trash_and_come_back(project: Project) -> None:
    assert "Delete the concept set “scams”?" in deletion_question(project, SET_FILE, "scams.toml")
    for kind, name, there in (
        (SET_FILE, "scams.toml", lambda: list(own_sets(project))),
        ("scan", "first", project.scans),
    ):
        item = delete_item(project, kind, name)
        assert there() == []
        restore_item(project, item)
        assert there() == [name.partition(".")[0]]


def test_card__leads_to_its_place(
    project: Project, session: Session, heard: Heard, qtbot: object
) -> None:
    session.open_project(project.path)
    asked: list[SafetyRequest] = []
    session.safetyRequested.connect(asked.append)
    panel = QWidget()
    actions = CardActions(session, panel, Trash(session), lambda: None)
    actions.do(SET_FILE, "scams.toml", "concept_set")
    actions.do(SET_FILE, "scams.toml", "scan_for")
    actions.do("scan", "first", "scan")
    assert heard.workspaces == ["safety.sets", "safety.scan", "safety.scan"]
    assert [(one.what, one.name) for one in asked] == [
        ("concept_set", "scams"), ("scan_for", "scams"), ("scan", "first"),
    ]  # fmt: skip
    panel.deleteLater()
