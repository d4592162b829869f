"""The command for the catalogue of public dictionaries."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from sae_desktop.cli.options import JsonOption
from sae_desktop.cli.render import table
from sae_desktop.cli.runner import run_reading_command
from sae_desktop.exchange.gallery import Family, catalogue, layers_text, matching
from sae_desktop.exchange.here import (
    DictionaryHere,
    cached_repositories,
    dictionaries_in_projects,
)
from sae_desktop.gui.state.settings import load, settings_path
from sae_desktop.storage.faults import format_bytes

_HEADING = ("name", "model", "site", "layers", "features", "each", "licence", "here")


def gallery(
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[WORDS]...", help="Words in a name, model or site."),
    ] = None,
    layer: Annotated[
        int | None,
        typer.Option(
            "--layer", min=0, help="Show only this layer, with the source to import it from."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show well-known public dictionaries, and which are on this machine already."""
    found = matching(catalogue(), " ".join(words or []))
    if layer is not None:
        found = [family for family in found if layer in family.layers]

    def work() -> dict[str, Any]:
        here = [] if layer is not None else _here(" ".join(words or []).casefold().split())
        return {
            "families": [_told(family, layer) for family in found],
            "here": [msgspec.to_builtins(one) for one in here],
        }

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


def _here(words: list[str]) -> list[DictionaryHere]:
    """Return what is in the recently opened projects and in the hub's cache."""
    recent = load(settings_path()).recent_projects
    found = dictionaries_in_projects(map(Path, recent))
    found += cached_repositories(family.repository for family in catalogue())
    return [one for one in found if all(word in one.text.casefold() for word in words)]


def _text(result: dict[str, Any]) -> str:
    shown = [_families_text(result["families"])]
    if result["here"]:
        rows = [
            (one["name"], one["model"], one["site"], one["place"] or "the hub's cache")
            for one in result["here"]
        ]
        mine = table(("name", "model", "site", "where"), rows, left={0, 1, 2, 3})
        shown.append(f"On this machine:\n{mine}")
    return "\n\n".join(shown)


def _families_text(families: list[dict[str, Any]]) -> str:
    if not families:
        return "Nothing in the catalogue matches these words."
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
