"""Commands that run a job: each makes the job's config of its options and runs it."""

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
    DictionaryOption,
    IndexOption,
    JsonOption,
    ProjectArgument,
    SeedOption,
    StoreOption,
    default,
    finite,
)
from sae_desktop.cli.runner import run_job_command
from sae_desktop.features.config import IndexConfig, ProbeConfig
from sae_desktop.steering.config import Clamp, SteerConfig
from sae_desktop.training.config import EvaluateConfig, TrainConfig


def harvest(
    project: ProjectArgument,
    name: Annotated[str, typer.Option("--name", help="Name of the store to write.")],
    model: Annotated[
        str, typer.Option("--model", help="builtin, smollm2, a folder, a .gguf file, a hub name.")
    ] = default(HarvestConfig, "model"),
    site: Annotated[
        str, typer.Option("--site", help="Where to read, such as blocks.3.hook_resid_post.")
    ] = default(HarvestConfig, "site"),
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
    """Run a corpus through a model and keep one site's activations."""
    config = HarvestConfig(
        project=str(project),
        name=name,
        model=model,
        site=site,
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


def train(
    project: ProjectArgument,
    activations: Annotated[str, typer.Option("--activations", help="Store to train on.")],
    name: Annotated[str, typer.Option("--name", help="Name of the dictionary to write.")],
    architecture: Annotated[str, typer.Option("--architecture")] = default(
        TrainConfig, "architecture"
    ),
    features: Annotated[
        int, typer.Option("--features", min=1, help="Features of the dictionary.")
    ] = default(TrainConfig, "features"),
    k: Annotated[
        int | None,
        typer.Option("--k", min=1, help="Features active per row."),
    ] = None,
    sparsity: Annotated[
        float | None,
        typer.Option("--sparsity", min=0, callback=finite, help="λ; by architecture if not given."),
    ] = None,
    tokens: Annotated[
        int, typer.Option("--tokens", min=1, help="Rows to consume, passes included.")
    ] = default(TrainConfig, "tokens"),
    batch: Annotated[int, typer.Option("--batch", min=1, help="Rows in one step.")] = default(
        TrainConfig, "batch"
    ),
    lr: Annotated[
        float,
        typer.Option("--lr", min=0, callback=finite, help="Learning rate; 0: by size."),
    ] = default(TrainConfig, "lr"),
    dead_window: Annotated[
        int, typer.Option("--dead-window", min=1, help="Rows of silence that make a feature dead.")
    ] = default(TrainConfig, "dead_window"),
    exclude_massive: Annotated[
        bool, typer.Option(help="Leave out rows of more than ten times the median norm.")
    ] = default(TrainConfig, "exclude_massive"),
    checkpoint_seconds: Annotated[
        float,
        typer.Option("--checkpoint-seconds", min=0, callback=finite, help="Time between them."),
    ] = default(TrainConfig, "checkpoint_seconds"),
    metric_rows: Annotated[
        int, typer.Option("--metric-rows", min=1, help="Rows the curves are measured on.")
    ] = default(TrainConfig, "metric_rows"),
    seed: SeedOption = default(TrainConfig, "seed"),
    device: DeviceOption = default(TrainConfig, "device"),
    as_json: JsonOption = False,
) -> None:
    """Train a dictionary on a store of activations."""
    if k is not None and k > features:
        raise typer.BadParameter(f"is more than the {features} features", param_hint="--k")
    config = TrainConfig(
        project=str(project),
        name=name,
        activations=activations,
        architecture=architecture,
        features=features,
        k=default(TrainConfig, "k") if k is None else k,
        sparsity=sparsity,
        tokens=tokens,
        batch=batch,
        lr=lr,
        dead_window=dead_window,
        exclude_massive=exclude_massive,
        checkpoint_seconds=checkpoint_seconds,
        metric_rows=metric_rows,
        seed=seed,
        device=device,
    )
    run_job_command(config, render.figures, as_json=as_json)


def evaluate(
    project: ProjectArgument,
    dictionary: DictionaryOption,
    activations: StoreOption = default(EvaluateConfig, "activations"),
    rows: Annotated[int, typer.Option("--rows", min=1, help="Rows to measure on.")] = default(
        EvaluateConfig, "rows"
    ),
    loss_windows: Annotated[
        int, typer.Option("--loss-windows", min=0, help="Windows of text for the loss recovered.")
    ] = default(EvaluateConfig, "loss_windows"),
    control: Annotated[
        bool, typer.Option(help="Measure a random-direction dictionary beside it.")
    ] = default(EvaluateConfig, "control"),
    seed: SeedOption = default(EvaluateConfig, "seed"),
    device: DeviceOption = default(EvaluateConfig, "device"),
    as_json: JsonOption = False,
) -> None:
    """Measure a dictionary: L0, FVU, dead features, loss recovered."""
    config = EvaluateConfig(
        project=str(project),
        dictionary=dictionary,
        activations=activations,
        rows=rows,
        loss_windows=loss_windows,
        control=control,
        seed=seed,
        device=device,
    )
    run_job_command(config, render.figures, as_json=as_json)


def index(
    project: ProjectArgument,
    dictionary: DictionaryOption,
    name: Annotated[str, typer.Option("--name", help="Name of the index to write.")],
    activations: StoreOption = default(IndexConfig, "activations"),
    rows: Annotated[
        int, typer.Option("--rows", min=0, help="Rows to read; 0: the whole store.")
    ] = default(IndexConfig, "rows"),
    top_contexts: Annotated[
        int, typer.Option("--top-contexts", min=1, help="Strongest contexts of a feature.")
    ] = default(IndexConfig, "top_contexts"),
    buckets: Annotated[
        int, typer.Option("--buckets", min=1, help="Buckets between 0 and the maximum.")
    ] = default(IndexConfig, "buckets"),
    bucket_contexts: Annotated[
        int, typer.Option("--bucket-contexts", min=0, help="Contexts of a bucket.")
    ] = default(IndexConfig, "bucket_contexts"),
    context_tokens: Annotated[
        int, typer.Option("--context-tokens", min=1, help="Tokens of a context.")
    ] = default(IndexConfig, "context_tokens"),
    seed: SeedOption = default(IndexConfig, "seed"),
    device: DeviceOption = default(IndexConfig, "device"),
    as_json: JsonOption = False,
) -> None:
    """Find out, feature by feature, when a dictionary's features fire and what they do."""
    config = IndexConfig(
        project=str(project),
        dictionary=dictionary,
        name=name,
        activations=activations,
        rows=rows,
        top_contexts=top_contexts,
        buckets=buckets,
        bucket_contexts=bucket_contexts,
        context_tokens=context_tokens,
        seed=seed,
        device=device,
    )
    run_job_command(config, render.figures, as_json=as_json)


def probe(
    project: ProjectArgument,
    index: IndexOption,
    text: Annotated[str, typer.Option("--text", help="Text to read.")],
    per_token: Annotated[
        int, typer.Option("--per-token", min=0, help="Features kept for a token; 0: all active.")
    ] = default(ProbeConfig, "per_token"),
    device: DeviceOption = default(ProbeConfig, "device"),
    as_json: JsonOption = False,
) -> None:
    """Tell which features fire on a text."""
    config = ProbeConfig(
        project=str(project), index=index, text=text, per_token=per_token, device=device
    )
    run_job_command(config, render.probe, as_json=as_json)


def steer(
    project: ProjectArgument,
    index: IndexOption,
    prompt: Annotated[str, typer.Option("--prompt", help="Text to continue.")],
    feature: Annotated[
        list[int], typer.Option("--feature", min=0, help="Feature to clamp; may be repeated.")
    ],
    clamp: Annotated[
        list[float],
        typer.Option("--clamp", help="Multiple of the feature's maximum, one for each."),
    ],
    max_new_tokens: Annotated[
        int, typer.Option("--max-new-tokens", min=1, help="Tokens to generate.")
    ] = default(SteerConfig, "max_new_tokens"),
    temperature: Annotated[
        float,
        typer.Option("--temperature", min=0, callback=finite, help="0: the likeliest token."),
    ] = default(SteerConfig, "temperature"),
    chat: Annotated[
        bool, typer.Option("--chat", help="Put the prompt through the model's chat template.")
    ] = default(SteerConfig, "chat"),
    seed: SeedOption = default(SteerConfig, "seed"),
    device: DeviceOption = default(SteerConfig, "device"),
    as_json: JsonOption = False,
) -> None:
    """Continue a prompt twice: plain, and with features clamped."""
    if len(feature) != len(clamp):
        raise typer.BadParameter("as many as there are --feature", param_hint="--clamp")
    for value in clamp:
        finite(value)
    config = SteerConfig(
        project=str(project),
        index=index,
        prompt=prompt,
        clamps=[Clamp(feature=f, clamp=c) for f, c in zip(feature, clamp, strict=True)],
        max_new_tokens=max_new_tokens,
        temperature=temperature,
        chat=chat,
        seed=seed,
        device=device,
    )
    run_job_command(config, render.steer, as_json=as_json)
