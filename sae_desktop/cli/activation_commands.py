"""Commands that bring activations into a project."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sae_desktop.activations.config import (
    BosPolicy,
    HarvestConfig,
    ImportActivationsConfig,
    StoreDtype,
)
from sae_desktop.cli import render
from sae_desktop.cli.options import (
    DeviceOption,
    JsonOption,
    ProjectArgument,
    SeedOption,
    default,
)
from sae_desktop.cli.runner import run_job_command

_FIRST_SITE = str(default(HarvestConfig, "site"))


def harvest(
    project: ProjectArgument,
    name: Annotated[str, typer.Option("--name", help="Name of the store to write.")],
    model: Annotated[
        str, typer.Option("--model", help="builtin, smollm2, a folder, a .gguf file, a hub name.")
    ] = default(HarvestConfig, "model"),
    site: Annotated[
        list[str] | None,
        typer.Option("--site", help="Where to read; may be repeated.", show_default=_FIRST_SITE),
    ] = None,
    corpus: Annotated[
        str, typer.Option("--corpus", help="builtin, or a text file or folder.")
    ] = default(HarvestConfig, "corpus"),
    tokens: Annotated[int, typer.Option("--tokens", min=1, help="Rows to keep.")] = default(
        HarvestConfig, "tokens"
    ),
    context_size: Annotated[
        int, typer.Option("--context-size", min=2, help="Tokens in a window.")
    ] = default(HarvestConfig, "context_size"),
    batch: Annotated[
        int, typer.Option("--batch", min=1, help="Windows in one forward pass.")
    ] = default(HarvestConfig, "batch"),
    bos: Annotated[
        BosPolicy, typer.Option("--bos", help="Begin each window with the BOS token.")
    ] = default(HarvestConfig, "bos"),
    keep_first: Annotated[
        bool, typer.Option("--keep-first", help="Keep the row of each window's first token.")
    ] = default(HarvestConfig, "keep_first"),
    dtype: Annotated[StoreDtype, typer.Option("--dtype", help="As which to store.")] = default(
        HarvestConfig, "dtype"
    ),
    seed: SeedOption = default(HarvestConfig, "seed"),
    device: DeviceOption = default(HarvestConfig, "device"),
    as_json: JsonOption = False,
) -> None:
    """Run a corpus through a model and keep the activations of one site or several."""
    first, *further = site or [_FIRST_SITE]
    config = HarvestConfig(
        project=str(project),
        name=name,
        model=model,
        site=first,
        sites=tuple(further),
        corpus=corpus,
        tokens=tokens,
        context_size=context_size,
        batch=batch,
        bos=bos,
        keep_first=keep_first,
        dtype=dtype,
        seed=seed,
        device=device,
    )
    run_job_command(config, render.figures, as_json=as_json, create_project=True)


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
    dtype: Annotated[StoreDtype, typer.Option("--dtype", help="As which to store.")] = default(
        ImportActivationsConfig, "dtype"
    ),
    as_json: JsonOption = False,
) -> None:
    """Copy a matrix of activations (rows × width) from a file into a store."""
    config = ImportActivationsConfig(
        project=str(project), name=name, file=str(file), dataset=dataset, site=site, dtype=dtype
    )
    run_job_command(config, render.figures, as_json=as_json, create_project=True)
