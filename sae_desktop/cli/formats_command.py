"""The command that shows what is done with each field of other libraries' files."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from sae_desktop.cli.options import JsonOption
from sae_desktop.cli.runner import run_reading_command
from sae_desktop.errors import UserError


def formats(
    name: Annotated[
        str, typer.Argument(help="Part of a format's name, such as saelens; default: all formats.")
    ] = "",
    markdown: Annotated[
        bool,
        typer.Option("--markdown", help="Print the page packaging/FORMATS.md, with all formats."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show every field of other libraries' files, and what is done with it."""
    from sae_desktop.dictionary.formats import describe

    def work() -> dict[str, Any]:
        tables = describe.tables_of("" if markdown else name)
        if not tables:
            raise UserError(
                f"There is no format “{name}”.",
                next_step=f"Known formats: {', '.join(describe.formats())}.",
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
