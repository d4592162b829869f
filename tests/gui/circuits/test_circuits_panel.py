"""The graph under one's hands: pruned, pointed at, walked by keys, pinned, kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from frame_client import FakeClient, Heard
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor, QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot
from set_project import add_set
from shown_panel import shown

from sae_desktop.circuits.asking_config import InterveneConfig
from sae_desktop.circuits.reading.graph_file import EMBEDDING, ERROR, FEATURE, LOGIT, read_graph
from sae_desktop.circuits.reading.graph_view import node_key, read_view
from sae_desktop.circuits.reading.pruning import pruned
from sae_desktop.features.set_index_config import IndexSetConfig
from sae_desktop.gui.circuits.circuits import CircuitsPanel
from sae_desktop.gui.forms.set_forms import IndexSetForm
from sae_desktop.gui.parts import theme
from sae_desktop.gui.parts.plot_image import PRINT_WIDTH
from sae_desktop.gui.state.session import Session
from sae_desktop.project import Project


def _shown_features(panel: CircuitsPanel) -> np.ndarray:
    graph = panel.opened.graph
    assert graph is not None
    return np.flatnonzero(panel.opened.shown.nodes & (graph.kind == FEATURE))


def _at(panel: CircuitsPanel, node: int) -> QPoint:
    return panel.graph.canvas.at(node).toPoint()


def test_panel__without_a_set_or_a_graph_leads_to_training(
    session: Session, project: Project, qtbot: QtBot, heard: Heard
) -> None:
    session.open_project(project.path)
    panel = CircuitsPanel(session)
    shown(qtbot, "circuits", panel)
    assert panel.graph.empty.isVisible()
    with qtbot.waitSignal(session.setWanted):
        panel.graph.empty.button.click()
    assert heard.workspaces == ["train"]
    assert not panel.graph.prompt.trace_button.isEnabled()


def test_prompt__takes_the_set_whose_card_led_here(
    circuits: CircuitsPanel, session: Session, project: Project
) -> None:
    add_set(project, "first")
    add_set(project, "second")
    session.look_again()
    session.traceRequested.emit("second")
    assert circuits.graph.prompt.set.currentText() == "second"


def test_click__selects_a_node_and_its_inputs_are_listed(circuits: CircuitsPanel) -> None:
    graph = circuits.opened.graph
    assert graph is not None
    node = int(_shown_features(circuits)[-1])
    QTest.mouseClick(circuits.graph.canvas, Qt.MouseButton.LeftButton, pos=_at(circuits, node))
    assert circuits.opened.node == node
    rows = circuits.node.tables["inputs"].links
    assert rows.rowCount() == int(np.diff(graph.offsets)[node])
    assert rows.node(0) == int(graph.inputs(node)[0][0])
    assert f"feature {int(graph.feature[node])}" in circuits.graph.words.text()
    QTest.keyClick(circuits.graph.canvas, Qt.Key.Key_Escape)
    assert circuits.opened.node is None


def test_return_in_the_table__goes_to_the_other_end_even_where_it_is_pruned(
    circuits: CircuitsPanel,
) -> None:
    graph = circuits.opened.graph
    assert graph is not None
    circuits.opened.select(int(np.flatnonzero(graph.kind == LOGIT)[0]))
    table = circuits.node.tables["inputs"]
    table.setCurrentIndex(table.model().index(table.links.rowCount() - 1, 0))
    other = table.links.node(table.links.rowCount() - 1)
    QTest.keyClick(table, Qt.Key.Key_Return)
    assert circuits.opened.node == other


def test_sliders__prune_live_and_are_kept_beside_the_graph(
    circuits: CircuitsPanel, graphs: Project
) -> None:
    graph = circuits.opened.graph
    assert graph is not None
    circuits.graph.pruning.nodes.setValue(30)
    kept = pruned(graph, 0.3, 0.98)
    assert (circuits.opened.shown.nodes == kept.nodes).all()
    scene = circuits.graph.canvas.scene
    assert scene is not None
    assert (scene.shown == kept.nodes).all()
    assert f"{int(kept.nodes.sum())} of {graph.nodes} nodes" in circuits.graph.pruning.shown.text()
    circuits.graph.pruning.errors.setChecked(False)
    assert not (circuits.opened.shown.nodes & (graph.kind == ERROR)).any()
    circuits.opened.save()
    view = read_view(graphs.graph_path("one"))
    assert (view.nodes, view.edges, view.errors) == (0.3, 0.98, False)


def test_pin__keeps_a_pruned_node_in_sight_and_can_be_undone(
    circuits: CircuitsPanel, session: Session, graphs: Project
) -> None:
    opened, graph = circuits.opened, circuits.opened.graph
    assert graph is not None
    node = int(_shown_features(circuits)[0])
    circuits.graph.canvas.point_at(node)
    QTest.keyClick(circuits.graph.canvas, Qt.Key.Key_P)
    assert opened.view.pins == (node_key(graph, node),)
    circuits.graph.pruning.nodes.setValue(1)
    assert opened.shown.nodes[node]
    session.undo_stack.undo()
    assert opened.view.pins == ()
    assert not opened.shown.nodes[node]
    session.undo_stack.redo()
    opened.open("two")
    assert read_view(graphs.graph_path("one")).pins == (node_key(graph, node),)


def test_keys__walk_from_the_answer_to_what_made_it(circuits: CircuitsPanel) -> None:
    canvas, graph = circuits.graph.canvas, circuits.opened.graph
    assert graph is not None
    canvas.setFocus()
    QTest.keyClick(canvas, Qt.Key.Key_Up)
    assert canvas.pointed == int(np.argmax(graph.probability))
    QTest.keyClick(canvas, Qt.Key.Key_Down, Qt.KeyboardModifier.ShiftModifier)
    scene = canvas.scene
    assert scene is not None
    shown_inputs = [
        (abs(float(weight)), int(source))
        for source, weight in zip(*graph.inputs(int(np.argmax(graph.probability))), strict=True)
        if scene.shown[source]
    ]
    assert canvas.pointed == max(shown_inputs)[1]
    QTest.keyClick(canvas, Qt.Key.Key_Return)
    assert circuits.opened.node == canvas.pointed


def test_drag__moves_the_drawing_and_zero_shows_all_again(circuits: CircuitsPanel) -> None:
    canvas = circuits.graph.canvas
    canvas.set_camera(canvas.camera.zoomed(4.0, 300, 200))
    before = canvas.camera
    start = QPoint(canvas.width() // 2, canvas.height() // 2)
    QTest.mousePress(canvas, Qt.MouseButton.LeftButton, pos=start)
    QTest.mouseMove(canvas, start + QPoint(-40, -30))
    QTest.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=start + QPoint(-40, -30))
    assert canvas.camera.x == pytest.approx(before.x + 40 / before.zoom)
    assert circuits.opened.node is None
    QTest.keyClick(canvas, Qt.Key.Key_0)
    scene = canvas.scene
    assert scene is not None
    for node in scene.nodes.tolist():
        assert canvas.rect().contains(canvas.at(node).toPoint())


def test_node__that_is_lit_stands_out_and_others_step_back(
    circuits: CircuitsPanel, qtbot: QtBot
) -> None:
    canvas, graph = circuits.graph.canvas, circuits.opened.graph
    assert graph is not None
    tokens = np.flatnonzero(graph.kind == EMBEDDING)
    features = _shown_features(circuits)
    node = int(features[-1])
    shown = circuits.opened.shown.edges
    fed = {int(s) for s in graph.sources[shown & (circuits.opened.targets == node)]}
    other = next(int(t) for t in tokens if int(t) not in fed)

    def edge_of(at: int) -> QColor:
        qtbot.wait(80)  # pieces are painted as frames have time
        picture = canvas.grab().toImage()
        box = canvas._painter.rect(at)  # type: ignore[union-attr]
        place = canvas.at(at).toPoint() + QPoint(0, -round(box.height() * canvas.camera.zoom / 2))
        ratio = picture.devicePixelRatio()
        around = [picture.pixelColor((place + QPoint(0, dy)) * ratio) for dy in (-1, 0, 1)]
        return min(around, key=QColor.lightness)

    plain = edge_of(other).lightness()
    canvas.point_at(node)
    assert edge_of(other).lightness() > plain + 20
    canvas.freeze(True)
    canvas.point_at(None)
    canvas.freeze(False)
    assert abs(edge_of(other).lightness() - plain) < 8
    assert theme.palette() is theme.LIGHT


def test_feature__without_an_index_says_what_to_do(circuits: CircuitsPanel, heard: Heard) -> None:
    circuits.opened.select(int(_shown_features(circuits)[0]))
    circuits.graph.canvas.keyAsked.emit("open")
    assert "does not have the set “set”" in heard.notices[-1]
    assert not circuits.node.open_button.isVisibleTo(circuits.node)


def test_damaged_graph__is_told_and_the_open_one_stays(
    circuits: CircuitsPanel, graphs: Project, heard: Heard, client: FakeClient
) -> None:
    path = graphs.graph_path("two")
    path.write_bytes(path.read_bytes()[:2000])
    assert not circuits.opened.open("two")
    assert "two" in heard.errors[-1].what
    assert circuits.opened.name == "one"
    assert read_graph(graphs.graph_path("one")).info.name == "one"
    assert client.jobs == []


def test_picture_and_page__are_of_all_that_is_shown(
    circuits: CircuitsPanel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, heard: Heard
) -> None:
    for ending, save in ((".png", "picture"), (".svg", "picture"), (".html", "page")):
        path = tmp_path / f"graph{ending}"
        monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_args, to=path: (str(to), ""))
        getattr(circuits.outputs, save)()
        assert path.stat().st_size > 2_000
        assert f"“{path.name}” was saved." in heard.notices
    picture = QImage(str(tmp_path / "graph.png"))
    assert picture.width() >= PRINT_WIDTH
    assert "Dallas" in (tmp_path / "graph.svg").read_text(encoding="utf-8")


def test_deleted_graph__comes_back_with_its_pins(
    circuits: CircuitsPanel, graphs: Project, session: Session
) -> None:
    node = int(_shown_features(circuits)[0])
    circuits.opened.pin([node], on=True)
    circuits.outputs.delete()
    assert graphs.graphs() == ["two"]
    assert not (graphs.path / "graphs" / "one.view.json").exists()
    assert circuits.opened.graph is None
    session.undo_stack.undo()
    assert graphs.graphs() == ["one", "two"]
    assert circuits.opened.open("one")
    assert circuits.opened.pinned_nodes() == [node]


def test_compare__frames_what_the_other_graph_has_not(circuits: CircuitsPanel) -> None:
    circuits.compare.compare_with("two")
    marked = circuits.opened.marks
    assert marked is not None
    assert marked.any()
    assert "of the influence is shared" in circuits.compare.told.text()
    scene = circuits.graph.canvas.scene
    assert scene is not None
    assert scene.marks is marked
    circuits.compare.end_button.click()
    assert circuits.opened.marks is None
    assert circuits.compare.model.rowCount() == 0


def test_layer_without_an_index__is_offered_for_indexing_where_its_node_is(
    circuits: CircuitsPanel, session: Session, project: Project, client: FakeClient
) -> None:
    graph = circuits.opened.graph
    assert graph is not None
    features = np.flatnonzero(graph.kind == FEATURE)
    bare, read = (int(features[graph.layer[features] == layer][0]) for layer in (0, 1))
    circuits.opened.select(bare)
    panel = circuits.node
    assert not panel.index_button.isVisibleTo(panel)  # the project has no such set
    assert "does not have the set “set”" in panel.figures.text()
    add_set(project, "set", layers=4, indexed=[1])
    session.look_again()
    circuits.opened.dressChanged.emit()
    assert panel.index_button.isVisibleTo(panel)
    assert not panel.open_button.isVisibleTo(panel)
    panel.index_button.click()
    form = circuits.window().findChild(IndexSetForm)
    assert form is not None
    assert "layer 0" in form.windowTitle()
    form.accept()
    assert client.last(IndexSetConfig).config.layers == (0,)
    circuits.opened.select(read)
    assert panel.open_button.isVisibleTo(panel)
    assert not panel.index_button.isVisibleTo(panel)


def test_keyboard__goes_from_the_prompt_to_a_node_its_table_its_test_and_back(
    circuits: CircuitsPanel, session: Session, client: FakeClient, qtbot: QtBot
) -> None:
    canvas, opened = circuits.graph.canvas, circuits.opened
    canvas.setFocus()
    qtbot.waitUntil(canvas.hasFocus)
    assert "T tests" in circuits.graph.words.text()
    QTest.keyClick(canvas, Qt.Key.Key_Down)  # the likeliest token first
    graph = opened.graph
    assert graph is not None
    assert canvas.pointed is not None
    assert graph.kind[canvas.pointed] == LOGIT
    node = int(_shown_features(circuits)[-1])
    canvas.point_at(node)
    QTest.keyClick(canvas, Qt.Key.Key_N)
    table = circuits.node.tables["inputs"]
    assert opened.node == node
    qtbot.waitUntil(table.hasFocus)
    QTest.keyClick(table, Qt.Key.Key_Escape)
    qtbot.waitUntil(canvas.hasFocus)
    QTest.keyClick(canvas, Qt.Key.Key_T)
    qtbot.waitUntil(circuits.trial.run_button.hasFocus)
    QTest.keyClick(circuits.trial.run_button, Qt.Key.Key_Space)
    asked = client.last(InterveneConfig)
    assert asked.config.changes[0].mode == "ablate"
    client.fail(asked, "It ended.")  # its button can be pressed again, and has the focus
    qtbot.waitUntil(circuits.trial.run_button.hasFocus)
    QTest.keyClick(circuits.trial.run_button, Qt.Key.Key_Escape)
    qtbot.waitUntil(canvas.hasFocus)
    QTest.keyClick(canvas, Qt.Key.Key_Escape)
    assert opened.node is None
