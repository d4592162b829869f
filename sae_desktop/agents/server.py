"""The server that agents speak to by the Model Context Protocol, over standard input and output."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ParamSpec

from sae_desktop import __version__
from sae_desktop.agents.answers import Answers
from sae_desktop.agents.bounds import DATA_NOTICE
from sae_desktop.agents.jobs import Jobs
from sae_desktop.api import Project
from sae_desktop.engine.environment import prepare_environment
from sae_desktop.engine.explain import explain
from sae_desktop.errors import UserError

if TYPE_CHECKING:
    from mcp.server.mcpserver import MCPServer

P = ParamSpec("P")
Answer = dict[str, Any]
_ABOUT = (
    "SAE Desktop takes a language model apart into features with sparse dictionaries. This server "
    "answers about one project on this machine: which features there are, on which tokens each "
    "fires, which tokens it makes more likely, which fire on a text, and attribution graphs that "
    f"are kept. Begin with list_project. {DATA_NOTICE}"
)
_JOBS = (
    " Jobs may be run, inside of the project only: list_job_kinds, describe_job, start_job, "
    "job_status, cancel_job."
)


def _explained(tool: Callable[P, Answer]) -> Callable[P, Answer]:
    """Let a tool's failures be errors that name the thing and the way out."""

    @functools.wraps(tool)
    def call(*args: P.args, **kwargs: P.kwargs) -> Answer:
        from mcp.server.mcpserver.exceptions import ToolError

        try:
            return tool(*args, **kwargs)
        except Exception as error:
            told = explain(error)
            raise ToolError(" ".join(filter(None, (told.what, told.next_step)))) from error

    return call


def make_server(project: Project, jobs: Jobs | None, device: str = "auto") -> MCPServer[Any]:
    """Return a server for one project; without `jobs` it only reads.

    Raises UserError where the library is not installed.
    """
    try:
        from mcp.server.mcpserver import MCPServer
        from mcp_types import ToolAnnotations
    except ImportError as error:
        raise UserError(
            "The library of the Model Context Protocol is not installed.",
            next_step="Install it with “pip install 'sae-desktop[mcp]'”.",
        ) from error
    prepare_environment()
    server: MCPServer[Any] = MCPServer(
        "sae-desktop",
        title="SAE Desktop",
        version=__version__,
        instructions=_ABOUT + ("" if jobs is None else _JOBS),
        log_level="WARNING",
    )
    reads = ToolAnnotations(read_only_hint=True, open_world_hint=False)
    for tool in _reading_tools(Answers(project), device):
        server.add_tool(_explained(tool), annotations=reads)
    for tool in [] if jobs is None else _job_tools(jobs):
        server.add_tool(_explained(tool))
    return server


def _reading_tools(answers: Answers, device: str) -> list[Callable[..., Answer]]:
    def list_project() -> Answer:
        """List what is in the project: indexes with their dictionary, model and site,
        dictionaries, sets, activation stores and attribution graphs."""
        return answers.contents()

    def search_features(
        index: str,
        text: str = "",
        token: str = "",
        raises: str = "",
        context: str = "",
        where: list[str] | None = None,
        labelled_only: bool = False,
        sort: str = "max_activation",
        limit: int = 20,
    ) -> Answer:
        """Find features of an index that meet all conditions, at most 50 at a time.

        text: words of label, note or automatic name; token: one it often fires on; raises: one
        whose logit it raises; context: text near its firings; where: conditions on columns, such
        as "density<0.01"; sort: a column such as max_activation or density, label or number.
        """
        return answers.found(
            index, limit=limit, text=text, token=token, raises=raises, context=context,
            where=where or [], labelled_only=labelled_only, sort=sort,
        )  # fmt: skip

    def show_feature(index: str, feature: int, contexts: int = 5) -> Answer:
        """Show one feature: names, density, where it fires most strongly (0 to 10 contexts), the
        tokens it raises and lowers, and its nearest features."""
        return answers.feature(index, feature, contexts=contexts)

    def probe_text(index: str, text: str, per_token: int = 3) -> Answer:
        """Let the model read a text (up to 4,000 characters) and tell which features fire on each
        token: [feature, activation], the strongest first, 1 to 5 per token."""
        return answers.probe(index, text, per_token=per_token, device=device)

    def show_graph(graph: str, nodes: int = 25) -> Answer:
        """Show a kept attribution graph: its prompt, its most influential nodes (1 to 60) and
        what feeds each most."""
        return answers.graph(graph, nodes=nodes)

    return [list_project, search_features, show_feature, probe_text, show_graph]


def _job_tools(jobs: Jobs) -> list[Callable[..., Answer]]:
    def list_job_kinds() -> Answer:
        """List the kinds of job that there are."""
        return jobs.kinds()

    def describe_job(kind: str) -> Answer:
        """Return the settings of a kind of job as a JSON schema."""
        return jobs.described(kind)

    def start_job(config: dict[str, Any]) -> Answer:
        """Start a job, such as {"type": "steer", …}; the project need not be named. Files are
        named by their paths inside of the project. Returns its number."""
        return jobs.start(config)

    def job_status(job: int, wait_seconds: float = 0) -> Answer:
        """Tell how far a job is, or its result, or why it failed; waits for it at most 60 s."""
        return jobs.status(job, wait_seconds)

    def cancel_job(job: int) -> Answer:
        """Let a job end at its next safe point; what it has committed is kept."""
        return jobs.cancel(job)

    return [list_job_kinds, describe_job, start_job, job_status, cancel_job]


def serve(project: Project, *, allow_jobs: bool, device: str = "auto") -> None:
    """Answer over standard input and output until the client leaves; its jobs end with it.

    Relative paths mean the project; the hub is left alone.
    """
    os.environ["HF_HUB_OFFLINE"] = "1"
    jobs = Jobs(project) if allow_jobs else None
    server = make_server(project, jobs, device)
    os.chdir(project.path)
    try:
        server.run("stdio")
    finally:
        if jobs is not None:
            jobs.cancel_all()
