"""Commands on attribution graphs: trace a prompt, say what it takes, list and show graphs."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from sae_desktop.circuits.config import (
    EstimateTraceConfig,
    ExportGraphConfig,
    ImportGraphConfig,
    TraceConfig,
)
from sae_desktop.circuits.reading.graph_file import read_graph_info
from sae_desktop.cli import render, trace_text
from sae_desktop.cli.config_options import Choice, Settings, option, with_options
from sae_desktop.cli.node_text import NodeTexts
from sae_desktop.cli.options import DeviceOption, JsonOption, ProjectArgument
from sae_desktop.cli.runner import run_job_command, run_reading_command
from sae_desktop.described import default
from sae_desktop.described import settings as settings_of
from sae_desktop.errors import UserError
from sae_desktop.project import Project
from sae_desktop.words.trace_text import graph_name

trace_app = typer.Typer(
    no_args_is_help=True, help="Trace which features make the next token of a prompt."
)
NodeKind = Literal["all", "feature", "embedding", "error", "logit"]
_CHOICES = tuple(
    Choice(field, name="--token" if field == "tokens" else "") for field in settings_of(TraceConfig)
)
_SetOption = Annotated[str, typer.Option("--set", help="Name of the set of transcoders.")]
_PromptOption = Annotated[str, typer.Option("--prompt", help="The text whose next token counts.")]
_ChatOption = Annotated[
    bool,
    typer.Option(
        "--chat", help="The prompt is a chat: turns begin with user:, assistant: or system:."
    ),
]
GraphArgument = Annotated[str, typer.Argument(metavar="GRAPH", help="Name of the graph.")]


@trace_app.command("run")
@with_options(TraceConfig, _CHOICES)
def run(
    project: ProjectArgument,
    set_name: _SetOption,
    prompt: _PromptOption,
    settings: Settings,
    name: Annotated[
        str, typer.Option("--name", help="Name of the graph to write; default: its prompt.")
    ] = "",
    chat: _ChatOption = False,
    device: DeviceOption = default(TraceConfig, "device"),
    as_json: JsonOption = False,
) -> None:
    """Trace a prompt back from its next token and write its attribution graph."""
    name = name or _free_name(project, prompt)
    config = TraceConfig(
        project=str(project), set=set_name, prompt=prompt, name=name, chat=chat, device=device,
        **_told(settings),
    )  # fmt: skip
    run_job_command(config, partial(trace_text.traced, project=project), as_json=as_json)


def _free_name(project: Path, prompt: str) -> str:
    """Return a name for a prompt's graph. Of a project that cannot be opened the job tells."""
    try:
        return graph_name(prompt, Project.open(project).graphs())
    except UserError:
        return graph_name(prompt, [])


@trace_app.command("estimate")
@with_options(EstimateTraceConfig, _CHOICES)
def estimate(
    project: ProjectArgument,
    set_name: _SetOption,
    prompt: _PromptOption,
    settings: Settings,
    chat: _ChatOption = False,
    device: DeviceOption = default(EstimateTraceConfig, "device"),
    as_json: JsonOption = False,
) -> None:
    """Say how much memory, disk space and time a trace takes, and whether it fits."""
    config = EstimateTraceConfig(
        project=str(project), set=set_name, prompt=prompt, chat=chat, device=device,
        **_told(settings),
    )  # fmt: skip
    run_job_command(config, trace_text.estimate, as_json=as_json)


def _told(settings: Settings) -> Settings:
    return settings | {"tokens": tuple(settings.get("tokens") or ())}


@trace_app.command("list")
def list_graphs(project: ProjectArgument, as_json: JsonOption = False) -> None:
    """List the graphs of a project."""

    def work() -> dict[str, Any]:
        opened = Project.open(project)
        return {"graphs": [_graph(opened, name) for name in opened.graphs()]}

    run_reading_command(work, trace_text.graphs, as_json=as_json)


def _graph(project: Project, name: str) -> dict[str, Any]:
    path = project.graph_path(name)
    try:
        info = read_graph_info(path)
    except UserError as error:
        return {"name": name, "error": error.what}
    return {
        "name": name,
        "set": info.set,
        "prompt": info.prompt,
        "tokens": len(info.token_text),
        "targets": list(info.target_tokens),
        "features": info.kept_nodes,
        "replacement_score": info.replacement_score,
        "completeness_score": info.completeness_score,
        "bytes": path.stat().st_size,
        "made_at": info.made_at,
    }


@trace_app.command("show")
def show(
    project: ProjectArgument,
    graph: GraphArgument,
    node: Annotated[
        int, typer.Option("--node", min=-1, help="Show the inputs of this node; -1: of none.")
    ] = -1,
    kind: Annotated[
        NodeKind, typer.Option("--kind", help="Show nodes of this kind alone.")
    ] = "all",
    group: Annotated[str, typer.Option("--group", help="Show the nodes of this group.")] = "",
    most: Annotated[int, typer.Option("--most", min=1, help="Rows to show at most.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """Show the nodes of a graph that matter most to its targets, or the inputs of one node."""

    def work() -> dict[str, Any]:
        return trace_text.shown(NodeTexts(project, graph), node, most, kind, group)

    run_reading_command(work, trace_text.nodes, as_json=as_json)


@trace_app.command("import")
def import_graph(
    project: ProjectArgument,
    file: Annotated[Path, typer.Argument(help="JSON of circuit-tracer or Neuronpedia.")],
    name: Annotated[str, typer.Option("--name", help="Name of the graph to write.")],
    of_set: Annotated[str, option(ImportGraphConfig, "set", "--set")] = "",
    as_json: JsonOption = False,
) -> None:
    """Read a graph of circuit-tracer’s into a project."""
    config = ImportGraphConfig(project=str(project), name=name, file=str(file), set=of_set)
    run_job_command(config, render.figures, as_json=as_json)


@trace_app.command("export")
def export_graph(
    project: ProjectArgument,
    graph: GraphArgument,
    path: Annotated[Path, typer.Option("--out", help="JSON file to write.")],
    nodes: Annotated[float, option(ExportGraphConfig, "nodes", "--nodes")] = default(
        ExportGraphConfig, "nodes"
    ),
    edges: Annotated[float, option(ExportGraphConfig, "edges", "--edges")] = default(
        ExportGraphConfig, "edges"
    ),
    as_json: JsonOption = False,
) -> None:
    """Write a graph as circuit-tracer’s JSON, pruned as its page shows it."""
    config = ExportGraphConfig(
        project=str(project), graph=graph, path=str(path), nodes=nodes, edges=edges
    )
    run_job_command(config, render.figures, as_json=as_json)
