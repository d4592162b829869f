"""Commands that import what others made and export what was made here."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, get_args

import typer

from sae_desktop.cli import render
from sae_desktop.cli.options import JsonOption, ProjectArgument
from sae_desktop.cli.runner import run_job_command
from sae_desktop.described import default
from sae_desktop.exchange.config import (
    DictionaryFormat,
    ExportDictionaryConfig,
    ExportFeaturesConfig,
    ExportPackageConfig,
    FeaturesFormat,
    FindDictionariesConfig,
    FindDictionariesResult,
    ImportDictionaryConfig,
    ImportFeaturesConfig,
    ImportLabelsConfig,
    ImportPackageConfig,
)
from sae_desktop.exchange.recognise import what_is
from sae_desktop.file_kinds import FILE_KINDS

Kind = Literal["auto", "dictionary", "features", "labels", "package"]
Format = Literal[
    "saelens", "sparsify", "dictionary_learning",
    "neuronpedia", "saedashboard", "delphi", "html", "labels", "package",
]  # fmt: skip
_NONE: list[int] = []
_IMPORTED: tuple[Kind, ...] = ("package", "labels", "features")
_DICTIONARY_FORMATS = get_args(DictionaryFormat)


def import_(
    project: ProjectArgument,
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="A folder, a file, a .zip, a hub repository (owner/name[/folder]), or with "
            "SAELens installed saelens:release/id.",
        ),
    ],
    kind: Annotated[
        Kind, typer.Option("--as", help="What it is; auto recognises it from its content.")
    ] = "auto",
    name: Annotated[str, typer.Option("--name", help="Name in the project.")] = "",
    show: Annotated[
        bool, typer.Option("--show", help="Only list the dictionaries in the source.")
    ] = False,
    which: Annotated[
        str,
        typer.Option(
            "--which",
            help="Which dictionary, if there are several: its path as listed by --show.",
        ),
    ] = default(ImportDictionaryConfig, "which"),
    model: Annotated[
        str, typer.Option("--model", help="The model, if the files do not name it.")
    ] = default(ImportDictionaryConfig, "model"),
    site: Annotated[
        str, typer.Option("--site", help="The site, such as blocks.8.hook_resid_post.")
    ] = default(ImportDictionaryConfig, "site"),
    site_out: Annotated[
        str, typer.Option("--site-out", help="For a transcoder: the site it writes.")
    ] = default(ImportDictionaryConfig, "site_out"),
    scale: Annotated[
        float,
        typer.Option(
            "--scale", help="What rows were multiplied by during training; 1: not at all."
        ),
    ] = default(ImportDictionaryConfig, "scale"),
    sha256: Annotated[
        str, typer.Option("--sha256", help="SHA-256 that the weights file must have.")
    ] = default(ImportDictionaryConfig, "sha256"),
    with_model: Annotated[
        bool,
        typer.Option(
            "--with-model",
            help="Also download the dictionary’s model (--model) where it is not on this machine.",
        ),
    ] = default(ImportDictionaryConfig, "with_model"),
    dictionary: Annotated[
        str, typer.Option("--dictionary", help="For features: the dictionary they belong to.")
    ] = default(ImportFeaturesConfig, "dictionary"),
    index: Annotated[
        str, typer.Option("--index", help="For labels: the index whose features they label.")
    ] = "",
    make_list: Annotated[
        str,
        typer.Option(
            "--list", help="For labels: also make a list of this name from their features."
        ),
    ] = default(ImportLabelsConfig, "make_list"),
    as_json: JsonOption = False,
) -> None:
    """Import a dictionary, feature data or labels made elsewhere, recognised from their content."""
    if show:
        look = FindDictionariesConfig(source=source)
        run_job_command(look, dictionaries_text, as_json=as_json)
    kind = _kind_of(Path(source).expanduser()) if kind == "auto" else kind
    own_name, name = name, name or _name_of(source, which)
    if kind == "package":
        package = ImportPackageConfig(project=str(project), file=source, name=own_name)
        run_job_command(package, render.figures, as_json=as_json, create_project=True)
    elif kind == "labels":
        if not index:
            raise typer.BadParameter("name the index with --index", param_hint="--index")
        taken = ImportLabelsConfig(
            project=str(project), index=index, file=source, make_list=make_list
        )
        run_job_command(taken, render.figures, as_json=as_json)
    elif kind == "features":
        features = ImportFeaturesConfig(
            project=str(project), name=name, source=source, dictionary=dictionary, model=model,
            site=site,
        )  # fmt: skip
        run_job_command(features, render.figures, as_json=as_json, create_project=True)
    config = ImportDictionaryConfig(
        project=str(project), name=name, source=source, which=which, model=model, site=site,
        site_out=site_out, scale=scale, sha256=sha256, with_model=with_model,
    )  # fmt: skip
    run_job_command(config, render.figures, as_json=as_json, create_project=True)


def _kind_of(path: Path) -> Kind:
    """Return what a source is imported as; what none of it is, the job refuses in words."""
    found = what_is(path).kinds
    return next((kind for kind in _IMPORTED if kind in found), "dictionary")


def _name_of(source: str, which: str) -> str:
    """Return a name for what comes from a source: that of its folder or file."""
    path = Path(which if which not in ("", ".") else source)
    stem = path.stem if path.suffix in FILE_KINDS["dictionary"].endings else path.name
    return "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else "-" for c in stem)


def dictionaries_text(result: FindDictionariesResult) -> str:
    """Return what was found, one paragraph each."""
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
    to: Annotated[
        Path,
        typer.Argument(
            metavar="TO",
            help="The folder to write; a .html file for html, a .csv, .tsv, .json, .jsonl or "
            ".parquet file for labels, a .saepack file for package.",
        ),
    ],
    form: Annotated[
        Format,
        typer.Option(
            "--format",
            help="A library that reads dictionaries (saelens, sparsify, dictionary_learning), a "
            "program that reads features, an HTML page (html), labels, or all of a "
            "dictionary in one file (package).",
        ),
    ],
    dictionary: Annotated[str, typer.Option("--dictionary", help="Dictionary to export.")] = "",
    index: Annotated[str, typer.Option("--index", help="Index whose features to export.")] = "",
    feature: Annotated[
        list[int], typer.Option("--feature", min=0, help="A feature to export; may be repeated.")
    ] = _NONE,
    member_of: Annotated[
        str, typer.Option("--list", help="Export the features of this list.")
    ] = default(ExportFeaturesConfig, "member_of"),
    most: Annotated[
        int,
        typer.Option(
            "--most", min=0, help="Number of features, those that fire most often first; 0: all."
        ),
    ] = default(ExportFeaturesConfig, "most"),
    every_label: Annotated[
        bool,
        typer.Option(
            "--every-label",
            help="For labels: all labels of each feature, rejected ones too, not only the shown.",
        ),
    ] = default(ExportFeaturesConfig, "every_label"),
    automatic_names: Annotated[
        bool,
        typer.Option(
            "--automatic-names",
            help="For labels: also the automatic names where there is no label, marked as such.",
        ),
    ] = default(ExportFeaturesConfig, "automatic_names"),
    licence: Annotated[
        str, typer.Option("--licence", help="For a package: its licence, such as mit or cc-by-4.0.")
    ] = default(ExportPackageConfig, "licence"),
    about: Annotated[
        str, typer.Option("--about", help="For a package: one sentence about it.")
    ] = default(ExportPackageConfig, "about"),
    as_json: JsonOption = False,
) -> None:
    """Export a dictionary or features for other programs, as an HTML page, or as a package."""
    if form == "package":
        if not dictionary:
            raise typer.BadParameter("name the dictionary", param_hint="--dictionary")
        package = ExportPackageConfig(
            project=str(project), dictionary=dictionary, index=index, path=str(to),
            licence=licence, about=about,
        )  # fmt: skip
        run_job_command(package, render.figures, as_json=as_json)
    if form in _DICTIONARY_FORMATS and not (form == "html" and index):
        if not dictionary:
            raise typer.BadParameter("name the dictionary", param_hint="--dictionary")
        config = ExportDictionaryConfig(
            project=str(project), dictionary=dictionary, path=str(to), format=_library(form)
        )
        run_job_command(config, render.figures, as_json=as_json)
    if not index:
        raise typer.BadParameter("name the index", param_hint="--index")
    features = ExportFeaturesConfig(
        project=str(project), index=index, path=str(to), format=_program(form), features=feature,
        member_of=member_of, most=most, every_label=every_label, automatic_names=automatic_names,
    )  # fmt: skip
    run_job_command(features, render.figures, as_json=as_json)


def _library(form: str) -> DictionaryFormat:
    return next(known for known in get_args(DictionaryFormat) if known == form)


def _program(form: str) -> FeaturesFormat:
    return next(known for known in get_args(FeaturesFormat) if known == form)
