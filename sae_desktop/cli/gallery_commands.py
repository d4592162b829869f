"""The command for the catalogue of public dictionaries."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from sae_desktop.cli.options import JsonOption
from sae_desktop.cli.render import table
from sae_desktop.cli.runner import run_reading_command
from sae_desktop.exchange.fits import fit_of, published_model
from sae_desktop.exchange.gallery import Family, catalogue, layers_text, matching
from sae_desktop.exchange.here import (
    DictionaryHere,
    cached_repositories,
    dictionaries_in_projects,
)
from sae_desktop.exchange.machine import Machine, this_machine
from sae_desktop.gui.state.settings import load, settings_path
from sae_desktop.storage.faults import format_bytes
from sae_desktop.words.gallery_text import access_short, access_text, fit_short, fit_text

_HEADING = (
    "name", "model", "site", "layers", "features", "each", "access", "this machine", "here",
)  # fmt: skip


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
    fits: Annotated[
        bool, typer.Option("--fits", help="Show only those that fit this machine with their model.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show well-known public dictionaries, which fit this machine, and which are on it already."""
    found = matching(catalogue(), " ".join(words or []))
    if layer is not None:
        found = [family for family in found if layer in family.layers]

    def work() -> dict[str, Any]:
        machine = this_machine()
        told = [_told(family, layer, machine) for family in found]
        here = [] if layer is not None else _here(" ".join(words or []).casefold().split())
        return {
            "families": [one for one in told if one["fits"] or not fits],
            "here": [msgspec.to_builtins(one) for one in here],
        }

    run_reading_command(work, _text, as_json=as_json)


def _told(family: Family, layer: int | None, machine: Machine) -> dict[str, Any]:
    layers = family.layers if layer is None else [layer]
    held, model = fit_of(family, layers[0], machine), published_model(family.model)
    access = model.access if model is not None else "unknown"
    told: dict[str, Any] = {
        "name": family.name, "model": family.model, "hook": family.hook, "layers": layers,
        "features": family.features, "bytes": family.bytes, "licence": family.licence,
        "format": family.format, "page": family.page,
        "here": [number for number in layers if family.is_here(number)],
        "fits": held is not None and held.fits, "fit": fit_short(held),
        "fit_text": fit_text(held), "access": access,
    }  # fmt: skip
    if layer is not None:
        told |= {
            "source": family.source(layer), "features_page": family.features_page(layer),
            "access_text": access_text(family.model, access),
        }  # fmt: skip
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
        return "\n\n".join(map(_layer_text, families))
    rows = [_row(family) for family in families]
    return table(_HEADING, rows, left={0, 1, 2, 3, 6, 7})


def _layer_text(family: dict[str, Any]) -> str:
    lines = [
        f"{family['name']}, {family['model']}", f"  Source for import: {family['source']}",
        f"  {family['fit_text']}", f"  {family['access_text']}",
    ]  # fmt: skip
    if family["features_page"]:
        lines.append(f"  Its features can be looked at: {family['features_page']}")
    return "\n".join(lines)


def _row(family: dict[str, Any]) -> tuple[str, ...]:
    known = bool(family["features"])
    return (
        family["name"], family["model"], family["hook"], layers_text(family["layers"]),
        f"{family['features']:,}" if known else "?",
        format_bytes(family["bytes"]) if known else "?",
        access_short(family["access"]), family["fit"],
        str(len(family["here"])) if family["here"] else "",
    )  # fmt: skip
