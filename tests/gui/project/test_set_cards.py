"""A set is one card; its layers and their indexes do not flood the others."""

from __future__ import annotations

import datetime

import pytest
from frame_client import FakeClient, Heard
from frame_project import add_run
from PySide6.QtWidgets import QMenu
from pytestqt.qtbot import QtBot
from set_project import FEATURES, add_set

from sae_desktop.exchange.set_config import ExportSetConfig
from sae_desktop.gui.forms.set_forms import ExportSetForm, RenameSetForm
from sae_desktop.gui.frame.breadcrumb import Breadcrumb
from sae_desktop.gui.project.next_step import next_step
from sae_desktop.gui.project.project import ProjectPanel
from sae_desktop.gui.project.project_cards import Card, cards
from sae_desktop.gui.state.session import Session
from sae_desktop.project import Project
from sae_desktop.words.inventory import take_inventory
from sae_desktop.words.set_words import layers_text, member_text

NOW = datetime.datetime(2026, 1, 1)


def shown(project: Project, *unfolded: str) -> dict[str, list[Card]]:
    return cards(take_inventory(project), NOW, unfolded)


def test_card__of_a_set_stands_for_all_its_layers(project: Project) -> None:
    add_set(project, "whole", layers=30, indexed=(0, 1))
    found = shown(project)
    assert [card.name for card in found["Dictionaries"]] == ["whole"]
    assert "Indexes" not in found
    figures = dict(found["Dictionaries"][0].figures)
    assert (figures["Layers"], figures["Kind"]) == ("0–29", "skip transcoders")
    assert figures["Features"] == f"{FEATURES} × 30 layers"
    assert figures["FVU"] == "0.000 to 2.900"
    assert figures["Indexed"] == "2 of 30 layers"
    assert found["Dictionaries"][0].actions[0] == "explore_set"
    under_way = cards(take_inventory(project), NOW, written=frozenset({("set", "whole")}))
    assert not {"index_set", "delete"} & set(under_way["Dictionaries"][0].actions)


def test_card__lists_layers_and_their_indexes_where_they_are_asked_for(project: Project) -> None:
    add_set(project, "whole", indexed=(1,))
    found = shown(project, "whole")
    names = [card.name for card in found["Dictionaries"]]
    assert names == ["whole", "whole.L00", "whole.L01", "whole.L02"]
    assert [card.name for card in found["Indexes"]] == ["whole.L01"]


def test_card__of_a_set_in_training_says_how_far_it_came(project: Project) -> None:
    config = add_set(project, "half", finished=False)
    inventory = take_inventory(project)
    (item,) = inventory.sets
    assert (item.complete, item.train, item.rows) == (False, config, 5_000)
    (card,) = shown(project)["Dictionaries"]
    assert card.warning == "Its training stopped after 5k rows."
    assert card.actions[0] == "resume_set"
    assert "explore_set" not in card.actions
    step = next_step(inventory)
    assert (step.kind, step.target) == ("resume_set", "half")


def test_card__says_which_layer_is_missing_and_keeps_the_others(project: Project) -> None:
    add_set(project, "torn")
    folder = project.set_path("torn") / "L01"
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    (item,) = take_inventory(project).sets
    assert [member.name for member in item.members] == ["torn.L00", "torn.L02"]
    assert "“L01” is missing" in shown(project)["Dictionaries"][0].warning


def test_set_that_cannot_be_read__is_a_broken_card_and_no_error(project: Project) -> None:
    add_set(project, "bad")
    (project.set_path("bad") / "set.json").write_text("{")
    (card,) = shown(project)["Dictionaries"]
    assert (card.kind, card.footer) == ("set", "Cannot be read")


def test_dictionary__of_a_members_name_comes_before_the_member(project: Project) -> None:
    add_set(project, "s", indexed=(0,))
    add_run(project, "s.L01")
    (project.path / "dictionaries" / "s.L00").mkdir(parents=True)
    add_run(project, "s.L00")
    inventory = take_inventory(project)
    assert inventory.set_of("s.L00") is None
    assert [item.name for item in inventory.own_indexes] == ["s.L00"]


def test_next_step__after_a_set_is_to_index_its_layers_and_then_to_read_them(
    project: Project,
) -> None:
    add_set(project, "whole")
    step = next_step(take_inventory(project))
    assert (step.kind, step.target) == ("index_set", "whole")
    add_set(project, "other", indexed=(1, 2))
    step = next_step(take_inventory(project))
    assert (step.kind, step.target) == ("explore", "other.L01")
    assert f"{2 * FEATURES} features of the set “other”" in step.sentence


