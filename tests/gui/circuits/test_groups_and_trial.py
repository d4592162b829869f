"""Groups changed by hand, and a test of the graph: what is asked, and what its answer says."""

from __future__ import annotations

import numpy as np
import pytest
from frame_client import FakeClient, Heard
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from sae_desktop.circuits.asking_config import (
    Agreement,
    GroupsConfig,
    InterveneConfig,
    InterveneResult,
    NextToken,
    NodeEffect,
)
from sae_desktop.circuits.reading.graph_file import ERROR, FEATURE, LOGIT
from sae_desktop.circuits.reading.graph_view import grouped, node_key
from sae_desktop.gui.circuits.circuits import CircuitsPanel
from sae_desktop.gui.state.session import Session
from sae_desktop.words.circuit_text import verdict


def _features(panel: CircuitsPanel) -> list[int]:
    graph = panel.opened.graph
    assert graph is not None
    return np.flatnonzero(panel.opened.shown.nodes & (graph.kind == FEATURE)).tolist()


@pytest.fixture
def two_groups(circuits: CircuitsPanel) -> CircuitsPanel:
    """The panel with the groups “west” and “east”, of two features each."""
    graph = circuits.opened.graph
    assert graph is not None
    keys = [node_key(graph, node) for node in _features(circuits)[:4]]
    groups = grouped(grouped((), "west", keys[:2]), "east", keys[2:])
    circuits.opened.set_groups("Make groups", groups)
    return circuits


def test_groups__are_merged_and_dissolved_as_undoable_steps(
    two_groups: CircuitsPanel, session: Session
) -> None:
    panel, opened = two_groups.groups, two_groups.opened
    assert panel.tree.topLevelItem(0).text(0) == "west (2)"
    assert opened.group_numbers()[_features(two_groups)[0]] == 0
    panel.tree.selectAll()
    panel.merge()
    assert [len(group.members) for group in opened.groups()] == [4]
    session.undo_stack.undo()
    assert [group.name for group in opened.groups()] == ["west", "east"]
    panel.tree.topLevelItem(0).setSelected(True)
    panel.pin()
    assert set(opened.members(opened.groups()[0])) <= set(opened.pinned_nodes())
    panel.dissolve()
    assert [group.name for group in opened.groups()] == ["east"]


def test_selected_group__is_ringed_in_the_graph(two_groups: CircuitsPanel) -> None:
    two_groups.groups.tree.topLevelItem(1).setSelected(True)
    members = two_groups.opened.members(two_groups.opened.groups()[1])
    assert two_groups.graph.canvas.marked == frozenset(members)


def test_find__asks_for_the_groups_of_the_open_graph(
    circuits: CircuitsPanel, client: FakeClient
) -> None:
    circuits.groups.find_button.click()
    config = client.last(GroupsConfig).config
    assert config.graph == "one"
    assert not circuits.groups.find_button.isEnabled()


def test_trial__asks_for_what_the_fields_say_and_for_all_that_was_added(
    two_groups: CircuitsPanel, client: FakeClient
) -> None:
    trial, opened = two_groups.trial, two_groups.opened
    graph = opened.graph
    assert graph is not None
    assert not trial.run_button.isEnabled()
    error = int(np.flatnonzero(graph.kind == ERROR)[0])
    opened.select(error)
    assert not trial.run_button.isEnabled()
    node = _features(two_groups)[-1]
    opened.select(node)
    trial.mode.setCurrentIndex(trial.mode.findData("multiply"))
    trial.value.setValue(2.5)
    trial.add_button.click()
    trial.what.setCurrentIndex(1)
    trial.mode.setCurrentIndex(trial.mode.findData("ablate"))
    trial.add_button.click()
    trial.held.setCurrentText("Nothing held")
    trial.run_button.click()
    config = client.last(InterveneConfig).config
    first, second = config.changes
    assert (first.node, first.mode, first.value) == (node, "multiply", 2.5)
    assert (second.mode, set(second.nodes)) == ("ablate", set(_features(two_groups)[:2]))
    assert (config.graph, config.attention, config.norms) == ("one", "free", "free")


