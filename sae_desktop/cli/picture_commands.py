"""The command that looks through pictures as a model would read them."""

from __future__ import annotations

from typing import Annotated

import typer

from sae_desktop.cli import render
from sae_desktop.cli.options import JsonOption, bounds
from sae_desktop.cli.runner import run_job_command
from sae_desktop.described import default
from sae_desktop.language_model.picture_config import (
    PicturePreview,
    PicturesDescription,
    PreviewPicturesConfig,
)
from sae_desktop.words.picture_text import cells_text, found_text, picture_text


def pictures(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="A picture, a folder, an archive (.zip, .tar), a table with an image column, or "
            "the name of a dataset on the hub.",
        ),
    ],
    model: Annotated[
        str, typer.Option("--model", help="Model whose tokens are placed; default: none.")
    ] = default(PreviewPicturesConfig, "model"),
    preview: Annotated[
        int,
        typer.Option(
            "--preview", **bounds(PreviewPicturesConfig, "preview"), help="Pictures to read."
        ),
    ] = default(PreviewPicturesConfig, "preview"),
    subset: Annotated[str, typer.Option(help="Configuration of a dataset on the hub.")] = default(
        PreviewPicturesConfig, "subset"
    ),
    split: Annotated[str, typer.Option(help="Part of a dataset on the hub.")] = default(
        PreviewPicturesConfig, "split"
    ),
    as_json: JsonOption = False,
) -> None:
    """Show which pictures there are, what cannot be read, and the tokens a model makes of them."""
    config = PreviewPicturesConfig(
        pictures=source, model=model, preview=preview, subset=subset, split=split
    )
    run_job_command(config, pictures_text, as_json=as_json, failed=lambda found: not found.previews)


def pictures_text(found: PicturesDescription) -> str:
    """Return what was found for a terminal."""
    lines = [found_text(found)]
    if found.previews:
        lines += ["", render.table(("picture", "size", "what it is", "words"), _rows(found),
                                   left={0, 2, 3})]  # fmt: skip
    for one in found.previews:
        if one.layout is not None:
            lines += ["", f"{one.name}:", *(f"  {line}" for line in cells_text(one.layout))]
    if found.refused:
        lines += ["", "Not read:", *(f"  {one.name}: {one.why}" for one in found.refused)]
        left = found.refusals - len(found.refused)
        lines += [f"  and {left:,} more"] if left else []
    return "\n".join(lines)


def _rows(found: PicturesDescription) -> list[tuple[str, ...]]:
    return [_row(one) for one in found.previews]


def _row(one: PicturePreview) -> tuple[str, ...]:
    words = one.text if len(one.text) <= 60 else f"{one.text[:59]}…"
    return one.name, f"{one.width:,} × {one.height:,}", picture_text(one), words