def test_panel__opens_a_layer_of_a_set_and_leads_to_circuits(
    session: Session, project: Project, client: FakeClient, heard: Heard, qtbot: QtBot
) -> None:
    add_set(project, "whole", indexed=(1, 2))
    session.open_project(project.path)
    session.close_index()
    panel = ProjectPanel(session)
    qtbot.addWidget(panel)
    panel.show()
    panel.card_actions.do("set", "whole", "explore_set")
    assert session.index_name == "whole.L01"
    session.open_index("whole.L02")
    panel.card_actions.do("set", "whole", "explore_set")
    assert session.index_name == "whole.L02"
    with qtbot.waitSignal(session.traceRequested) as asked:
        panel.card_actions.do("set", "whole", "trace")
    assert asked.args == ["whole"]
    assert heard.workspaces[-1] == "circuits"


def test_set__is_renamed_with_the_open_layer_and_exported(
    session: Session, project: Project, client: FakeClient, heard: Heard, qtbot: QtBot
) -> None:
    add_set(project, "whole", indexed=(1,))
    add_set(project, "other")
    session.open_project(project.path)
    session.open_index("whole.L01")
    panel = ProjectPanel(session)
    qtbot.addWidget(panel)
    panel.show()
    panel.card_actions.do("set", "whole", "rename_set")
    form = panel.window().findChild(RenameSetForm)
    assert form is not None
    form.name.setText("other")
    assert not form._start.isEnabled()
    form.name.setText("renamed")
    form.accept()
    qtbot.waitUntil(lambda: session.index_name == "renamed.L01", timeout=10_000)
    assert [item.name for item in session.inventory.sets] == ["other", "renamed"]
    assert heard.errors == []
    panel.card_actions.do("set", "renamed", "export_set")
    export = panel.window().findChild(ExportSetForm)
    assert export is not None
    export.target.setText("")
    assert not export._start.isEnabled()
    export.target.setText("/somewhere/new")
    export.accept()
    config = client.last(ExportSetConfig).config
    assert (config.set, config.path, config.format) == (
        "renamed", "/somewhere/new", "circuit_tracer",
    )  # fmt: skip


def test_set__goes_to_the_trash_as_one_thing_and_comes_back(
    session: Session, project: Project, heard: Heard, qtbot: QtBot
) -> None:
    add_set(project, "whole", indexed=(0, 1))
    session.open_project(project.path)
    session.open_index("whole.L01")
    panel = ProjectPanel(session)
    qtbot.addWidget(panel)
    panel.card_actions.delete("set", "whole")
    assert session.index is None
    assert heard.notices[-1].startswith("Moved the set “whole” to the trash.")
    session.look_again()
    assert (session.inventory.sets, session.inventory.indexes) == ([], [])
    session.undo_stack.undo()
    session.look_again()
    assert [item.name for item in session.inventory.sets] == ["whole"]
    assert session.open_index("whole.L01")


def test_breadcrumb__has_a_menu_of_its_own_for_the_layers_of_a_set(
    session: Session, project: Project, qtbot: QtBot
) -> None:
    add_set(project, "whole", layers=30, indexed=(4,))
    session.open_project(project.path)
    session.open_index("whole.L04")
    crumb = Breadcrumb(session, QMenu())
    qtbot.addWidget(crumb)
    assert crumb.choices("dictionary") == []
    ((title, layers),) = crumb.groups("dictionary")
    assert title == "whole  —  30 layers"
    assert [text for text, *_ in layers][:2] == ["Layer 0", "Layer 1"]
    assert [text for text, present, _ in layers if present] == ["Layer 4"]
    ((_, indexes),) = crumb.groups("index")
    assert [(text, present) for text, present, _ in indexes] == [("Layer 4", True)]


@pytest.mark.parametrize(
    ("layers", "text"),
    [((0, 1, 2, 3), "0–3"), ((0, 1), "0, 1"), ((5,), "5"), ((0, 4, 8, 9, 10), "0, 4, 8–10")],
)
def test_layers__are_told_in_short(layers: tuple[int, ...], text: str) -> None:
    assert layers_text(layers) == text


def test_member__is_called_by_its_layer() -> None:
    assert member_text("a.b.L07") == "Layer 7"
    assert member_text("clt.all") == "All layers"
