"""What can be done with a node, wherever it is right-clicked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from PySide6.QtWidgets import QMenu, QWidget

from sae_desktop.circuits.reading.graph_file import FEATURE
from sae_desktop.gui.circuits.node.groups_panel import GroupsPanel
from sae_desktop.gui.circuits.open_graph import OpenGraph
from sae_desktop.gui.parts import icons


class Circuits(Protocol):
    """What is asked of the panel."""

    opened: OpenGraph
    groups: GroupsPanel

    def open_feature(self, node: int) -> None: ...
    def steer(self, node: int) -> None: ...
    def test(self, node: int) -> None: ...
    def index_layer(self, node: int) -> None: ...
    def fold(self, node: int) -> None: ...


def node_menu(panel: Circuits, node: int) -> QMenu | None:
    """Return the menu of a node of the open graph."""
    opened, graph = panel.opened, panel.opened.graph
    if graph is None:
        return None
    menu = QMenu(panel if isinstance(panel, QWidget) else None)
    group = opened.folded_group(node)
    feature = int(graph.kind[node]) == FEATURE and group is None
    _add(menu, "selection", "Select", lambda: opened.select(node))
    if group is not None:
        _add(menu, "arrows-out-simple", "Expand the group\tG", lambda: panel.fold(node))
        _add(menu, "flask", "Test by switching it off\tT", lambda: panel.test(node))
    elif int(opened.group_numbers()[node]) >= 0:
        _add(menu, "arrows-in-simple", "Collapse its group\tG", lambda: panel.fold(node))
    lacks = opened.names.lacks(node) if feature else ""
    if lacks == "index":
        _add(menu, "list-numbers", "Index this layer…", lambda: panel.index_layer(node))
    if feature and not lacks:
        _add(menu, "arrow-square-in", "Open the feature\tE", lambda: panel.open_feature(node))
        _add(menu, "sliders-horizontal", "Steer with this feature", lambda: panel.steer(node))
    if feature:
        _add(menu, "flask", "Test by switching it off\tT", lambda: panel.test(node))
    pinned = opened.is_pinned(node)
    _add(
        menu, "push-pin-slash" if pinned else "push-pin", "Unpin\tP" if pinned else "Pin\tP",
        lambda: opened.pin([node], not pinned),
    )  # fmt: skip
    if feature:
        sub = menu.addMenu("Add to group")
        icons.set_icon(sub.menuAction(), "selection-plus")
        for number, group in enumerate(opened.groups()):
            action = sub.addAction(group.name)
            action.triggered.connect(
                lambda _checked=False, number=number: panel.groups.add_to(number, [node])
            )
        if not sub.isEmpty():
            sub.addSeparator()
        sub.addAction("New group…", lambda: panel.groups.group([node]))
    return menu


def _add(menu: QMenu, icon: str, text: str, callback: Callable[[], object]) -> None:
    action = menu.addAction(text)
    icons.set_icon(action, icon)
    action.triggered.connect(lambda _checked=False: callback())
