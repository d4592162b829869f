"""A test of the graph: nodes are changed in the model, and what happens is held against it."""

from __future__ import annotations

import msgspec
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from sae_desktop.circuits.asking_config import (
    AttentionMode,
    FaithfulnessConfig,
    FaithfulnessResult,
    InterveneConfig,
    InterveneResult,
    NodeChange,
    NormsMode,
)
from sae_desktop.circuits.reading.graph_file import FEATURE, LOGIT
from sae_desktop.gui.circuits.node.prediction_plot import PredictionPlot
from sae_desktop.gui.circuits.open_graph import OpenGraph
from sae_desktop.gui.parts.elided_combo import ElidedComboBox
from sae_desktop.gui.parts.labels import label, push_button
from sae_desktop.gui.parts.number_fields import NumberField
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.state.asked_job import AskedJob
from sae_desktop.gui.state.session import Session
from sae_desktop.words.circuit_text import (
    HELD,
    MODES,
    change_text,
    faithfulness_text,
    tested_text,
    verdict,
)

_EXPLAINED = (
    "A graph is a hypothesis. Switch a node off, or set it, and compare what the graph predicts "
    "with what the model does."
)
_SELECTED = "The selected node"
_HELD: tuple[AttentionMode, NormsMode] = ("frozen", "free")
"""What is held at first."""
_MOST = 10_000.0


