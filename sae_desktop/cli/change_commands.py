"""Commands on checkpoints of one model: change run, list, show, report, calibrate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from sae_desktop.cli import change_text, render
from sae_desktop.cli.config_options import Choice, Settings, option, with_options
from sae_desktop.cli.options import DeviceOption, JsonOption, ProjectArgument, SeedOption
from sae_desktop.cli.runner import run_job_command, run_reading_command
from sae_desktop.described import default
from sae_desktop.errors import UserError
from sae_desktop.project import Project, existing
from sae_desktop.safety.change.change_file import Change, read_change
from sae_desktop.safety.change.checkpoint_files import incomplete
from sae_desktop.safety.change.checkpoint_order import checkpoints_in
from sae_desktop.safety.change.config import CalibrateWatchConfig, CompareCheckpointsConfig

_NONE: list[str] = []
_SETTINGS = (
    Choice("site"),
    Choice("dictionary"),
    Choice("traits", "--trait"),
    Choice("prompts", "--prompt"),
    Choice("corpus"),
    Choice("texts"),
    Choice("context_size"),
    Choice("crosscoder_features"),
    Choice("crosscoder_steps"),
    Choice("crosscoder_sparsity"),
    Choice("crosscoder_seeds"),
    Choice("steer"),
)

change_app = typer.Typer(no_args_is_help=True, help="Say what changed between checkpoints.")
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Name of the comparison.")]


@change_app.command("run")
@with_options(CompareCheckpointsConfig, _SETTINGS)
def run_change(
    project: ProjectArgument,
    name: NameArgument,
    settings: Settings,
    checkpoint: Annotated[
        list[str],
        typer.Option(
            "--checkpoint", help="Model that is compared, in the order of training; repeatable."
        ),
    ] = _NONE,
    folder: Annotated[
        Path | None,
        typer.Option("--folder", help="Compare all complete checkpoints in this folder."),
    ] = None,
    base: Annotated[
        str,
        typer.Option(
            "--base", help="Model that training started from; default: the first checkpoint."
        ),
    ] = "",
    device: DeviceOption = "auto",
    seed: SeedOption = default(CompareCheckpointsConfig, "seed"),
    as_json: JsonOption = False,
) -> None:
    """Put the same texts through several checkpoints of a model and say what changed."""
    found = [base] if base else []
    found += checkpoint
    if folder is not None:
        found += [str(path) for path in checkpoints_in(folder) if not incomplete(path)]
    for several in ("traits", "prompts"):
        settings[several] = tuple(settings[several] or ())
    config = CompareCheckpointsConfig(
        project=str(project), name=name, checkpoints=tuple(found), device=device, seed=seed,
        **settings,
    )  # fmt: skip
    run_job_command(config, change_text.result_text, as_json=as_json, create_project=True)


@change_app.command("list")
def list_changes(project: ProjectArgument, as_json: JsonOption = False) -> None:
    """List the comparisons of a project, and what is watched in it."""

    def work() -> dict[str, Any]:
        opened = Project.open(project)
        told = []
        for name in opened.changes():
            info = read_change(opened.change_path(name)).info
            told.append({"name": name, "checkpoints": len(info.checkpoints), "site": info.site})
        return {"comparisons": told, "watches": opened.watches()}

    run_reading_command(work, change_text.list_text, as_json=as_json)


@change_app.command("show")
def show_change(
    project: ProjectArgument,
    name: NameArgument,
    checkpoint: Annotated[
        int, typer.Option("--checkpoint", help="Number of a checkpoint, from 0; default: the last.")
    ] = -1,
    top: Annotated[int, typer.Option("--top", min=1, help="Lines of each list.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """Show what changed: features, tokens, traits, and the features of the crosscoder."""

    def work() -> dict[str, Any]:
        change = _opened(project, name)
        return change_text.told(change, _numbered(change, checkpoint), top)

    run_reading_command(work, change_text.change_text, as_json=as_json)


def _opened(project: Path, name: str) -> Change:
    opened = Project.open(project)
    return read_change(opened.change_path(existing("comparison", name, opened.changes())))


def _numbered(change: Change, checkpoint: int) -> int:
    count = len(change.info.checkpoints)
    if not -count <= checkpoint < count:
        raise UserError(
            f"There is no checkpoint {checkpoint}: the comparison has {count}.",
            next_step=f"Name one from 0 to {count - 1}.",
        )
    return checkpoint % count


@change_app.command("report")
def report_change(
    project: ProjectArgument,
    name: NameArgument,
    out: Annotated[Path, typer.Option("--out", help="Page to write, ending in .html.")],
    as_json: JsonOption = False,
) -> None:
    """Write a comparison as a page that needs nothing else, with plots over checkpoints."""

    def work() -> dict[str, Any]:
        from sae_desktop.exchange.change_page import write_change_page
        from sae_desktop.words.change_ways import named, summary

        change = _opened(project, name)
        write_change_page(out, named(change), summary(change))
        return {"page": str(out)}

    run_reading_command(work, lambda told: f"Written: {told['page']}", as_json=as_json)


@change_app.command("calibrate")
def calibrate(
    project: ProjectArgument,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the calibration.")],
    watch: Annotated[
        list[str],
        typer.Option("--watch", help="Watch of a harmless run, of this project; repeatable."),
    ],
    rate: Annotated[float, option(CalibrateWatchConfig, "rate", "--rate")] = default(
        CalibrateWatchConfig, "rate"
    ),
    as_json: JsonOption = False,
) -> None:
    """Set from watches of harmless runs when a watch raises an alert."""
    config = CalibrateWatchConfig(project=str(project), name=name, watches=tuple(watch), rate=rate)
    run_job_command(config, render.figures, as_json=as_json)
