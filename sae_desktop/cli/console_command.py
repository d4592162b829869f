"""The command that opens Python on a project."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from sae_desktop.cli import EXIT_FAILED
from sae_desktop.cli.console import say
from sae_desktop.cli.options import ProjectArgument
from sae_desktop.engine.environment import prepare_environment
from sae_desktop.errors import UserError


def console(
    project: ProjectArgument,
    index: Annotated[
        str, typer.Option("--index", help="The index that “index” stands for; default: the first.")
    ] = "",
    lines: Annotated[
        bool, typer.Option("--lines", help="Speak JSON lines, as the window does.", hidden=True)
    ] = False,
) -> None:
    """Open Python on a project: “project” is bound, and everything of sae_desktop.api."""
    prepare_environment()
    from sae_desktop.api.console import interact, serve

    try:
        if lines:
            out = os.fdopen(os.dup(1), "wb")
            os.dup2(2, 1)  # libraries print, from C, too
            serve(project, index, sys.stdin.buffer, out)
        interact(project, index)
    except UserError as error:
        say(error)
        raise typer.Exit(EXIT_FAILED) from None