class TrialPanel(QWidget):
    """Collects changes, runs them, shows predicted beside measured."""

    nodeChosen = Signal(int)

    def __init__(self, session: Session, opened: OpenGraph) -> None:
        super().__init__()
        self.setObjectName("circuits.test")
        self._session, self._opened = session, opened
        self.changes: list[tuple[NodeChange, str]] = []
        """What is to be changed, and what it is called."""
        self.asked = AskedJob(session, self)
        self.faithful = AskedJob(session, self)
        self.what = ElidedComboBox(10)
        self.mode = QComboBox()
        self.value = NumberField(1.0, -_MOST, _MOST)
        self.other = QLineEdit()
        self.held = QComboBox()
        self.add_button = push_button(
            "Add", self.add, icon="plus", tip="Change this, too, in the same test"
        )
        self.list = QListWidget()
        self.run_button = push_button(
            "Run the test", self.run, icon="flask", primary=True,
            tip="Change the nodes in the model and measure what happens",
        )  # fmt: skip
        self.clear_button = push_button("Clear", self.clear, icon="x", tip="Change nothing")
        self.verdict = label("", wrap=True)
        self.figures = label("", "small", wrap=True)
        self.plot = PredictionPlot(opened.names.text)
        self.next_tokens = label("", "small", wrap=True, selectable=True)
        self.faithful_button = push_button(
            "Measure how faithful the graph is", self.measure, icon="chart-line",
            tip="Switch the top nodes off one by one, beside random nodes of equal activation",
        )  # fmt: skip
        self.faithfulness = label("", "small", wrap=True)
        self._build()
        self.mode.currentIndexChanged.connect(self._show_fields)
        self.asked.answered.connect(self.show_result)
        self.asked.busyChanged.connect(lambda _busy: self._show_buttons())
        self.faithful.answered.connect(self._on_faithful)
        self.faithful.busyChanged.connect(lambda _busy: self._show_buttons())
        self.plot.nodeChosen.connect(self.nodeChosen)
        opened.opened.connect(self._on_opened)
        opened.dressChanged.connect(self._list_groups)
        opened.selected.connect(lambda _node: self._show_buttons())
        self._on_opened()

    def _build(self) -> None:
        self.what.setAccessibleName("What is changed")
        self.mode.setAccessibleName("How it is changed")
        for number, (mode, text, tip) in enumerate(MODES):
            self.mode.addItem(text, mode)
            self.mode.setItemData(number, plain_tip(tip), Qt.ItemDataRole.ToolTipRole)
        self.value.setAccessibleName("Value")
        self.other.setAccessibleName("Prompt to swap in from")
        self.other.setPlaceholderText("Another prompt of as many tokens")
        self.held.setAccessibleName("What is held")
        for number, (text, tip) in enumerate(HELD.values()):
            self.held.addItem(text)
            self.held.setItemData(number, plain_tip(tip), Qt.ItemDataRole.ToolTipRole)
        self.held.setCurrentIndex(list(HELD).index(_HELD))
        self.held.setToolTip(
            plain_tip("What keeps the values of the prompt when nodes are changed.")
        )
        self.list.setAccessibleName("Changes of this test")
        self.list.setMaximumHeight(4 * (self.fontMetrics().height() + 6))
        fields = QGridLayout()
        fields.setSpacing(4)
        fields.addWidget(self.what, 0, 0, 1, 2)
        fields.addWidget(self.mode, 1, 0)
        fields.addWidget(self.value, 1, 1)
        fields.addWidget(self.other, 2, 0, 1, 2)
        fields.addWidget(self.held, 3, 0)
        fields.addWidget(self.add_button, 3, 1)
        buttons = QHBoxLayout()
        buttons.setSpacing(4)
        buttons.addWidget(self.run_button, 1)
        buttons.addWidget(self.clear_button)
        inner = QWidget()
        column = QVBoxLayout(inner)
        column.setContentsMargins(8, 8, 8, 8)
        column.setSpacing(6)
        self._explained = label(_EXPLAINED, "small", wrap=True)
        column.addWidget(self._explained)
        column.addLayout(fields)
        column.addWidget(self.list)
        column.addLayout(buttons)
        for widget in (self.verdict, self.figures):
            column.addWidget(widget)
        column.addWidget(self.plot, 1)
        column.addWidget(self.next_tokens)
        column.addWidget(self.faithful_button, 0, Qt.AlignmentFlag.AlignLeft)
        column.addWidget(self.faithfulness)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        scroll.setWidget(inner)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(scroll)
        self._show_fields()

    # ------------------------------------------------------------------ what is changed
    def _on_opened(self) -> None:
        self.clear()
        self._list_groups()
        graph = self._opened.graph
        known = None if graph is None else graph.info.faithfulness
        self.faithfulness.setText("" if known is None else _known(known))

    def _list_groups(self) -> None:
        names = [_SELECTED, *(f"Group “{group.name}”" for group in self._opened.groups())]
        if names != [self.what.itemText(n) for n in range(self.what.count())]:
            chosen = self.what.currentText()
            self.what.clear()
            self.what.addItems(names)
            self.what.setCurrentIndex(max(self.what.findText(chosen), 0))

    def _show_fields(self, _index: int = 0) -> None:
        mode = self.mode.currentData()
        self.value.setVisible(mode in ("clamp", "multiply"))
        self.other.setVisible(mode == "swap")

    def _change(self) -> tuple[NodeChange, str] | None:
        """Return what the fields say; None where nothing can be changed by it."""
        graph, node = self._opened.graph, self._opened.node
        if graph is None:
            return None
        how = NodeChange(
            mode=self.mode.currentData(), value=float(self.value.value() or 0.0),
            prompt=self.other.text() if self.mode.currentData() == "swap" else "",
        )  # fmt: skip
        if how.mode == "swap" and not how.prompt.strip():
            return None
        number = self.what.currentIndex() - 1
        if number >= 0:
            group = self._opened.groups()[number]
            members = [n for n in self._opened.members(group) if graph.kind[n] == FEATURE]
            if not members:
                return None
            return msgspec.structs.replace(how, nodes=tuple(members)), group.name
        if node is None or graph.kind[node] != FEATURE:
            return None
        folded = self._opened.folding.members.get(node)
        if folded is not None:
            nodes = tuple(folded.tolist())
            return msgspec.structs.replace(how, nodes=nodes), self._opened.text(node)
        return msgspec.structs.replace(how, node=node), self._opened.names.text(node)

    def add(self) -> None:
        """Put what the fields say on the list of changes."""
        change = self._change()
        if change is not None:
            self.changes.append(change)
            self.list.addItem(QListWidgetItem(change_text(*change)))
            self._show_buttons()

    def clear(self) -> None:
        """Change nothing."""
        self.changes = []
        self.list.clear()
        self.verdict.setText("")
        self.figures.setText("")
        self.next_tokens.setText("")
        self.plot.hide()
        self._explained.show()
        self._show_buttons()

    def _show_buttons(self) -> None:
        self.list.setVisible(bool(self.changes))
        self.clear_button.setVisible(bool(self.changes))
        ready = bool(self.changes) or self._change() is not None
        self.add_button.setEnabled(self._change() is not None)
        self.run_button.setEnabled(ready and not self.asked.busy and bool(self._opened.name))
        self.run_button.setText("Running…" if self.asked.busy else "Run the test")
        self.faithful_button.setEnabled(bool(self._opened.name) and not self.faithful.busy)
        tip = "" if ready else "Select a feature of the graph first"
        self.run_button.setToolTip(
            plain_tip(tip or "Change the nodes in the model and measure what happens")
        )

    # ------------------------------------------------------------------ asking
    def run(self) -> None:
        """Run the changes on the list; without any, what the fields say."""
        change = self._change()
        changes = self.changes or ([change] if change is not None else [])
        if changes and self._opened.name and self._session.project is not None:
            attention, norms = self._held()
            self.asked.ask(
                InterveneConfig(
                    project=str(self._session.project.path), graph=self._opened.name,
                    changes=tuple(of for of, _ in changes), attention=attention, norms=norms,
                )
            )  # fmt: skip

    def show_result(self, result: InterveneResult) -> None:
        """Show what happened beside what was predicted."""
        graph = self._opened.graph
        if graph is None or result.graph != self._opened.name:
            return
        logits = [n for n in range(graph.nodes) if graph.kind[n] == LOGIT]
        self.verdict.setText(verdict(result, logits))
        self.figures.setText(tested_text(result))
        self.plot.show_effects(result.effects, frozenset(logits))
        self.plot.show()
        self._explained.hide()
        lines = [
            f"“{token.token.strip() or token.token}” {100 * token.before:.1f}% → "
            f"{100 * token.after:.1f}%"
            for token in result.next_tokens[:6]
        ]
        self.next_tokens.setText("Next token: " + " · ".join(lines) if lines else "")

    def measure(self) -> None:
        """Measure how far predicted effects of the graph's nodes are what they do."""
        if self._opened.name and self._session.project is not None:
            attention, norms = self._held()
            self.faithful.ask(
                FaithfulnessConfig(
                    project=str(self._session.project.path), graph=self._opened.name,
                    attention=attention, norms=norms,
                )
            )  # fmt: skip

    def _held(self) -> tuple[AttentionMode, NormsMode]:
        return list(HELD)[self.held.currentIndex()]

    def _on_faithful(self, result: FaithfulnessResult) -> None:
        if result.graph == self._opened.name:
            self.faithfulness.setText(faithfulness_text(result))


def _known(known: object) -> str:
    try:
        return faithfulness_text(known)  # type: ignore[arg-type]
    except (AttributeError, TypeError):  # of another version
        return ""
