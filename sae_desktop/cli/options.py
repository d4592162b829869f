"""Arguments and options that several commands share."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from sae_desktop.errors import UserError
from sae_desktop.exchange.recognise import require_kind
from sae_desktop.limits import limits


def bounds(config: type[msgspec.Struct], field: str) -> dict[str, Any]:
    """Return the arguments of typer.Option that keep an option within its config field's bounds."""
    found = limits(config, field)
    if found is None:
        return {}

    def within(value: float | None) -> float | None:
        if value is not None and not found.allow(value):
            raise typer.BadParameter(f"{value:g} is not {found.words}")
        return value

    return {"min": found.least, "max": found.most, "callback": within}


def finite(value: float | None) -> float | None:
    """Refuse NaN and infinity, which Python reads as numbers."""
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter("not a finite number")
    return value


def _no_other_kind(path: Path) -> Path:
    try:
        require_kind(path, "project")
    except UserError as error:
        raise typer.BadParameter(f"{error.what} {error.next_step}") from None
    return path


ProjectArgument = Annotated[
    Path, typer.Argument(metavar="PROJECT", help="Project folder.", callback=_no_other_kind)
]
JsonOption = Annotated[
    bool,
    typer.Option(
        "--json", help="Progress as JSON lines on stderr, the result as the last line of stdout."
    ),
]
DeviceOption = Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:1, mps.")]
SeedOption = Annotated[int, typer.Option("--seed", min=0, help="Seed of the random numbers.")]
IndexOption = Annotated[str, typer.Option("--index", help="Name of the index.")]
PictureOption = Annotated[
    list[Path],
    typer.Option("--picture", help="A picture that stands before the text; may be repeated."),
]
DictionaryOption = Annotated[str, typer.Option("--dictionary", help="Name of the dictionary.")]
StoreOption = Annotated[
    str, typer.Option("--activations", help="Store to read; default: the one it was trained on.")
]
