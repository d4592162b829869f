"""The jobs `import_graph` and `export_graph`: circuit-tracer's JSON, read and written."""

from __future__ import annotations

import datetime
from pathlib import Path

import msgspec
import numpy as np

from sae_desktop.circuits.config import (
    ExportGraphConfig,
    ExportGraphResult,
    ImportGraphConfig,
    ImportGraphResult,
)
from sae_desktop.circuits.node_names import node_names
from sae_desktop.circuits.reading.graph_file import (
    FEATURE,
    Graph,
    GraphInfo,
    read_graph,
    write_graph,
)
from sae_desktop.circuits.reading.graph_view import (
    GraphView,
    ViewGroup,
    groups_of,
    node_key,
    nodes_by_key,
    read_view,
    write_view,
)
from sae_desktop.circuits.reading.pruning import pruned
from sae_desktop.circuits.reading.tracer_json import read_tracer_json, tracer_json
from sae_desktop.dictionary.set_info import SetInfo, read_set_info
from sae_desktop.errors import UserError
from sae_desktop.jobs import JobContext
from sae_desktop.project import Project, existing
from sae_desktop.storage.atomic import write_bytes


def import_graph(config: ImportGraphConfig, context: JobContext) -> ImportGraphResult:
    """Write the graph of a JSON file into a project, with its names, pins and groups.

    Raises UserError for a file that is not such a graph, where there is a graph of the name, and
    where the set that was chosen lacks features of the graph.
    """
    project = Project.open(config.project)
    path = project.graph_path(config.name)
    if path.exists():
        raise UserError(
            f"There is a graph “{config.name}” already.",
            kept="Nothing was changed.",
            next_step="Choose another name.",
        )
    context.progress(0, 1, "graphs")
    read = read_tracer_json(Path(config.file).expanduser())
    graph = read.graph
    context.check_cancelled()
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    told = _of_set(project, graph, config.set)
    info = msgspec.structs.replace(told, name=config.name, made_at=now)
    groups = tuple(
        ViewGroup(name=name, members=tuple(node_key(graph, node) for node in nodes))
        for name, nodes in read.groups
        if nodes
    )
    pins = tuple(node_key(graph, node) for node in read.pins)
    # It was pruned where it was made: all of it is shown. The graph comes last, since it is what
    # makes the name taken.
    write_view(path, GraphView(nodes=1.0, edges=1.0, pins=pins, groups=groups or None))
    write_graph(path, info, graph.arrays)
    if read.dropped:
        context.log(f"{read.dropped:,} links lead to no node of the file and were left out.")
    context.progress(1, 1, "graphs")
    return ImportGraphResult(
        name=config.name, nodes=graph.nodes, features=info.kept_nodes, edges=graph.edges,
        dropped_links=read.dropped, set=info.set if info.set in project.sets() else "",
    )  # fmt: skip


def _of_set(project: Project, graph: Graph, chosen: str) -> GraphInfo:
    """Return what a graph says of itself, with the set whose features its nodes are.

    One that the file names is taken only where it has them all: another may bear the name.
    """
    name = chosen or graph.info.set
    if not chosen and name not in project.sets():
        return graph.info
    info = read_set_info(project.set_path(existing("set", name, project.sets())))
    lacking = _lacking(graph, info)
    if not lacking:
        return msgspec.structs.replace(graph.info, set=name, set_kind=info.kind)
    if not chosen:
        return msgspec.structs.replace(graph.info, set="")
    raise UserError(
        f"The graph is not of the set “{name}”, which has no {lacking}.",
        kept="Nothing was changed.",
        next_step="Choose the set with which it was traced, or none.",
    )


def _lacking(graph: Graph, info: SetInfo) -> str:
    """Return a feature of a graph that a set does not have; empty: it has them all."""
    counts = {member.layer: member.features for member in info.members}
    for node in np.flatnonzero(graph.kind == FEATURE).tolist():
        layer, feature = int(graph.layer[node]), int(graph.feature[node])
        if not 0 <= feature < counts.get(layer, 0):
            return f"feature {feature:,} in layer {layer}"
    return ""


def export_graph(config: ExportGraphConfig, context: JobContext) -> ExportGraphResult:
    """Write a graph of a project as JSON. Raises UserError where it cannot be read or written."""
    project = Project.open(config.project)
    place = project.graph_path(existing("graph", config.graph, project.graphs()))
    graph, view = read_graph(place), read_view(place)
    context.progress(0, 1, "graphs")
    kept = pruned(graph, config.nodes, config.edges)
    numbers = nodes_by_key(graph)
    groups = [
        (group.name, [numbers[key] for key in group.members if key in numbers])
        for group in groups_of(graph, view)
    ]
    pins = [numbers[key] for key in view.pins if key in numbers]
    names = node_names(project, graph)
    data = tracer_json(graph, kept, names, threshold=config.nodes, pins=pins, groups=groups)
    context.check_cancelled()
    path = Path(config.path).expanduser()
    write_bytes(path, data)
    context.progress(1, 1, "graphs")
    return ExportGraphResult(
        path=str(path), nodes=int(kept.nodes.sum()), edges=int(kept.edges.sum()), bytes=len(data)
    )
