"""The command that tells what a term means."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from sae_desktop.cli.options import JsonOption
from sae_desktop.cli.runner import run_reading_command
from sae_desktop.errors import UserError


def glossary(
    term: Annotated[
        str,
        typer.Argument(help="A term, such as FVU, or part of one; default: all, in a line each."),
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Tell what the terms of the window and the command line mean."""
    from sae_desktop.words.glossary import entry_text, find, list_text, search

    def work() -> dict[str, Any]:
        exact = find(term)
        found = [exact] if exact is not None else search(term)
        if not found:
            raise UserError(
                f"The glossary has no entry with “{term}”.",
                next_step="sae-desktop glossary lists every term.",
            )
        text = entry_text(found[0]) if len(found) == 1 else list_text(found)
        return {"text": text, "entries": [entry._asdict() for entry in found]}

    run_reading_command(work, lambda result: str(result["text"]), as_json=as_json)
