"""The command that tells what is done with each field of other libraries' files."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from sae_desktop.cli.options import JsonOption
from sae_desktop.cli.runner import run_reading_command
from sae_desktop.errors import UserError


def formats(
    name: Annotated[
        str, typer.Argument(help="Part of a format's name, such as saelens; all without one.")
    ] = "",
    markdown: Annotated[
        bool, typer.Option("--markdown", help="The page packaging/FORMATS.md, of all formats.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show every field that other libraries' files have, and what is done with each."""
    from sae_desktop.dictionary.formats import describe

    def work() -> dict[str, Any]:
        tables = describe.tables_of("" if markdown else name)
        if not tables:
            raise UserError(
                f"There is no format “{name}”.",
                next_step=f"Known are {', '.join(describe.formats())}.",
            )
        return {
            "page": describe.markdown(tables),
            "tables": [
                {
                    "format": table.format,
                    "file": table.place,
                    "fields": {
                        key: {"treatment": field.treatment, "what": field.what}
                        for key, field in table.fields.items()
                    },
                }
                for table in tables
            ],
        }

    run_reading_command(work, lambda result: str(result["page"]).rstrip(), as_json=as_json)
