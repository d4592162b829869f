"""The graph with its bars: prompt above, pruning beneath it, the canvas, and a line of words."""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QStackedWidget, QVBoxLayout, QWidget

from sae_desktop.circuits.config import was_chat
from sae_desktop.gui.circuits.canvas.graph_view import GraphView
from sae_desktop.gui.circuits.canvas.scene import make_scene
from sae_desktop.gui.circuits.open_graph import OpenGraph
from sae_desktop.gui.circuits.prompt_bar import PromptBar
from sae_desktop.gui.circuits.pruning_bar import PruningBar
from sae_desktop.gui.parts.elided_label import ElidedLabel
from sae_desktop.gui.parts.empty_state import EmptyState
from sae_desktop.gui.parts.labels import label, line
from sae_desktop.gui.state.session import Session
from sae_desktop.words.graph_words import group_tip, group_title, node_tip, node_title

_REST_MS = 220
"""After a slider has moved, until nodes take the places that others have left."""
_HINT = (
    "Point at a node to see what feeds it and what it feeds · click to keep it · drag to move, "
    "wheel to zoom, 0 for all"
)
_KEYS = (
    "Arrows go from node to node, with Shift along the strongest edge · Return keeps · N lists · "
    "E opens the feature · T tests · P pins · G collapses the group · Esc lets go"
)
_NO_SET = (
    "An attribution graph shows which features made the model’s next token, step by step. It "
    "needs transcoders for every layer of the model: a set. This project has none."
)
_FIRST = (
    "Write a prompt and press Trace. The graph shows the tokens of the prompt below, the tokens "
    "that the model thinks of above, and between them the features that lead from the ones to "
    "the others."
)


