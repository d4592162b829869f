"""The command that steers: several features, modes, positions, strengths, controls."""

from __future__ import annotations

import math
from typing import Annotated

import msgspec
import typer

from sae_desktop.cli import steering_text
from sae_desktop.cli.options import (
    DeviceOption,
    IndexOption,
    JsonOption,
    ProjectArgument,
    SeedOption,
    default,
    finite,
)
from sae_desktop.cli.runner import run_job_command
from sae_desktop.steering.config import (
    PLAIN,
    Intervention,
    Mode,
    RandomDirection,
    Sampling,
    SteerConfig,
    SweepStrengthsConfig,
    Unit,
    Variant,
    Where,
)

_NO_NUMBERS: list[float] = []
_NO_PLACES: list[int] = []
_NO_TEXTS: list[str] = []


def steer(
    project: ProjectArgument,
    index: IndexOption,
    prompt: Annotated[str, typer.Option("--prompt", help="Text to continue.")],
    feature: Annotated[
        list[int], typer.Option("--feature", min=0, help="Feature to steer; may be repeated.")
    ],
    strength: Annotated[
        list[float],
        typer.Option(
            "--strength",
            "--clamp",
            callback=lambda values: [finite(v) for v in values],
            help="How strongly, one for each feature; without: 1.",
        ),
    ] = _NO_NUMBERS,
    mode: Annotated[
        Mode,
        typer.Option(help="Set the activation, add the direction, multiply, or take it away."),
    ] = default(Intervention, "mode"),
    unit: Annotated[
        Unit, typer.Option(help="Strengths in maxima of the feature, or in typical norms.")
    ] = default(Intervention, "unit"),
    where: Annotated[Where, typer.Option(help="On which tokens.")] = default(Intervention, "where"),
    start: Annotated[int, typer.Option(min=0, help="From this token of the prompt on.")] = default(
        Intervention, "start"
    ),
    token: Annotated[
        list[int], typer.Option(min=0, help="Only on this token of the prompt; may be repeated.")
    ] = _NO_PLACES,
    control: Annotated[
        bool,
        typer.Option("--control", help="Also steer as strongly in a random direction."),
    ] = False,
    sweep: Annotated[
        str,
        typer.Option(help="Strengths that multiply the given ones, such as -10,-5,0,5,10."),
    ] = "",
    watch: Annotated[
        list[str], typer.Option(help="With --sweep: follow this token's probability.")
    ] = _NO_TEXTS,
    max_new_tokens: Annotated[
        int, typer.Option("--max-new-tokens", min=1, help="Tokens to generate.")
    ] = default(Sampling, "max_new_tokens"),
    temperature: Annotated[
        float,
        typer.Option("--temperature", min=0, callback=finite, help="0: the likeliest token."),
    ] = default(Sampling, "temperature"),
    top_k: Annotated[int, typer.Option(min=0, help="Only the k likeliest; 0: all.")] = default(
        Sampling, "top_k"
    ),
    top_p: Annotated[
        float, typer.Option(help="Only the likeliest that together have this probability.")
    ] = default(Sampling, "top_p"),
    chat: Annotated[
        bool, typer.Option("--chat", help="Put the prompt through the model's chat template.")
    ] = default(SteerConfig, "chat"),
    seed: SeedOption = default(Sampling, "seed"),
    device: DeviceOption = default(SteerConfig, "device"),
    as_json: JsonOption = False,
) -> None:
    """Continue a prompt plain and with features turned up or down, side by side."""
    if strength and len(strength) != len(feature):
        raise typer.BadParameter("as many as there are --feature", param_hint="--strength")
    interventions = [
        Intervention(
            feature=f, mode=mode, strength=s, unit=unit, where=where, start=start, tokens=token
        )
        for f, s in zip(feature, strength or [1.0] * len(feature), strict=True)
    ]
    sampling = Sampling(
        max_new_tokens=max_new_tokens, temperature=temperature, top_k=top_k, top_p=top_p, seed=seed
    )
    steered = Variant(name="steered", interventions=interventions)
    if sweep:
        asked = SweepStrengthsConfig(
            project=str(project), index=index, prompt=prompt, variant=steered,
            strengths=_strengths(sweep), watched=watch, sampling=sampling, chat=chat,
            device=device,
        )  # fmt: skip
        run_job_command(asked, steering_text.sweep, as_json=as_json)
    if watch:
        raise typer.BadParameter("is followed over a sweep", param_hint="--watch")
    variants = [PLAIN, steered]
    if control:
        variants.append(Variant(name="random direction", interventions=controls(interventions)))
    config = SteerConfig(
        project=str(project), index=index, prompt=prompt, variants=variants, sampling=sampling,
        chat=chat, device=device,
    )  # fmt: skip
    run_job_command(config, steering_text.steer, as_json=as_json)


def controls(interventions: list[Intervention]) -> list[Intervention]:
    """Return the interventions with a random direction each in the place of the feature's."""
    return [
        msgspec.structs.replace(asked, direction=RandomDirection(seed=number))
        for number, asked in enumerate(interventions)
    ]


def _strengths(text: str) -> list[float]:
    try:
        found = [float(part) for part in text.split(",") if part.strip()]
        if not all(map(math.isfinite, found)):
            raise ValueError
    except ValueError:
        raise typer.BadParameter(
            f"“{text}” is no list of numbers such as -10,0,10", param_hint="--sweep"
        ) from None
    return found
