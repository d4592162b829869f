"""The Circuits workspace: why the model writes a token, as a graph of features."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import QApplication, QVBoxLayout, QWidget

from sae_desktop.circuits.config import TraceConfig, TraceResult
from sae_desktop.engine.protocol import ErrorInfo
from sae_desktop.gui.circuits.attribution_place import AttributionPlace
from sae_desktop.gui.circuits.circuit_actions import circuit_actions
from sae_desktop.gui.circuits.graph_head import GraphHead
from sae_desktop.gui.circuits.graph_outputs import GraphOutputs
from sae_desktop.gui.circuits.graph_place import GraphPlace
from sae_desktop.gui.circuits.lens_place import LensPlace
from sae_desktop.gui.circuits.node.attention_panel import AttentionPanel
from sae_desktop.gui.circuits.node.compare_panel import ComparePanel
from sae_desktop.gui.circuits.node.groups_panel import GroupsPanel
from sae_desktop.gui.circuits.node.node_panel import NodePanel
from sae_desktop.gui.circuits.node.trial_panel import TrialPanel
from sae_desktop.gui.circuits.node_menu import node_menu
from sae_desktop.gui.circuits.open_graph import OpenGraph
from sae_desktop.gui.circuits.patch_place import PatchPlace
from sae_desktop.gui.forms.set_forms import IndexSetForm
from sae_desktop.gui.parts.actions import ActionInfo
from sae_desktop.gui.parts.feature_menu import steer_with
from sae_desktop.gui.parts.places import PlaceInfo, Places
from sae_desktop.gui.parts.workspace import DockInfo, bring_forward
from sae_desktop.gui.state.session import Session
from sae_desktop.words.graph_words import lacking_text

if TYPE_CHECKING:
    from sae_desktop.client.job import Job


class CircuitsPanel(QWidget):
    """The places in the middle; what stands beside them is about the selected node."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.setObjectName("circuits")
        self.setProperty("ground", "window")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._session = session
        self._job: Job | None = None
        self.opened = OpenGraph.of(session)
        self.head = GraphHead(session, self.opened)
        self.graph = GraphPlace(session, self.opened, self.head)
        self.node = NodePanel(self.opened)
        self.groups = GroupsPanel(session, self.opened)
        self.trial = TrialPanel(session, self.opened)
        self.attention = AttentionPanel(session, self.opened)
        self.compare = ComparePanel(session, self.opened)
        self.outputs = GraphOutputs(session, self.opened, self.graph)
        self.lens = LensPlace(session, self.opened)
        self.patching = PatchPlace(session, self.opened)
        self.attribution = AttributionPlace(session, self.opened)
        attribution = PlaceInfo(
            "attribution", "Attribution", "list-numbers", self.attribution,
            "Which features of one dictionary push towards a token",
        )  # fmt: skip
        self.places = Places(
            [
                PlaceInfo("graph", "Graph", "tree-structure", self.graph,
                          "Which features make the next token, step by step"),
                PlaceInfo("lens", "Lens", "eye", self.lens,
                          "What the model would answer already after each layer"),
                PlaceInfo("patching", "Patching", "swap", self.patching,
                          "Where two prompts’ answers part, by putting values of one into the "
                          "other"),
                attribution,
            ],
            "What Circuits shows",
        )  # fmt: skip
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.places)
        self.places.placeChanged.connect(self._on_place_changed)
        self.graph.prompt.traceAsked.connect(self.trace)
        self.graph.prompt.stopAsked.connect(self.stop)
        self.graph.nodeMenuAsked.connect(self._show_menu)
        self.graph.featureAsked.connect(self._on_opened_twice)
        self.graph.canvas.keyAsked.connect(self.do)
        self.node.nodeChosen.connect(self.opened.select)
        self.node.nodePointed.connect(self.graph.point_at)
        self.node.featureAsked.connect(self.open_feature)
        self.node.steerAsked.connect(self.steer)
        self.node.indexAsked.connect(self.index_layer)
        self.groups.nodeChosen.connect(self.opened.select)
        self.groups.nodesMarked.connect(self.graph.canvas.mark)
        self.trial.nodeChosen.connect(self.opened.select)
        self.compare.nodeChosen.connect(self.opened.select)
        self.attention.nodeChosen.connect(self.opened.select)
        self.node.linkChosen.connect(self.attention.take_link)
        self.outputs.add_to(self.head.menu)
        self.outputs.compareAsked.connect(lambda: bring_forward(self.compare))
        session.place.add(self, self._keep, self._restore)
        for beside in (self.node, self.attention, self.groups, self.trial, self.compare):
            back = QShortcut(QKeySequence(Qt.Key.Key_Escape), beside)
            back.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            back.activated.connect(self.graph.canvas.setFocus)
        self.setFocusProxy(self.graph)
        self.setAcceptDrops(True)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        event.acceptProposedAction()
        for url in event.mimeData().urls():
            if url.isLocalFile():
                self.outputs.bring(Path(url.toLocalFile()))

    def docks(self) -> list[DockInfo]:
        """Return what stands beside: the selected node, groups, a test."""
        right = Qt.DockWidgetArea.RightDockWidgetArea
        panels = (
            ("node", "Node", self.node),
            ("heads", "Heads", self.attention),
            ("groups", "Groups", self.groups),
            ("test", "Test", self.trial),
            ("compare", "Compare", self.compare),
        )
        return [
            DockInfo(id_, title, panel, right, 348, tabbed_with="" if id_ == "node" else "node")
            for id_, title, panel in panels
        ]

    def action_infos(self) -> list[ActionInfo]:
        """Return what can be done here, for menus, shortcuts and the palette."""
        return circuit_actions(self)

    @property
    def tracing(self) -> bool:
        """Whether a prompt is being traced."""
        return self._job is not None

    def _on_place_changed(self, place: str) -> None:
        if self._session.workspace.partition(".")[0] == "circuits":
            self._session.enter_workspace(f"circuits.{place}")

    # ------------------------------------------------------------------ tracing
    def trace(self, config: TraceConfig) -> None:
        """Trace a prompt; the graph is opened when it is there."""
        if self._job is not None:
            return
        job = self._session.run(config)
        if job is None:
            return
        self._job = job
        self.graph.prompt.set_running(True)
        job.progressed.connect(self.graph.prompt.show_progress)
        job.finished.connect(self._on_traced)
        job.failed.connect(self._on_failed)
        job.cancelled.connect(self._on_ended)

    def stop(self) -> None:
        """Cancel tracing."""
        if self._job is not None:
            self._job.cancel()

    def _on_traced(self, result: TraceResult) -> None:
        self._on_ended()
        self._session.refresh()
        focus = QApplication.focusWidget()
        here = focus is not None and self.graph.prompt.isAncestorOf(focus)
        if self.opened.open(result.name) and here:
            self.graph.canvas.setFocus()

    def _on_failed(self, error: ErrorInfo) -> None:
        self._on_ended()
        if self._session.client.state != "crashed":  # of that the window tells once for all
            self._session.show_error(error)

    def _on_ended(self, _message: object = None) -> None:
        self._job = None
        self.graph.prompt.set_running(False)

    # ------------------------------------------------------------------ nodes
    def open_feature(self, node: int) -> None:
        """Show the page of a node's feature in Explore."""
        if self.opened.folded_group(node) is not None:
            self._session.notify("A group has no page of its own: expand it (G), then open one.")
        elif self._go_to(node):
            self._session.show_workspace("explore.feature")

    def _on_opened_twice(self, node: int) -> None:
        """A double click shows what is within: a group's features, a feature's page."""
        if self.opened.folded_group(node) is not None:
            self.fold(node)
        else:
            self.open_feature(node)

    def steer(self, node: int) -> None:
        """Put a node's feature in the rack of sliders."""
        place = self.opened.names.place(node)
        if place is not None and self._go_to(node):
            steer_with(self._session, place.feature)

    def test(self, node: int) -> None:
        """Select a node and show the panel of the test, set to switch it off."""
        self.opened.select(node)
        self.trial.what.setCurrentIndex(0)
        self.trial.mode.setCurrentIndex(0)
        bring_forward(self.trial)

    def fold(self, node: int) -> None:
        """Collapse the group of a node, or expand it."""
        opened = self.opened
        if not opened.fold_at(node):
            self._session.notify(
                "This node is in no group: find groups, or put it into one with its menu."
            )
        else:
            opened.select(int(opened.folding.lead[node]))

    def index_layer(self, node: int) -> None:
        """Offer to index the layer of a node, so that its features have names and pages."""
        graph, session = self.opened.graph, self._session
        item = None if graph is None else session.inventory.set_named(graph.info.set)
        if graph is None:
            return
        lacks = self.opened.names.lacks(node)
        if item is None or lacks == "set":
            session.notify(lacking_text(graph, node, "set"))
        elif ("indexes of the set", item.name) in session.written:
            session.notify(f"Layers of “{item.name}” are being indexed.")
        elif lacks == "index":
            joined = graph.info.set_kind == "cross_layer"
            IndexSetForm(session, item, None if joined else int(graph.layer[node])).present(self)

    def _go_to(self, node: int) -> bool:
        place, index = self.opened.names.place(node), self.opened.names.index(node)
        if place is None:
            return False
        if not index:
            self.index_layer(node)
            return False
        self._session.go_to_feature(index, place.feature)
        return self._session.index_name == index

    def do(self, key: str) -> None:
        """Pin, open, test … the node that is pointed at, else the selected one."""
        canvas, opened = self.graph.canvas, self.opened
        node = canvas.pointed if canvas.pointed is not None else opened.node
        if key == "freeze":
            if not canvas.frozen and node is not None:
                opened.select(node)
            canvas.freeze(not canvas.frozen)
        elif node is not None and key == "pin":
            opened.pin([node], not opened.is_pinned(node))
        elif node is not None and key == "open":
            self.open_feature(node)
        elif node is not None and key == "fold":
            self.fold(node)
        elif node is not None and key == "test":
            self.test(node)
            if self.trial.run_button.isEnabled():
                self.trial.run_button.setFocus()
            else:
                self._session.notify("Only features, and groups of them, can be tested.")
        elif node is not None and key == "node":
            opened.select(node)
            bring_forward(self.node)
            self.node.tables["inputs"].setFocus()

    def _show_menu(self, node: int, at: QPoint) -> None:
        menu = node_menu(self, node)
        if menu is not None:
            menu.aboutToHide.connect(menu.deleteLater)
            menu.popup(at)

    # ------------------------------------------------------------------ what is kept
    def _keep(self) -> dict[str, object]:
        return {"graph": self.opened.name, "node": self.opened.node}

    def _restore(self, kept: dict[str, object]) -> None:
        name, project = kept.get("graph"), self._session.project
        if isinstance(name, str) and project is not None and name in project.graphs():
            self.opened.open(name)
            node = kept.get("node")
            if isinstance(node, int):
                self.opened.select(node)
