"""The command that serves a project to agents by the Model Context Protocol."""

from __future__ import annotations

from typing import Annotated

import typer

from sae_desktop.cli import EXIT_FAILED
from sae_desktop.cli.console import say
from sae_desktop.cli.options import DeviceOption, ProjectArgument
from sae_desktop.errors import UserError


def mcp(
    project: ProjectArgument,
    allow_jobs: Annotated[
        bool,
        typer.Option(
            "--allow-jobs",
            help="Let agents run jobs, too, which may write inside of the project. Without it "
            "they only read, and ask the model about texts.",
        ),
    ] = False,
    device: DeviceOption = "auto",
) -> None:
    """Answer agents about a project, by the Model Context Protocol over standard input and output.

    Needs the library of it: pip install 'sae-desktop[mcp]'.
    """
    from sae_desktop.agents.server import serve
    from sae_desktop.api import open_project

    try:
        serve(open_project(project), allow_jobs=allow_jobs, device=device)
    except UserError as error:
        say(error)
        raise typer.Exit(EXIT_FAILED) from None
