"""What can be done in the Circuits workspace, for menus, shortcuts and the palette."""

from __future__ import annotations

from functools import partial
from typing import Protocol

from sae_desktop.gui.circuits.graph_outputs import GraphOutputs
from sae_desktop.gui.circuits.graph_place import GraphPlace
from sae_desktop.gui.circuits.node.groups_panel import GroupsPanel
from sae_desktop.gui.circuits.node.trial_panel import TrialPanel
from sae_desktop.gui.circuits.open_graph import OpenGraph
from sae_desktop.gui.parts.actions import ActionInfo
from sae_desktop.gui.parts.places import Places
from sae_desktop.gui.parts.workspace import bring_forward


class Circuits(Protocol):
    """What is asked of the panel."""

    opened: OpenGraph
    graph: GraphPlace
    groups: GroupsPanel
    trial: TrialPanel
    outputs: GraphOutputs
    places: Places

    @property
    def tracing(self) -> bool: ...
    def stop(self) -> None: ...
    def do(self, key: str) -> None: ...


def circuit_actions(panel: Circuits) -> list[ActionInfo]:
    """Return the actions of the workspace."""
    opened, outputs = panel.opened, panel.outputs
    has_graph = lambda: opened.graph is not None  # noqa: E731
    has_node = lambda: opened.graph is not None and opened.node is not None  # noqa: E731
    places = (
        ("graph", "Show the graph", "tree-structure"),
        ("lens", "Read the layers through a lens", "eye"),
        ("attribution", "Attribute a dictionary’s features", "list-numbers"),
        ("patching", "Patch between two prompts", "swap"),
    )
    return [
        ActionInfo(
            "circuits.trace", "Trace the prompt", panel.graph.prompt.trace,
            icon="tree-structure", shortcut="Ctrl+Shift+G",
            enabled_when=lambda: panel.graph.prompt.asked() is not None,
        ),
        ActionInfo(
            "circuits.cancel", "Cancel tracing", panel.stop, icon="stop",
            enabled_when=lambda: panel.tracing,
        ),
        *(
            ActionInfo(
                f"circuits.{name}", text, partial(panel.places.show_place, name), icon=icon
            )
            for name, text, icon in places
        ),
        ActionInfo(
            "circuits.all", "Show the whole graph", panel.graph.canvas.show_all,
            icon="frame-corners", enabled_when=has_graph,
        ),
        ActionInfo(
            "circuits.pin", "Pin or unpin the node", partial(panel.do, "pin"), icon="push-pin",
            enabled_when=has_node, tip="Keep the node in sight however the graph is pruned (P)",
        ),
        ActionInfo(
            "circuits.freeze", "Keep what is lit", partial(panel.do, "freeze"), icon="snowflake",
            enabled_when=has_node, tip="Keep what is lit wherever the pointer goes (F)",
        ),
        ActionInfo(
            "circuits.fold", "Collapse or expand the node’s group", partial(panel.do, "fold"),
            icon="arrows-in-simple", enabled_when=has_node,
            tip="Draw a group as one node, its edges summed, or its features again (G)",
        ),
        ActionInfo(
            "circuits.open", "Open the node’s feature", partial(panel.do, "open"),
            icon="arrow-square-in", enabled_when=has_node,
        ),
        ActionInfo(
            "circuits.groups", "Find groups in the graph", panel.groups.find_groups, icon="sparkle",
            enabled_when=has_graph,
        ),
        ActionInfo(
            "circuits.test", "Test the graph", lambda: bring_forward(panel.trial), icon="flask",
            enabled_when=has_graph,
        ),
        ActionInfo(
            "circuits.faithfulness", "Measure how faithful the graph is", panel.trial.measure,
            icon="chart-line", enabled_when=has_graph,
        ),
        ActionInfo(
            "circuits.compare", "Compare with another graph", outputs.compareAsked.emit,
            icon="columns", enabled_when=has_graph,
        ),
        ActionInfo(
            "circuits.picture", "Save the graph as a picture…", outputs.picture, icon="image",
            enabled_when=has_graph,
        ),
        ActionInfo(
            "circuits.page", "Save the graph as a page…", outputs.page, icon="globe",
            enabled_when=has_graph,
        ),
        ActionInfo(
            "circuits.json", "Save the graph as circuit-tracer’s JSON…", outputs.save_json,
            icon="export", enabled_when=has_graph,
        ),
        ActionInfo(
            "circuits.read_json", "Read a circuit-tracer graph…", outputs.read_json,
            icon="download-simple",
        ),
    ]  # fmt: skip
