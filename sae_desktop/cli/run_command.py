"""The command that runs a job of any kind from its config."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from sae_desktop.api.kinds import config_from, job_kinds
from sae_desktop.cli import render
from sae_desktop.cli.console import say
from sae_desktop.cli.options import JsonOption
from sae_desktop.cli.runner import run_job_command
from sae_desktop.engine.protocol import JobConfig
from sae_desktop.errors import UserError


def run(
    config: Annotated[
        str,
        typer.Argument(
            metavar="CONFIG",
            help="The job’s config as JSON, such as “Copy as command” gives it; or a file with it "
            "(.json, .toml); or - for standard input. “kinds” lists the kinds of job.",
        ),
    ],
    as_json: JsonOption = False,
) -> None:
    """Run a job of any kind from its config."""
    if config == "kinds":
        rows = [(name, kind.told) for name, kind in job_kinds().items()]
        say(render.table(("type", "what it does"), rows, left={0, 1}))
        return
    run_job_command(_read(config), render.figures, as_json=as_json)


def _read(config: str) -> JobConfig:
    """Return the config. Raises typer.BadParameter that says what is wrong with it."""
    try:
        if config == "-":
            data = msgspec.json.decode(sys.stdin.read())
        elif config.lstrip().startswith("{"):
            data = msgspec.json.decode(config)
        else:
            content = Path(config).read_bytes()
            toml = Path(config).suffix == ".toml"
            data = msgspec.toml.decode(content) if toml else msgspec.json.decode(content)
        if not isinstance(data, dict):
            raise ValueError("it is not a table of settings")
        return config_from(data)
    except UserError as error:
        raise typer.BadParameter(str(error), param_hint="CONFIG") from None
    except (OSError, ValueError, RecursionError) as error:
        raise typer.BadParameter(f"it cannot be read: {error}", param_hint="CONFIG") from None
