"""Commands that bring activations into a project."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from sae_desktop.activations.config import (
    HarvestConfig,
    ImportActivationsConfig,
    StoreDtype,
    made_harvest,
)
from sae_desktop.activations.store import ActivationStore
from sae_desktop.cli import render
from sae_desktop.cli.config_options import Settings, with_options
from sae_desktop.cli.harvest_options import HARVEST_CHOICES
from sae_desktop.cli.options import JsonOption, ProjectArgument
from sae_desktop.cli.runner import run_job_command
from sae_desktop.cli.usual_site import usual_sites
from sae_desktop.described import default
from sae_desktop.errors import UserError


@with_options(HarvestConfig, HARVEST_CHOICES)
def harvest(
    project: ProjectArgument,
    name: Annotated[str, typer.Option("--name", help="Name of the store to write.")],
    more: Annotated[
        int | None,
        typer.Option("--more", min=1, help="Add this many rows to the store."),
    ] = None,
    as_json: JsonOption = False,
    *,
    settings: Settings,
) -> None:
    """Run a corpus through a model and keep the activations of one site or several."""
    store = Path(project) / "activations" / name
    site, *further = settings["sites"] or usual_sites(settings, store)
    config = HarvestConfig(
        project=str(project),
        name=name,
        **settings | {"site": site, "sites": tuple(further)},
    )
    if more is not None:
        config = _extended(config, more)
    run_job_command(config, render.figures, as_json=as_json, create_project=True)


def _extended(config: HarvestConfig, more: int) -> HarvestConfig:
    """Return the harvest that made a store, for a given number of rows more than it has."""
    folder = Path(config.project) / "activations" / config.name
    if not (folder / "000.h5").is_file():
        raise typer.BadParameter(f"there is no store “{config.name}” yet", param_hint="--more")
    try:
        store = ActivationStore.open(folder)
        made = made_harvest(store.info.config)
    except (UserError, msgspec.DecodeError) as error:
        raise typer.BadParameter(str(error), param_hint="--more") from error
    return msgspec.structs.replace(
        made,
        project=config.project,
        device=config.device,
        commit_seconds=config.commit_seconds,
        tokens=store.rows + more,
    )


def import_activations(
    project: ProjectArgument,
    file: Annotated[Path, typer.Argument(metavar="FILE", help=".npy, .safetensors or .h5.")],
    name: Annotated[str, typer.Option("--name", help="Name of the store to write.")],
    dataset: Annotated[
        str, typer.Option("--dataset", help="Which tensor of the file, if it holds several.")
    ] = default(ImportActivationsConfig, "dataset"),
    site: Annotated[str, typer.Option("--site", help="Site the rows come from.")] = default(
        ImportActivationsConfig, "site"
    ),
    dtype: Annotated[
        StoreDtype, typer.Option("--dtype", help="Number format of the stored rows.")
    ] = default(ImportActivationsConfig, "dtype"),
    as_json: JsonOption = False,
) -> None:
    """Copy a matrix of activations (rows × width) from a file into a store."""
    config = ImportActivationsConfig(
        project=str(project), name=name, file=str(file), dataset=dataset, site=site, dtype=dtype
    )
    run_job_command(config, render.figures, as_json=as_json, create_project=True)
