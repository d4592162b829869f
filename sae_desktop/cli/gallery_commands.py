"""The command over the catalogue of public dictionaries."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from sae_desktop.cli.options import JsonOption
from sae_desktop.cli.render import table
from sae_desktop.cli.runner import run_reading_command
from sae_desktop.exchange.gallery import Family, catalogue, layers_text, matching
from sae_desktop.storage.faults import format_bytes

_HEADING = ("name", "model", "site", "layers", "features", "each", "licence", "here")


def gallery(
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[WORDS]...", help="Words of a name, model or site."),
    ] = None,
    layer: Annotated[
        int | None, typer.Option("--layer", min=0, help="Only this layer, with what imports it.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show well-known public dictionaries, and which are on this machine already."""
    found = matching(catalogue(), " ".join(words or []))
    if layer is not None:
        found = [family for family in found if layer in family.layers]

    def work() -> dict[str, Any]:
        return {"families": [_told(family, layer) for family in found]}

    run_reading_command(work, _text, as_json=as_json)


def _told(family: Family, layer: int | None) -> dict[str, Any]:
    layers = family.layers if layer is None else [layer]
    told: dict[str, Any] = {
        "name": family.name, "model": family.model, "hook": family.hook, "layers": layers,
        "features": family.features, "bytes": family.bytes, "licence": family.licence,
        "format": family.format, "page": family.page,
        "here": [number for number in layers if family.is_here(number)],
    }  # fmt: skip
    if layer is not None:
        told["source"] = family.source(layer)
    return told


def _text(result: dict[str, Any]) -> str:
    families = result["families"]
    if not families:
        return "Nothing of the catalogue fits these words."
    if "source" in families[0]:
        sources = [(f["name"], f["model"], f["source"]) for f in families]
        return table(("name", "model", "source for import"), sources, left={0, 1, 2})
    rows = [_row(family) for family in families]
    return table(_HEADING, rows, left={0, 1, 2, 3, 6})


def _row(family: dict[str, Any]) -> tuple[str, ...]:
    known = bool(family["features"])
    return (
        family["name"], family["model"], family["hook"], layers_text(family["layers"]),
        f"{family['features']:,}" if known else "?",
        format_bytes(family["bytes"]) if known else "?",
        family["licence"] or "see its page",
        str(len(family["here"])) if family["here"] else "",
    )  # fmt: skip
