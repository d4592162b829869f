"""Commands that bring in what others made and hand on what was made here: import, export."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sae_desktop.cli import render
from sae_desktop.cli.options import JsonOption, ProjectArgument, default
from sae_desktop.cli.runner import run_job_command
from sae_desktop.exchange.config import (
    DictionaryFormat,
    ExportDictionaryConfig,
    FindDictionariesConfig,
    FindDictionariesResult,
    ImportDictionaryConfig,
)


def import_(
    project: ProjectArgument,
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="A folder, a file of weights, a .zip, or a hub repository: owner/name[/folder].",
        ),
    ],
    name: Annotated[str, typer.Option("--name", help="Name in the project.")] = "",
    show: Annotated[
        bool, typer.Option("--show", help="Only say which dictionaries the source holds.")
    ] = False,
    which: Annotated[
        str, typer.Option("--which", help="Of several: the path of one, as --show gives it.")
    ] = default(ImportDictionaryConfig, "which"),
    model: Annotated[
        str, typer.Option("--model", help="The model, where the files do not say it.")
    ] = default(ImportDictionaryConfig, "model"),
    site: Annotated[
        str, typer.Option("--site", help="The site, such as blocks.8.hook_resid_post.")
    ] = default(ImportDictionaryConfig, "site"),
    site_out: Annotated[
        str, typer.Option("--site-out", help="Of a transcoder: the site it writes.")
    ] = default(ImportDictionaryConfig, "site_out"),
    scale: Annotated[
        float, typer.Option("--scale", help="What rows were multiplied by in its training.")
    ] = default(ImportDictionaryConfig, "scale"),
    as_json: JsonOption = False,
) -> None:
    """Bring a dictionary made elsewhere into a project; its format is told by its content."""
    if show:
        look = FindDictionariesConfig(source=source)
        run_job_command(look, dictionaries_text, as_json=as_json)
    config = ImportDictionaryConfig(
        project=str(project), name=name or _name_of(source, which), source=source, which=which,
        model=model, site=site, site_out=site_out, scale=scale,
    )  # fmt: skip
    run_job_command(config, render.figures, as_json=as_json, create_project=True)


def _name_of(source: str, which: str) -> str:
    """Return a name for what comes from a source: that of its folder or file."""
    path = Path(which if which not in ("", ".") else source)
    stem = path.stem if path.suffix in (".safetensors", ".npz", ".pt", ".zip") else path.name
    return "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else "-" for c in stem)


def dictionaries_text(result: FindDictionariesResult) -> str:
    """Return what was found, a paragraph each."""
    paragraphs = []
    for found in result.dictionaries:
        sites = f"{found.site or 'unknown site'}{f' → {found.site_out}' if found.site_out else ''}"
        lines = [
            found.path,
            f"  {found.format}, {found.architecture}, {found.features:,} features of width "
            f"{found.width:,}",
            f"  {found.model or 'unknown model'}, {sites}",
        ]
        paragraphs.append("\n".join([*lines, *(f"  {note}" for note in found.notes)]))
    return "\n".join(paragraphs)


def export(
    project: ProjectArgument,
    to: Annotated[Path, typer.Argument(metavar="TO", help="The folder to write.")],
    dictionary: Annotated[str, typer.Option("--dictionary", help="The dictionary to write.")],
    form: Annotated[
        DictionaryFormat, typer.Option("--format", help="The library that is to read it.")
    ] = default(ExportDictionaryConfig, "format"),
    as_json: JsonOption = False,
) -> None:
    """Write a dictionary as another library reads it."""
    config = ExportDictionaryConfig(
        project=str(project), dictionary=dictionary, path=str(to), format=form
    )
    run_job_command(config, render.figures, as_json=as_json)
