"""The command that shows every setting of the jobs: its values, default and meaning."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from sae_desktop.cli.options import JsonOption
from sae_desktop.cli.runner import run_reading_command
from sae_desktop.described import settings as settings_of
from sae_desktop.engine.registry import JOB_KINDS
from sae_desktop.errors import UserError
from sae_desktop.words.settings_page import setting_rows, settings_page

_JOBS = {kind.verb: config for config, kind in JOB_KINDS.items() if settings_of(config)}


def settings(
    job: Annotated[
        str, typer.Argument(help="Part of a job's name, such as train; default: all jobs.")
    ] = "",
    markdown: Annotated[
        bool,
        typer.Option("--markdown", help="Print the page packaging/SETTINGS.md, with all jobs."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show every setting of the jobs: what it may be, its default, and what it means."""

    def work() -> dict[str, Any]:
        wanted = "" if markdown else job.casefold()
        named = [(verb, config) for verb, config in _JOBS.items() if verb.casefold() == wanted]
        found = named or [(v, config) for v, config in _JOBS.items() if wanted in v.casefold()]
        if not found:
            raise UserError(
                f"No job is called “{job}”.", next_step=f"Known jobs: {', '.join(_JOBS)}."
            )
        rows = {verb: [row._asdict() for row in setting_rows(config)] for verb, config in found}
        return {"page": settings_page(found), "settings": rows}

    run_reading_command(work, lambda result: str(result["page"]).rstrip(), as_json=as_json)


def every_setting() -> str:
    """Return the page of all jobs as Markdown."""
    return settings_page(list(_JOBS.items()))