def _result(predicted: float, measured: float, node: int) -> InterveneResult:
    effect = NodeEffect(node=node, before=3.0, predicted=predicted, measured=measured)
    return InterveneResult(
        graph="one", attention="frozen", norms="free", changed=1, effects=[effect],
        logit_correlation=0.91, node_correlation=None,
        agreement=Agreement(held=0.97, attention_held=0.56, free=0.55, replaced=0.95),
        next_tokens=[NextToken(token=" Paris", before=0.5, after=0.125)],
    )  # fmt: skip


def test_trial__shows_predicted_beside_measured(
    circuits: CircuitsPanel, client: FakeClient, heard: Heard
) -> None:
    graph = circuits.opened.graph
    assert graph is not None
    logit = int(np.flatnonzero(graph.kind == LOGIT)[0])
    circuits.opened.select(_features(circuits)[0])
    circuits.trial.run_button.click()
    client.finish(client.last(InterveneConfig), _result(-2.0, -1.5, logit))
    assert "confirmed" in circuits.trial.verdict.text()
    assert "(attention held): 0.91 over logits" in circuits.trial.figures.text()
    assert "they part because of norms" in circuits.trial.figures.text()
    assert "“Paris” 50.0% → 12.5%" in circuits.trial.next_tokens.text()
    first = client.last(InterveneConfig).config
    assert (first.attention, first.norms) == ("frozen", "free")
    circuits.trial.held.setCurrentText("Attention and norms held")
    circuits.trial.run_button.click()
    held = client.last(InterveneConfig).config
    assert (held.attention, held.norms) == ("frozen", "frozen")
    points = circuits.trial.plot._tokens.points()
    assert [(p.pos().x(), p.pos().y()) for p in points] == [(-2.0, -1.5)]
    assert heard.errors == []


@pytest.mark.parametrize(
    ("predicted", "measured", "word"),
    [(-2.0, 1.0, "refuted"), (-2.0, -0.2, "but less"), (-1.0, -4.0, "but more"), (0.0, 0.0, "no")],
)
def test_verdict__says_whether_the_tokens_moved_as_predicted(
    predicted: float, measured: float, word: str
) -> None:
    assert word in verdict(_result(predicted, measured, 7), [7])


def test_group__is_collapsed_to_one_node_and_expanded_by_key_and_undo(
    two_groups: CircuitsPanel, session: Session, client: FakeClient
) -> None:
    canvas, opened, graph = two_groups.graph.canvas, two_groups.opened, two_groups.opened.graph
    assert graph is not None
    members = opened.members(opened.groups()[0])
    canvas.point_at(members[0])
    QTest.keyClick(canvas, Qt.Key.Key_G)
    lead = next(iter(opened.folding.members))
    assert lead in members
    assert canvas.scene is not None
    assert not any(canvas.scene.shown[n] for n in members if n != lead)
    assert canvas.scene.names[lead] == "west (2)"
    assert opened.node == canvas.selected == lead
    assert two_groups.node.title.text() == "west"
    assert not two_groups.node.open_button.isVisibleTo(two_groups.node)
    two_groups.trial.run()  # a test of what is selected is one of the whole group
    assert set(client.last(InterveneConfig).config.changes[0].nodes) == set(members)
    two_groups.node.expand_button.click()
    assert canvas.scene.shown[members].all()
    session.undo_stack.undo()
    assert opened.folding.members.keys() == {lead}
    two_groups.groups.fold()  # none is selected: all of them
    assert [group.folded for group in opened.groups()] == [True, True]
    assert two_groups.groups.tree.topLevelItem(0).text(0) == "west (2, collapsed)"
    opened.save()
    assert opened.open("one")
    assert len(opened.folding.members) == 2
