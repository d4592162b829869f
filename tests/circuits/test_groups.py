"""Groups are kept in the graph's file, and named after what their members are called."""

from __future__ import annotations

from job_contexts import RecordingContext
from made_graphs import made_graph, save_made_graph

from sae_desktop.circuits.asking_config import GroupsConfig
from sae_desktop.circuits.group_names import group_name, told_apart
from sae_desktop.circuits.groups import groups
from sae_desktop.circuits.reading.graph_file import FEATURE, read_graph
from sae_desktop.project import Project


def test_groups__are_kept_in_the_file_and_nothing_else_changes(project: Project) -> None:
    path = project.graph_path("g")
    path.parent.mkdir()
    before = save_made_graph(path, features=60, inputs=4, name="g")
    config = GroupsConfig(project=str(project.path), graph="g", nodes=1.0, repeats=4, stability=0.3)
    context = RecordingContext()
    result = groups(config, context)
    assert context.steps[-1] == (8, 8, "repeats")
    after = read_graph(path)
    assert len({group.name for group in result.groups}) == len(result.groups) > 1
    assert after.info.groups == tuple(group.name for group in result.groups)
    assert after.info.group_stabilities == tuple(group.stability for group in result.groups)
    for number, group in enumerate(result.groups):
        assert sorted(group.nodes) == (after.groups_of == number).nonzero()[0].tolist()
        assert all(after.kind[node] == FEATURE for node in group.nodes)
        assert group.name.startswith("“")  # of a set that is not here: the token, the layers
    assert all((after.arrays[name] == values).all() for name, values in before.arrays.items())
    assert groups(config, RecordingContext()).groups == result.groups


def test_name__is_that_of_the_member_most_like_the_others() -> None:
    graph = made_graph(features=9)
    nodes = (graph.kind == FEATURE).nonzero()[0][:4].tolist()
    texts = ("animals in French", "capital cities", "capital cities of states", "")
    names = {node: text for node, text in zip(nodes, texts, strict=True) if text}
    graph.influence[nodes] = 1.0
    assert group_name(graph, nodes, names) == "capital cities"
    graph.influence[nodes[0]] = 9.0
    assert group_name(graph, nodes, names) == "animals in French"


def test_groups_of_one_name__are_numbered() -> None:
    assert told_apart(["the", "of", "the", "the"]) == ["the", "of", "the (2)", "the (3)"]
