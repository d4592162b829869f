"""The job `groups`: features of a graph that do the same, grouped, named, kept in its file."""

from __future__ import annotations

import msgspec
import numpy as np

from sae_desktop.circuits.asking_config import GroupsConfig, GroupsResult, GroupSummary
from sae_desktop.circuits.group_names import group_name, told_apart
from sae_desktop.circuits.node_names import node_names
from sae_desktop.circuits.reading.graph_file import read_graph, write_graph
from sae_desktop.circuits.reading.grouping import group_nodes
from sae_desktop.jobs import JobContext
from sae_desktop.limits import refuse_beyond_limits
from sae_desktop.project import Project, existing


def groups(config: GroupsConfig, context: JobContext) -> GroupsResult:
    """Group the features of a graph, replacing the groups it had in its file.

    Raises UserError for a graph that is not there or damaged.
    """
    refuse_beyond_limits(config)
    project = Project.open(config.project)
    path = project.graph_path(existing("graph", config.graph, project.graphs()))
    graph = read_graph(path)

    def step(done: int) -> None:
        context.check_cancelled()
        context.progress(done, 2 * config.repeats, "repeats")

    grouping = group_nodes(
        graph, nodes=config.nodes, most_nodes=config.most_nodes, stability=config.stability,
        repeats=config.repeats, seed=config.seed, step=step,
    )  # fmt: skip
    names = node_names(project, graph)
    called = told_apart(
        [group_name(graph, group.nodes.tolist(), names) for group in grouping.groups]
    )
    told = [
        GroupSummary(
            name=name,
            stability=round(group.stability, 3),
            nodes=group.nodes.tolist(),
            influence=group.influence,
        )
        for name, group in zip(called, grouping.groups, strict=True)
    ]
    of = np.full(graph.nodes, -1, np.int32)
    for number, group in enumerate(grouping.groups):
        of[group.nodes] = number
    info = msgspec.structs.replace(
        graph.info,
        groups=tuple(one.name for one in told),
        group_stabilities=tuple(one.stability for one in told),
    )
    write_graph(path, info, graph.arrays | {"groups/of": of})
    chance = grouping.shuffled_stability
    return GroupsResult(
        graph=config.graph,
        groups=told,
        grouped=int((of >= 0).sum()),
        considered=len(grouping.considered),
        shuffled_stability=None if np.isnan(chance) else round(chance, 3),
    )
