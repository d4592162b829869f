"""Commands that read a dictionary's features and steer with them."""

from __future__ import annotations

from typing import Annotated

import typer

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