class GraphPlace(QWidget):
    """Shows the open graph."""

    nodeMenuAsked = Signal(int, object)
    featureAsked = Signal(int)

    def __init__(self, session: Session, opened: OpenGraph, head: QWidget) -> None:
        """`head` stands over the canvas: the graph's name and what can be done with it."""
        super().__init__()
        self.setObjectName("circuits.graph")
        self._session, self._opened = session, opened
        self.prompt = PromptBar(session)
        self.pruning = PruningBar(opened)
        self.canvas = GraphView()
        self.words = ElidedLabel(_HINT)
        self.words.setProperty("role", "small")
        self.words.setContentsMargins(12, 2, 12, 4)
        self.empty = EmptyState(
            _NO_SET, "Train transcoders", self._train_set, icon="tree-structure",
        )  # fmt: skip
        self.first = label(_FIRST, "muted", wrap=True)
        self.first.setContentsMargins(48, 24, 48, 24)
        self.first.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._drawing = QWidget()
        column = QVBoxLayout(self._drawing)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.pruning)
        column.addWidget(line())
        column.addWidget(self.canvas, 1)
        column.addWidget(line())
        column.addWidget(self.words)
        self._stack = QStackedWidget()
        for widget in (self.first, self._drawing):
            self._stack.addWidget(widget)
        self._work = QWidget()
        whole = QVBoxLayout(self._work)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        whole.addWidget(self.prompt)
        whole.addWidget(line())
        whole.addWidget(head)
        whole.addWidget(self._stack, 1)
        self._outer = QStackedWidget()
        self._outer.addWidget(self.empty)
        self._outer.addWidget(self._work)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(self._outer)
        self._rest = QTimer(self, singleShot=True, interval=_REST_MS)
        self._rest.timeout.connect(self._place)
        self.canvas.tip_of = self._tip
        self.canvas.nodeClicked.connect(self._on_clicked)
        self.canvas.nodePointed.connect(self._say)
        self.canvas.keyboardChanged.connect(lambda: self._say(self.canvas.pointed))
        self.canvas.nodeOpened.connect(self.featureAsked)
        self.canvas.menuAsked.connect(self.nodeMenuAsked)
        opened.opened.connect(self._on_opened)
        opened.shownChanged.connect(self._on_shown)
        opened.dressChanged.connect(self._dress)
        opened.selected.connect(self._on_selected)
        session.contentsChanged.connect(self.refresh)
        session.projectChanged.connect(self.refresh)
        self.refresh()
        self._on_opened()

    def _train_set(self) -> None:
        """Lead to the training of a set, which is set up there."""
        self._session.show_workspace("train")
        self._session.setWanted.emit()

    def refresh(self) -> None:
        """Show the way to a set where there is neither one nor a graph."""
        project = self._session.project
        there = project is not None and bool(project.sets() or project.graphs())
        there = there or self._opened.graph is not None
        self._outer.setCurrentWidget(self._work if there else self.empty)
        self.setFocusProxy(self.prompt if there else self.empty.button)

    # ------------------------------------------------------------------ drawing
    def _on_opened(self) -> None:
        self.canvas.selected = self.canvas.pointed = None
        self.canvas.frozen = False
        graph = self._opened.graph
        has = graph is not None
        if graph is not None and not self.prompt.text():
            info = graph.info
            chat = was_chat(info.config)
            self.prompt.take(info.prompt, info.target, info.target_tokens, chat=chat)
        self._stack.setCurrentWidget(self._drawing if has else self.first)
        self._draw(whole=True)
        self._say(None)
        self.refresh()

    def _on_shown(self) -> None:
        """Thin out at once, in place; nodes move together once the hand rests."""
        self._draw(keep_places=True)
        self._rest.start()

    def _place(self) -> None:
        self._draw()

    def _dress(self) -> None:
        self._draw(keep_places=True)
        self.canvas.select(self._drawn_for(self._opened.node))
        self._say(self.canvas.pointed)

    def _draw(self, *, whole: bool = False, keep_places: bool = False) -> None:
        """Draw what is shown; `keep_places`: where nodes stand, unless there are new ones."""
        drawn = self._opened.drawn()
        if drawn is None:
            self.canvas.show_scene(None)
            return
        before, placing = self.canvas.scene, None
        if keep_places and before is not None and not bool((drawn.shown & ~before.shown).any()):
            placing = before.placing
        scene = make_scene(
            drawn, box=self.canvas.box(), aspect=self.canvas.aspect(), placing=placing
        )
        self.canvas.show_scene(scene, whole=whole)

    # ------------------------------------------------------------------ nodes
    def _on_clicked(self, node: int | None) -> None:
        if node is None:
            self.canvas.freeze(False)
        self._opened.select(node)

    def _on_selected(self, node: int | None) -> None:
        drawn = self._drawn_for(node)
        self.canvas.select(drawn)
        if drawn is not None:
            self.canvas.show_node(drawn)
        self._say(node)

    def _drawn_for(self, node: int | None) -> int | None:
        """Return the node that is drawn for one: where its group is collapsed, the group."""
        return None if node is None else int(self._opened.folding.lead[node])

    def point_at(self, node: int | None) -> None:
        """Light up a node that a table points at."""
        self.canvas.point_at(self._drawn_for(node))
        self._say(node)

    def _tip(self, node: int) -> str:
        graph = self._opened.graph
        if graph is None:
            return ""
        members = self._opened.folding.members.get(node)
        if members is not None:
            names = self._opened.names.text
            return group_tip(graph, members.tolist(), self._opened.text(node), names)
        return node_tip(graph, node, self._opened.names.text(node))

    def _say(self, node: int | None) -> None:
        graph = self._opened.graph
        node = self._opened.node if node is None else node
        if graph is None or node is None:
            self.words.setText(_KEYS if self.canvas.hasFocus() else _HINT)
            return
        members = self._opened.folding.members.get(node)
        if members is not None:
            self.words.setText(group_title(graph, members.tolist(), self._opened.text(node)))
        else:
            self.words.setText(node_title(graph, node, self._opened.names.text(node)))
