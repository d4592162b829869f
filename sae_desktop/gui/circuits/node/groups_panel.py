"""The drawer of groups: found by the machine, merged, split, renamed and pinned by hand."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtGui import QColor, QIcon, QPixmap
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QInputDialog,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from sae_desktop.circuits.asking_config import GroupsConfig, GroupsResult
from sae_desktop.circuits.reading.graph_view import (
    ViewGroup,
    dissolved,
    grouped,
    merged,
    node_key,
    pinned_group,
    renamed,
    without_nodes,
)
from sae_desktop.errors import UserError
from sae_desktop.gui.circuits.canvas.painting import group_colour
from sae_desktop.gui.circuits.open_graph import OpenGraph
from sae_desktop.gui.parts import theme
from sae_desktop.gui.parts.labels import label, push_button
from sae_desktop.gui.parts.plain_text import plain_tip
from sae_desktop.gui.state.asked_job import AskedJob
from sae_desktop.gui.state.session import Session
from sae_desktop.words.amounts import share_text
from sae_desktop.words.circuit_text import groups_text
from sae_desktop.words.graph_words import stability_text

_NUMBER = Qt.ItemDataRole.UserRole
_NODE = Qt.ItemDataRole.UserRole + 1
_NAME = Qt.ItemDataRole.UserRole + 2
_EXPLAINED = (
    "Features that are fed by the same and feed the same do one step together. Find groups puts "
    "them together; select nodes here or in the graph to change the groups."
)
_SWATCH = 10
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


class GroupsPanel(QWidget):
    """Shows the groups of the open graph and changes them, every change an undoable step."""

    nodeChosen = Signal(int)
    nodesMarked = Signal(object)
    """The nodes of what is selected here, to be ringed in the graph."""

    def __init__(self, session: Session, opened: OpenGraph) -> None:
        super().__init__()
        self.setObjectName("circuits.groups")
        self._session, self._opened = session, opened
        self.asked = AskedJob(session, self)
        self.find_button = push_button(
            "Find groups", self.find_groups, icon="sparkle",
            tip="Put features together that are fed by the same and feed the same",
        )  # fmt: skip
        self.told = label(_EXPLAINED, "small", wrap=True)
        self.tree = QTreeWidget()
        self.buttons = {
            name: push_button(text, callback, icon=icon, tip=tip)
            for name, text, icon, callback, tip in (
                ("merge", "Merge", "arrows-in-simple", self.merge,
                 "Make one group of the selected groups"),
                ("split", "Split", "arrows-out-simple", self.split,
                 "Make a group of its own of the selected nodes"),
                ("fold", "Collapse", "stack", self.fold,
                 "Draw the selected groups, or all, as one node each, their edges summed (G in "
                 "the graph)"),
                ("rename", "Rename…", "pencil-simple", self.rename, "Rename the group (F2)"),
                ("pin", "Pin", "push-pin", self.pin,
                 "Keep the group’s nodes in sight however the graph is pruned"),
                ("dissolve", "Dissolve", "x", self.dissolve,
                 "Let the nodes stand alone again (Delete)"),
            )
        }  # fmt: skip
        self._build()
        self.asked.answered.connect(self._on_found)
        self.asked.busyChanged.connect(lambda _busy: self._show_buttons())
        self.tree.itemSelectionChanged.connect(self._on_selected)
        self.tree.itemActivated.connect(self._on_activated)
        opened.opened.connect(self._on_opened)
        opened.dressChanged.connect(self.refresh)
        theme.manager().themeChanged.connect(self.refresh)
        self.refresh()

    def _build(self) -> None:
        tree = self.tree
        tree.setColumnCount(3)
        tree.setHeaderLabels(["Group", "Stability", "Influence"])
        tree.headerItem().setToolTip(
            1, plain_tip("How often the same group is found from a half of the edges, 100%: always")
        )
        tree.headerItem().setToolTip(2, plain_tip("Of all nodes’ influence, the group’s share"))
        tree.setAccessibleName("Groups")
        tree.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        tree.setUniformRowHeights(True)
        tree.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        tree.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        head = tree.header()
        head.setStretchLastSection(False)
        head.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column in (1, 2):
            head.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
            tree.headerItem().setTextAlignment(column, _RIGHT)
        rows = (QHBoxLayout(), QHBoxLayout())
        for number, name in enumerate(("fold", "merge", "split", "rename", "pin", "dissolve")):
            rows[number // 3].addWidget(self.buttons[name])
        for row in rows:
            row.setSpacing(4)
            row.addStretch(1)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(8, 8, 8, 8)
        whole.setSpacing(6)
        whole.addWidget(self.find_button, 0, Qt.AlignmentFlag.AlignLeft)
        whole.addWidget(self.told)
        whole.addWidget(tree, 1)
        for row in rows:
            whole.addLayout(row)

    # ------------------------------------------------------------------ showing
    def _on_opened(self) -> None:
        self.told.setText(_EXPLAINED)
        self.refresh()

    def refresh(self) -> None:
        """Show the groups as they are now; what is unfolded and selected stays so."""
        graph, tree = self._opened.graph, self.tree
        found = map(tree.topLevelItem, range(tree.topLevelItemCount()))
        tops = [item for item in found if item is not None]
        unfolded = {item.data(0, _NAME) for item in tops if item.isExpanded()}
        selected = {item.data(0, _NAME) for item in tops if item.isSelected()}
        with QSignalBlocker(tree):
            tree.clear()
            for number, group in enumerate(self._opened.groups() if graph is not None else ()):
                item = self._item(number, group)
                tree.addTopLevelItem(item)
                item.setExpanded(group.name in unfolded)
                item.setSelected(group.name in selected)
        self._show_buttons()

    def _item(self, number: int, group: ViewGroup) -> QTreeWidgetItem:
        graph, members = self._opened.graph, self._opened.members(group)
        assert graph is not None
        influence = float(graph.influence[members].sum())
        whole = float(graph.influence.sum()) or 1.0
        told = [str(len(members)), *(["pinned"] if group.pinned else [])]
        told += ["collapsed"] if group.folded else []
        texts = [f"{group.name} ({', '.join(told)})", stability_text(group.stability)]
        item = QTreeWidgetItem([*texts, share_text(influence / whole)])
        item.setData(0, _NUMBER, number)
        item.setData(0, _NAME, group.name)
        item.setIcon(0, _swatch(group_colour(number)))
        item.setToolTip(0, plain_tip(group.name))
        for column in (1, 2):
            item.setTextAlignment(column, _RIGHT)
        for node in sorted(members, key=lambda n: -float(graph.influence[n])):
            name, share = self._opened.names.text(node), float(graph.influence[node]) / whole
            child = QTreeWidgetItem([name, "", share_text(share)])
            child.setData(0, _NODE, node)
            child.setToolTip(0, plain_tip(name))
            child.setTextAlignment(2, _RIGHT)
            item.addChild(child)
        return item

    def _groups(self) -> list[int]:
        """Return the numbers of the groups that are selected."""
        found = [item.data(0, _NUMBER) for item in self.tree.selectedItems()]
        return sorted(number for number in found if number is not None)

    def _nodes(self) -> list[int]:
        """Return the nodes that are selected by themselves."""
        found = [item.data(0, _NODE) for item in self.tree.selectedItems()]
        return [node for node in found if node is not None]

    def _on_selected(self) -> None:
        nodes = set(self._nodes())
        for number in self._groups():
            nodes.update(self._opened.members(self._opened.groups()[number]))
        self.nodesMarked.emit(frozenset(nodes))
        self._show_buttons()

    def _on_activated(self, item: QTreeWidgetItem, _column: int) -> None:
        node = item.data(0, _NODE)
        if node is not None:
            self.nodeChosen.emit(node)

    def _show_buttons(self) -> None:
        groups, nodes = self._groups(), self._nodes()
        self.find_button.setEnabled(bool(self._opened.name) and not self.asked.busy)
        self.find_button.setText("Finding groups…" if self.asked.busy else "Find groups")
        self.buttons["merge"].setEnabled(len(groups) > 1)
        self.buttons["split"].setEnabled(bool(nodes) and not groups)
        self.buttons["rename"].setEnabled(len(groups) == 1)
        self.buttons["pin"].setEnabled(len(groups) == 1)
        self.buttons["dissolve"].setEnabled(bool(groups or nodes))
        self.buttons["fold"].setEnabled(bool(self._opened.groups()))
        self.buttons["fold"].setText("Expand" if self._are_folded(groups) else "Collapse")
        pinned = len(groups) == 1 and self._opened.groups()[groups[0]].pinned
        self.buttons["pin"].setText("Unpin" if pinned else "Pin")

    # ------------------------------------------------------------------ the machine
    def find_groups(self) -> None:
        """Have the machine find groups, in place of those that are there."""
        if self._opened.name and self._session.project is not None:
            self.asked.ask(
                GroupsConfig(project=str(self._session.project.path), graph=self._opened.name)
            )

    def _on_found(self, result: GroupsResult) -> None:
        if result.graph == self._opened.name:
            self._opened.reload()
            self._opened.change("Find groups", groups=None)
            self.told.setText(groups_text(result))

    # ------------------------------------------------------------------ by hand
    def _are_folded(self, numbers: list[int]) -> bool:
        groups = self._opened.groups()
        chosen = [groups[n] for n in numbers] or list(groups)
        return bool(chosen) and all(group.folded for group in chosen)

    def fold(self) -> None:
        """Collapse the selected groups, or all; where they are collapsed, expand them."""
        numbers = self._groups()
        on = not self._are_folded(numbers)
        self._opened.fold(numbers or range(len(self._opened.groups())), on)

    def merge(self) -> None:
        """Make one group of the selected ones, under the name of the largest."""
        numbers, groups = self._groups(), self._opened.groups()
        if len(numbers) > 1:
            largest = max(numbers, key=lambda n: len(groups[n].members))
            self._change("Merge groups", lambda: merged(groups, numbers, groups[largest].name))

    def split(self) -> None:
        """Make a group of its own of the selected nodes."""
        self.group(self._nodes())

    def group(self, nodes: Iterable[int]) -> None:
        """Ask for a name, and make a group of nodes."""
        graph, nodes = self._opened.graph, list(nodes)
        if graph is None or not nodes:
            return
        keys = [node_key(graph, node) for node in nodes]
        first = self._opened.names.text(nodes[0])
        name, given = QInputDialog.getText(self, "New group", "Name of the group", text=first)
        if given:
            groups = self._opened.groups()
            self._change("Make a group", lambda: grouped(groups, name, keys))

    def add_to(self, number: int, nodes: Iterable[int]) -> None:
        """Put nodes into a group that is there."""
        graph, groups = self._opened.graph, self._opened.groups()
        if graph is not None:
            keys = [node_key(graph, node) for node in nodes]
            group = groups[number]
            rest = [g for n, g in enumerate(groups) if n != number]
            self._change(
                "Add to a group", lambda: grouped(rest, group.name, [*group.members, *keys])
            )

    def rename(self) -> None:
        """Ask for another name of the selected group."""
        numbers, groups = self._groups(), self._opened.groups()
        if len(numbers) == 1:
            before = groups[numbers[0]].name
            name, given = QInputDialog.getText(self, "Rename", "Name of the group", text=before)
            if given:
                self._change("Rename a group", lambda: renamed(groups, numbers[0], name))

    def pin(self) -> None:
        """Pin the selected group, or let go of it."""
        numbers, groups = self._groups(), self._opened.groups()
        if len(numbers) == 1:
            on = not groups[numbers[0]].pinned
            text = "Pin a group" if on else "Unpin a group"
            self._change(text, lambda: pinned_group(groups, numbers[0], on))

    def dissolve(self) -> None:
        """Let the nodes of the selected groups, and those selected, stand alone again."""
        graph, groups = self._opened.graph, self._opened.groups()
        if graph is not None:
            keys = [node_key(graph, node) for node in self._nodes()]
            rest = dissolved(groups, self._groups())
            self._change("Dissolve a group", lambda: without_nodes(rest, keys))

    def _change(self, text: str, make: object) -> None:
        try:
            groups = make()  # type: ignore[operator]
        except UserError as error:
            self._session.show_error(error)
            return
        self._opened.set_groups(text, groups)


def _swatch(colour: QColor) -> QIcon:
    pixmap = QPixmap(_SWATCH, _SWATCH)
    pixmap.fill(colour)
    return QIcon(pixmap)
