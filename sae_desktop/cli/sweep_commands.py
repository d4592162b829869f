"""Commands that train many dictionaries, and show what can be learnt from them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import typer

from sae_desktop.cli import render
from sae_desktop.cli.config_options import Settings
from sae_desktop.cli.options import JsonOption, ProjectArgument, finite
from sae_desktop.cli.runner import run_job_command, run_reading_command
from sae_desktop.cli.sweep_text import scaling_text, sweep_text
from sae_desktop.cli.training_options import (
    architecture_settings,
    fitted,
    flag_of,
    train_config,
    with_training_options,
)
from sae_desktop.project import Project, existing
from sae_desktop.training.config import TrainConfig
from sae_desktop.training.planning.preflight_config import PreflightConfig, PreflightResult
from sae_desktop.training.settings_check import sweep_problems
from sae_desktop.training.sweeps.scaling_report import ScalingReport, scaling_report
from sae_desktop.training.sweeps.sweep_config import AXES, SweepConfig, read_sweep, sweep_points
from sae_desktop.words.amounts import elapsed_text

_GRID = "Grid: values separated by commas"


def _axis(name: str, words: str) -> Any:
    return typer.Option(name, help=words, rich_help_panel=_GRID)


@with_training_options(without=AXES)
def sweep(
    project: ProjectArgument,
    name: Annotated[
        str,
        typer.Option("--name", help="Name of the sweep; the names of its runs begin with it."),
    ],
    settings: Settings,
    architecture: Annotated[str, _axis("--architecture", "Such as topk,matryoshka.")] = "",
    features: Annotated[str, _axis("--features", "Such as 512,1024,2048.")] = "",
    k: Annotated[str, _axis("--k", "Features active per row (…topk, matryoshka).")] = "",
    sparsity: Annotated[str, _axis("--sparsity", "λ (standard…).")] = "",
    lr: Annotated[str, _axis("--lr", "Learning rates; 0: chosen by architecture and size.")] = "",
    tokens: Annotated[str, _axis("--tokens", "Rows to train on.")] = "",
    seed: Annotated[str, _axis("--seed", "Seeds of the weights and of the order of rows.")] = "",
    together: Annotated[
        int,
        typer.Option(
            "--together", min=0, help="Most runs in one pass; 0: as many as fit in memory."
        ),
    ] = 0,
    as_json: JsonOption = False,
) -> None:
    """Train every combination of settings; runs on the same rows share one pass."""
    architectures = _values(architecture, str, "--architecture")
    for chosen in architectures:
        architecture_settings(chosen)
    axes: dict[str, tuple[Any, ...]] = {
        "architecture": architectures,
        "features": _values(features, int, "--features"),
        "k": _values(k, int, "--k"),
        "sparsity": _values(sparsity, float, "--sparsity"),
        "lr": _values(lr, float, "--lr"),
        "tokens": _values(tokens, int, "--tokens"),
        "seed": _values(seed, int, "--seed"),
    }
    settings |= {axis: values[0] for axis, values in axes.items() if values}
    base = TrainConfig(project=str(project), name=name, **fitted(project, settings))
    config = SweepConfig(project=str(project), name=name, base=base, together=together, **axes)
    used = {a: architecture_settings(a) for a in architectures or (base.architecture,)}
    for field, why in sweep_problems(sweep_points(config, used), used).items():
        raise typer.BadParameter(why, param_hint=flag_of(field))
    run_job_command(config, sweep_text, as_json=as_json)


def scaling(
    project: ProjectArgument,
    sweep: Annotated[list[str], typer.Option("--sweep", help="Sweep to read; may be repeated.")],
    budget: Annotated[
        float | None,
        typer.Option("--budget", callback=finite, help="Features × steps to plan for."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Fit how the loss, the best size and the best learning rate change with compute."""

    def work() -> ScalingReport:
        opened = Project.open(project)
        names = [existing("sweep", name, opened.sweeps()) for name in sweep]
        rows = [row for name in names for row in read_sweep(opened.sweep_path(name)).rows]
        return scaling_report(rows, budget)

    run_reading_command(work, scaling_text, as_json=as_json)


@with_training_options()
def preflight(
    project: ProjectArgument,
    settings: Settings,
    name: Annotated[
        str, typer.Option("--name", help="Name that the dictionary would have.")
    ] = "preflight",
    measure: Annotated[bool, typer.Option(help="Take a few steps to measure the time.")] = True,
    as_json: JsonOption = False,
) -> None:
    """Check whether a training fits into memory and on disk, and how long it will take.

    Exit status 1 if it does not fit.
    """
    config = PreflightConfig(train=train_config(project, name, settings), measure=measure)
    run_job_command(config, _preflight_text, as_json=as_json, failed=lambda result: not result.fits)


def _preflight_text(result: PreflightResult) -> str:
    rows = [
        (room.place, need.what, render.number(need.bytes, "bytes"))
        for room in result.rooms
        for need in room.needs
    ]
    lines = [render.table(("where", "what", "needed"), rows, left={0, 1}), ""]
    for room in result.rooms:
        needed, free = (render.number(n, "bytes") for n in (room.needed_bytes, room.free_bytes))
        lines.append(f"{room.place}: {needed} of {free} free")
    if result.step_seconds is not None and result.seconds_per_million_tokens is not None:
        lines.append(
            f"{result.step_seconds:.4g} s per step ({result.device}, {result.precision}), "
            f"{elapsed_text(result.seconds_per_million_tokens)} per million rows, "
            f"{elapsed_text(result.seconds or 0.0)} in all"
        )
    if result.fits:
        lines.append(f"It fits; up to {result.largest_features:,} features would.")
    else:
        lines.append(result.problem)
        ways = "; or ".join(result.would_fit)
        lines.append(
            f"This would fit: {ways}."
            if ways
            else "No change of a single setting would make it fit."
        )
    return "\n".join(lines)


T = TypeVar("T")


def _values(text: str, read: Callable[[str], T], option: str) -> tuple[T, ...]:
    """Return the values of a comma-separated list, each once. Raises typer.BadParameter."""
    try:
        values = [read(part.strip()) for part in text.split(",") if part.strip()]
    except ValueError as error:
        raise typer.BadParameter(f"“{text}”: {error}", param_hint=option) from None
    return tuple(dict.fromkeys(values))
