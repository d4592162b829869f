"""From a prompt to its graph: the estimate, the trace, and what lacks."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest
from frame_client import FakeClient, Heard
from made_graphs import save_made_graph
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot
from shown_panel import shown

from sae_desktop.circuits.config import (
    EstimateTraceConfig,
    TraceConfig,
    TraceEstimate,
    TraceResult,
)
from sae_desktop.dictionary.set_info import SetInfo, SetMember, read_set_info, write_set_info
from sae_desktop.features.reading.chat_text import parse_chat
from sae_desktop.gui.circuits.circuits import CircuitsPanel
from sae_desktop.gui.state.session import Session
from sae_desktop.language_model.config import DescribeModelConfig, ModelDescription
from sae_desktop.project import Project


def _estimate(**changes: object) -> TraceEstimate:
    values = {
        "tokens": ("<bos>", "The", " sun"), "specials": 1, "active_features": 900,
        "feature_nodes": 800, "nodes": 900, "targets": (" is",), "probabilities": (0.5,),
        "memory_bytes": 2_000_000, "free_memory_bytes": 9_000_000_000, "disk_bytes": 1_000_000,
        "free_disk_bytes": 9_000_000_000, "seconds": 20.0, "fits": True,
    }  # fmt: skip
    return TraceEstimate(**{**values, **changes})  # type: ignore[arg-type]


@pytest.fixture
def panel(session: Session, project: Project, qtbot: QtBot) -> Iterator[CircuitsPanel]:
    """The panel in a project with a set of one layer, and no graph."""
    folder = project.set_path("toy")
    folder.mkdir(parents=True)
    member = SetMember(
        name="L00", layer=0, reads="blocks.0.mlp.hook_in", writes="blocks.0.hook_mlp_out",
        features=8, digest="0",
    )  # fmt: skip
    info = SetInfo(name="toy", kind="transcoders", model="builtin", members=(member,), features=8)
    write_set_info(folder, info)
    session.open_project(project.path)
    panel = CircuitsPanel(session)
    workspace = shown(qtbot, "circuits", panel)
    yield panel
    workspace.hide()


def test_prompt__is_estimated_traced_and_its_graph_opened(
    panel: CircuitsPanel, client: FakeClient, project: Project, qtbot: QtBot, heard: Heard
) -> None:
    bar = panel.graph.prompt
    assert not bar.trace_button.isEnabled()
    bar.prompt.setText("The sun")
    qtbot.waitUntil(lambda: bool(client.started(EstimateTraceConfig)), timeout=3_000)
    client.finish(client.last(EstimateTraceConfig), _estimate())
    assert "800 features" in bar.estimate.text()
    assert bar.strip.accessibleDescription() == "<bos> The ·sun"
    QTest.keyClick(bar.prompt, Qt.Key.Key_Return)
    job = client.last(TraceConfig)
    assert (job.config.set, job.config.prompt, job.config.name) == ("toy", "The sun", "The sun")
    assert bar.stop_button.isVisible()
    bar.trace()
    assert len(client.started(TraceConfig)) == 1
    save_made_graph(project.graph_path("The sun"), name="The sun", set_name="toy", features=20)
    client.finish(job, _traced("The sun", str(project.graph_path("The sun"))))
    assert panel.opened.name == "The sun"
    assert panel.head.graphs.currentText() == "The sun"
    assert bar.trace_button.isVisible()
    assert heard.errors == []


def test_saved_graph__is_offered_while_none_is_open(panel: CircuitsPanel, project: Project) -> None:
    assert not panel.head.isVisibleTo(panel.graph)
    save_made_graph(project.graph_path("kept"), name="kept", set_name="toy", features=20)
    panel.head.refresh()
    assert panel.head.isVisibleTo(panel.graph)
    assert panel.head.graphs.currentIndex() == -1
    panel.head.graphs.activated.emit(0)
    assert panel.opened.name == "kept"


def _traced(name: str, path: str) -> TraceResult:
    figures = {
        "nodes": 30, "features": 20, "active_features": 40, "edges": 100, "logit_mass": 0.9,
        "replacement_score": 0.5, "completeness_score": 0.7, "kept_edges": 0.98,
        "largest_gap": 0.0, "seconds": 1.0,
        "peak_bytes": 1, "file_bytes": 1, "tokens": 3,
    }  # fmt: skip
    return TraceResult(
        name=name, path=path, targets=(" is",), probabilities=(0.9,), **figures  # type: ignore[arg-type]
    )  # fmt: skip


def test_trace__that_does_not_fit_or_lacks_its_tokens_says_so(
    panel: CircuitsPanel, client: FakeClient, qtbot: QtBot
) -> None:
    bar = panel.graph.prompt
    bar.prompt.setText("The sun")
    qtbot.waitUntil(lambda: bool(client.started(EstimateTraceConfig)), timeout=3_000)
    problem = "It takes 40 GB of memory. Shorten the prompt."
    client.finish(client.last(EstimateTraceConfig), _estimate(fits=False, problem=problem))
    assert bar.estimate.text() == problem
    bar.target.setCurrentIndex(bar.target.findData("difference"))
    bar.tokens.setText("Paris")
    assert bar.asked() is None
    assert not bar.trace_button.isEnabled()
    bar.tokens.setText("Paris, Rome")
    asked = bar.asked()
    assert asked is not None
    assert (asked.target, asked.tokens) == ("difference", (" Paris", " Rome"))


def test_failed_trace__leaves_the_prompt_and_can_be_started_again(
    panel: CircuitsPanel, client: FakeClient, heard: Heard
) -> None:
    bar = panel.graph.prompt
    bar.prompt.setText("The sun")
    bar.trace()
    client.fail(client.last(TraceConfig), "The set “toy” lacks layer 3.")
    assert heard.errors[-1].what == "The set “toy” lacks layer 3."
    assert bar.trace_button.isEnabled()
    assert bar.prompt.text() == "The sun"


def test_chat__of_several_turns_is_written_for_a_model_with_a_template(
    panel: CircuitsPanel, client: FakeClient, session: Session, project: Project, qtbot: QtBot
) -> None:
    info = read_set_info(project.set_path("toy"))
    write_set_info(project.set_path("toy"), msgspec.structs.replace(info, model="smollm2"))
    bar = panel.graph.prompt
    bar._described = ""
    bar.prompt.setText("What is 2+2?")
    described = client.last(DescribeModelConfig)
    assert not bar.chat.isVisible()
    description = ModelDescription(
        name="smollm2", architecture="", layers=2, width=8, vocabulary=9, context_size=99,
        parameters=0, sites=[], default_site="", cached=True, chat_template=True,
    )  # fmt: skip
    client.finish(described, description)
    assert bar.chat.isVisible()
    assert bar.prompt.isVisible()
    bar.chat.click()
    assert not bar.prompt.isVisible()
    first = bar.turns.turns[0]
    assert (first.role.currentData(), first.said.toPlainText()) == ("user", "What is 2+2?")
    bar.turns.add_button.click()
    bar.turns.add_button.click()
    _, second, third = bar.turns.turns
    assert [turn.role.currentData() for turn in (second, third)] == ["assistant", "user"]
    second.said.setPlainText("4.\nSure")
    third.said.setPlainText("user: and 3+3?")
    asked = bar.asked()
    assert asked is not None
    assert asked.chat
    assert [(turn.role, turn.content) for turn in parse_chat(asked.prompt)] == [
        ("user", "What is 2+2?"), ("assistant", "4.\nSure"), ("user", "user: and 3+3?"),
    ]  # fmt: skip
    second.remove.click()
    assert [turn.said.toPlainText() for turn in bar.turns.turns] == [
        "What is 2+2?", "user: and 3+3?",
    ]  # fmt: skip
    QTest.keyClick(third.said, Qt.Key.Key_Return)
    assert client.last(TraceConfig).config.chat
    special = _estimate(special_tokens=(0, 2))
    qtbot.waitUntil(lambda: bool(client.started(EstimateTraceConfig)), timeout=3_000)
    client.finish(client.last(EstimateTraceConfig), special)
    assert bar.strip.specials == frozenset({0, 2})
    bar.chat.click()
    assert bar.prompt.isVisible()
    assert bar.prompt.text() == "What is 2+2?"
