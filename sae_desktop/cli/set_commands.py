"""Commands on sets of dictionaries: train, estimate, list, show, index, import, export, delete."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from sae_desktop.activations.config import HarvestConfig
from sae_desktop.cli import render
from sae_desktop.cli.config_options import Settings, option, with_options
from sae_desktop.cli.harvest_options import READING_CHOICES
from sae_desktop.cli.options import DeviceOption, JsonOption, ProjectArgument
from sae_desktop.cli.runner import run_job_command, run_reading_command
from sae_desktop.cli.set_text import (
    estimate_text,
    indexed_text,
    sets_text,
    shown_text,
    trained_text,
)
from sae_desktop.cli.training_options import (
    architecture_settings,
    fitted,
    flag_of,
    with_training_options,
)
from sae_desktop.cli.trash_commands import YesOption, deleted
from sae_desktop.described import default
from sae_desktop.dictionary.set_info import SetKind, read_set_info
from sae_desktop.errors import UserError
from sae_desktop.exchange.set_config import ExportSetConfig, ImportSetConfig, SetFormat
from sae_desktop.features.set_index_config import IndexSetConfig
from sae_desktop.project import Project, existing
from sae_desktop.set_rename import rename_set
from sae_desktop.storage.faults import folder_bytes
from sae_desktop.training.config import TrainConfig
from sae_desktop.training.set_config import SET_RESULT, EstimateSetConfig, TrainSetConfig
from sae_desktop.training.settings_check import setting_problems
from sae_desktop.upkeep import writing

sets_app = typer.Typer(
    no_args_is_help=True,
    help="Sets of dictionaries, one for each layer of a model: what circuits are traced with.",
)
_SetName = Annotated[str, typer.Argument(metavar="NAME", help="Name of the set.")]
_NOT_OF_SETS = (
    "target", "sites", "output_sites", "other_activations", "architecture", "start_from",
)  # fmt: skip
"""Settings of a training that follow from the set, and one with another default."""
ARCHITECTURE = "batchtopk"
"""Its features depend on their own weights alone once they are trained, as circuits need them."""
_Architecture = Annotated[
    str,
    typer.Option("--architecture", help="How the active features are chosen; across layers: λ."),
]
_Layers = Annotated[
    str, typer.Option("--layers", help="Such as 0,1,2 or 0-5. Default: all of the model.")
]
_Kind = Annotated[SetKind, option(TrainSetConfig, "kind", "--kind")]
_Skip = Annotated[bool, option(TrainSetConfig, "skip", "--skip/--no-skip")]


@sets_app.command("train")
@with_training_options(without=_NOT_OF_SETS)
def train(
    project: ProjectArgument,
    name: Annotated[str, typer.Option("--name", help="Name of the set to write.")],
    settings: Settings,
    kind: _Kind = "transcoders",
    skip: _Skip = True,
    layers: _Layers = "",
    architecture: _Architecture = ARCHITECTURE,
    as_json: JsonOption = False,
) -> None:
    """Train dictionaries for all layers in one pass over a stream of text, or a store."""
    config = _train_config(project, name, settings, kind, skip, layers, architecture)
    run_job_command(config, partial(trained_text, project=project), as_json=as_json)


@sets_app.command("estimate")
@with_training_options(without=_NOT_OF_SETS)
def estimate(
    project: ProjectArgument,
    settings: Settings,
    name: Annotated[str, typer.Option("--name", help="Name that the set would have.")] = "set",
    kind: _Kind = "transcoders",
    skip: _Skip = True,
    layers: _Layers = "",
    architecture: _Architecture = ARCHITECTURE,
    measure: Annotated[bool, typer.Option(help="Take a few steps to measure the time.")] = True,
    as_json: JsonOption = False,
) -> None:
    """Say what the training of a set takes: memory, disk and time.

    Exit status 1 if it does not fit.
    """
    asked = _train_config(project, name, settings, kind, skip, layers, architecture)
    config = EstimateSetConfig(train=asked, measure=measure)
    run_job_command(config, estimate_text, as_json=as_json, failed=lambda r: not r.needs.fits)


def _train_config(
    project: Path,
    name: str,
    settings: Settings,
    kind: SetKind,
    skip: bool,
    layers: str,
    architecture: str,
) -> TrainSetConfig:
    """Return the config of a set's training. Raises typer.BadParameter for one that cannot be."""
    train = TrainConfig(
        project=str(project), name=name, architecture=architecture, **fitted(project, settings)
    )
    for field, why in setting_problems(train, architecture_settings(architecture)).items():
        raise typer.BadParameter(f"{getattr(train, field)}: {why}", param_hint=flag_of(field))
    return TrainSetConfig(
        project=str(project), name=name, train=train, kind=kind, skip=skip,
        layers=layers_of(layers),
    )  # fmt: skip


def layers_of(text: str) -> tuple[int, ...]:
    """Return layers written as “0,2,4-6”. Raises typer.BadParameter."""
    found: list[int] = []
    try:
        for part in filter(None, (part.strip() for part in text.split(","))):
            first, dash, last = part.partition("-")
            found += range(int(first), int(last) + 1) if dash else [int(first)]
    except ValueError:
        why = f"“{text}” is not a list of layers"
        raise typer.BadParameter(why, param_hint="--layers") from None
    return tuple(dict.fromkeys(found))


@sets_app.command("list")
def list_sets(project: ProjectArgument, as_json: JsonOption = False) -> None:
    """List the sets of a project, and those that are not completely trained."""

    def work() -> dict[str, Any]:
        opened = Project.open(project)
        names = sorted({*opened.sets(), *opened.set_runs()})
        return {"sets": [_summary(opened, name) for name in names]}

    run_reading_command(work, sets_text, as_json=as_json)


