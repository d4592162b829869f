"""Commands on monitors: monitor calibrate, run, show, rename, export."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sae_desktop.cli import EXIT_FAILED, monitor_text, render
from sae_desktop.cli.config_options import Choice, Settings, option, with_options
from sae_desktop.cli.console import say
from sae_desktop.cli.options import DeviceOption, JsonOption, ProjectArgument
from sae_desktop.cli.runner import run_job_command, run_reading_command, told
from sae_desktop.described import default
from sae_desktop.errors import UserError
from sae_desktop.features.reading.text_lists import read_texts
from sae_desktop.project import Project, checked_name
from sae_desktop.safety.monitors.config import (
    CalibrateMonitorConfig,
    ExportMonitorConfig,
    Made,
    RunMonitorsConfig,
)
from sae_desktop.safety.monitors.file import Monitor, read_monitor
from sae_desktop.safety.monitors.rename import rename_monitor
from sae_desktop.upkeep import writing

_NO_NUMBERS: list[int] = []
_NO_WEIGHTS: list[float] = []
_TEXT = ("corpus", "subset", "split", "text_column", "chat_column", "seed", "order")
_PROMISE = ("unit", "pool", "role", "rate", "confidence", "method", "documents", "context_size")

monitor_app = typer.Typer(
    no_args_is_help=True,
    help="Watch for a concept, with a promised rate of false alarms on ordinary text.",
)
NameArgument = Annotated[str, typer.Argument(metavar="MONITOR", help="Name of the monitor.")]


@monitor_app.command("calibrate")
@with_options(CalibrateMonitorConfig, [*(Choice(field) for field in _TEXT), *map(Choice, _PROMISE)])
def calibrate(
    project: ProjectArgument,
    name: Annotated[str, typer.Option("--name", help="Name of the monitor.")],
    settings: Settings,
    index: Annotated[
        str, typer.Option("--index", help="Index of the dictionary, whose model is read.")
    ] = "",
    model: Annotated[
        str, typer.Option("--model", help="Without --index: the model that is read, at --site.")
    ] = "",
    site: Annotated[
        str, typer.Option("--site", help="Where a direction is read; default: as the dictionary.")
    ] = "",
    made: Annotated[Made, option(CalibrateMonitorConfig, "made", "--of")] = default(
        CalibrateMonitorConfig, "made"
    ),
    feature: Annotated[
        list[int], typer.Option("--feature", min=0, help="Feature to watch; may be repeated.")
    ] = _NO_NUMBERS,
    weight: Annotated[
        list[float], typer.Option("--weight", help="Weight, one for each --feature; default: 1.")
    ] = _NO_WEIGHTS,
    like: Annotated[
        str,
        typer.Option("--like", help="Calibrate what this monitor of the project reads again."),
    ] = "",
    concept_set: Annotated[
        str,
        typer.Option("--set", help="Concept set to learn from, and whose held-out texts to try."),
    ] = "",
    on: Annotated[
        Path | None, typer.Option("--on", help="File of texts of the concept to learn from.")
    ] = None,
    off: Annotated[Path | None, typer.Option("--off", help="File of texts that lack it.")] = None,
    positives: Annotated[
        Path | None,
        typer.Option("--positives", help="File of texts that should fire; default: part of --on."),
    ] = None,
    negatives: Annotated[
        Path | None,
        typer.Option("--negatives", help="File of near misses; default: part of --off."),
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace a monitor of the same name.")
    ] = False,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Make a monitor, and find the threshold that keeps the promise on ordinary text.

    The cheap ways (difference of means, a probe on raw activations, a random direction) are
    calibrated on the same text, and tried on the same texts of the concept.
    """
    config = CalibrateMonitorConfig(
        project=str(project), name=name, index=index, model=model, site=site, made=made,
        features=feature, weights=weight, like=like, set=concept_set, on=texts_of(on),
        off=texts_of(off), positives=texts_of(positives), negatives=texts_of(negatives),
        replace=replace, device=device, **settings,
    )  # fmt: skip
    run_job_command(config, monitor_text.calibrated, as_json=as_json)


@monitor_app.command("run")
@with_options(RunMonitorsConfig, [Choice(field) for field in (*_TEXT, "documents", "hits")])
def run(
    project: ProjectArgument,
    settings: Settings,
    monitor: Annotated[
        list[str], typer.Option("--monitor", help="Monitor to run; may be repeated.")
    ],
    name: Annotated[
        str, typer.Option("--name", help="Name of the file of hits; default: the monitor’s.")
    ] = "",
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Run monitors over a corpus or a log of chats, and keep each hit in its context."""
    config = RunMonitorsConfig(
        project=str(project), monitors=monitor, name=name, device=device, **settings
    )
    run_job_command(config, monitor_text.ran, as_json=as_json)


@monitor_app.command("show")
def show(
    project: ProjectArgument,
    name: Annotated[
        str, typer.Argument(metavar="[MONITOR]", help="Name of the monitor; default: all.")
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Show what monitors read, what was promised of them, and on which text."""

    def work() -> list[Monitor]:
        opened = Project.open(project)
        return [read_monitor(opened, one) for one in ([name] if name else opened.monitors())]

    run_reading_command(work, monitor_text.monitors, as_json=as_json)


@monitor_app.command("rename")
def rename(
    project: ProjectArgument,
    name: NameArgument,
    new: Annotated[str, typer.Argument(metavar="NEW", help="The new name.")],
    as_json: JsonOption = False,
) -> None:
    """Give a monitor another name; its hits, presets and watches that name it go along."""

    def work() -> dict[str, str]:
        opened = Project.open(project)
        with writing(opened):
            rename_monitor(opened, name, new)
        return {"name": checked_name(new)}

    run_reading_command(work, render.figures, as_json=as_json)


@monitor_app.command("export")
def export(
    project: ProjectArgument,
    name: NameArgument,
    to: Annotated[Path, typer.Option("--to", help="Folder to write, which is new or empty.")],
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Write a folder that runs a monitor with only torch, transformers and safetensors."""
    config = ExportMonitorConfig(
        project=str(project), monitor=name, path=str(to.absolute()), device=device
    )
    run_job_command(config, monitor_text.exported, as_json=as_json)


def texts_of(path: Path | None) -> list[str]:
    """Return the texts of a file, or none. Leaves with typer.Exit where it cannot be read."""
    if path is None:
        return []
    try:
        return read_texts(path, told)
    except UserError as error:
        say(error)
        raise typer.Exit(EXIT_FAILED) from None