@sets_app.command("show")
def show(project: ProjectArgument, name: _SetName, as_json: JsonOption = False) -> None:
    """Show the layers of a set, and how well each came out."""

    def work() -> dict[str, Any]:
        opened = Project.open(project)
        there = existing("set", name, opened.sets())
        folder = opened.set_path(there)
        info = read_set_info(folder)
        result = None
        if (folder / SET_RESULT).is_file():
            result = msgspec.json.decode((folder / SET_RESULT).read_bytes())
        indexed = set(opened.indexes())
        return {
            **msgspec.to_builtins(info),
            "bytes": folder_bytes(folder),
            "training": result,
            "indexes": [one for one in info.dictionaries if one in indexed],
        }

    run_reading_command(work, shown_text, as_json=as_json)


def _summary(project: Project, name: str) -> dict[str, Any]:
    folder = project.set_path(name)
    size = folder_bytes(folder)
    if name not in project.sets():
        return {"name": name, "error": "not completely trained yet", "bytes": size}
    try:
        info = read_set_info(folder)
    except UserError as error:
        return {"name": name, "error": error.what, "bytes": size}
    return {
        "name": name,
        "kind": info.kind,
        "layers": list(info.layers),
        "features": info.features,
        "model": info.model,
        "skip": info.skip,
        "origin": msgspec.to_builtins(info.origin),
        "bytes": size,
    }


@sets_app.command("index")
@with_options(HarvestConfig, [choice for choice in READING_CHOICES if choice.field != "seed"])
def index(
    project: ProjectArgument,
    name: _SetName,
    settings: Settings,
    layers: Annotated[str, typer.Option("--layers", help="Such as 0-5. Default: all.")] = "",
    activations: Annotated[str, option(IndexSetConfig, "activations")] = "",
    corpus: Annotated[
        str,
        typer.Option("--corpus", help="Text to read. Default: that on which it was trained."),
    ] = "",
    rows: Annotated[int, option(IndexSetConfig, "rows")] = default(IndexSetConfig, "rows"),
    lean: Annotated[bool, option(IndexSetConfig, "lean", "--lean/--whole")] = True,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Index and name the features of all layers, over one pass of the model."""
    harvest = None
    if corpus:
        harvest = HarvestConfig(project="", name="", corpus=corpus, **settings)
    config = IndexSetConfig(
        project=str(project), set=name, layers=layers_of(layers), activations=activations,
        harvest=harvest, rows=rows, lean=lean, device=device,
    )  # fmt: skip
    said = partial(indexed_text, project=project, name=name)
    run_job_command(config, said, as_json=as_json)


@sets_app.command("delete")
def delete(
    project: ProjectArgument, name: _SetName, yes: YesOption = False, as_json: JsonOption = False
) -> None:
    """Move a set with the indexes of its layers to the trash."""

    def work() -> dict[str, Any]:
        return deleted(Project.open(project), "set", name, yes=yes)

    run_reading_command(work, render.figures, as_json=as_json)


@sets_app.command("import")
def import_(
    project: ProjectArgument,
    source: Annotated[
        str,
        typer.Argument(metavar="SOURCE", help="A folder, a .zip, or a hub repository."),
    ],
    name: Annotated[str, typer.Option("--name", help="Name of the set in the project.")],
    which: Annotated[
        str, typer.Option("--which", help="Which set, where the source holds several.")
    ] = default(ImportSetConfig, "which"),
    model: Annotated[
        str, typer.Option("--model", help="The model, if the files do not name it.")
    ] = default(ImportSetConfig, "model"),
    layers: Annotated[str, typer.Option("--layers", help="Such as 0-5. Default: all.")] = "",
    with_model: Annotated[
        bool,
        typer.Option("--with-model", help="Also download its model where that is not here."),
    ] = default(ImportSetConfig, "with_model"),
    as_json: JsonOption = False,
) -> None:
    """Bring a set made elsewhere: circuit-tracer’s, Gemma Scope’s, SAELens’s, or other."""
    config = ImportSetConfig(
        project=str(project), name=name, source=source, which=which, model=model,
        layers=layers_of(layers), with_model=with_model,
    )  # fmt: skip
    run_job_command(config, render.figures, as_json=as_json)


@sets_app.command("export")
def export(
    project: ProjectArgument,
    name: _SetName,
    to: Annotated[
        Path,
        typer.Argument(
            metavar="TO", help="The new folder to write; for a package a .saepack file."
        ),
    ],
    form: Annotated[
        SetFormat,
        typer.Option(
            "--format",
            help="circuit_tracer; saelens: a folder for each layer; package: one file with "
            "indexes and labels.",
        ),
    ] = default(ExportSetConfig, "format"),
    as_json: JsonOption = False,
) -> None:
    """Write a set as circuit-tracer or SAELens reads it, or as one file for this program."""
    config = ExportSetConfig(project=str(project), set=name, path=str(to), format=form)
    run_job_command(config, render.figures, as_json=as_json)


@sets_app.command("rename")
def rename(
    project: ProjectArgument,
    name: _SetName,
    new: Annotated[str, typer.Argument(metavar="NEW", help="The new name.")],
    as_json: JsonOption = False,
) -> None:
    """Give a set another name; indexes and labels of its layers go along."""

    def work() -> dict[str, Any]:
        opened = Project.open(project)
        with writing(opened):
            rename_set(opened, name, new)
        return {"name": new, "dictionaries": opened.set_members(new)}

    run_reading_command(work, render.figures, as_json=as_json)
