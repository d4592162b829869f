"""The command that watches a folder of checkpoints while a model is trained."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sae_desktop.cli import EXIT_ALERT, change_text
from sae_desktop.cli.config_options import Choice, Settings, option, with_options
from sae_desktop.cli.options import DeviceOption, JsonOption, SeedOption
from sae_desktop.cli.runner import run_job_command
from sae_desktop.described import default
from sae_desktop.safety.change.config import CompareCheckpointsConfig, WatchConfig

STATUS = (
    f"Exit status: 0 no alert, {EXIT_ALERT} an alert was raised, 1 failed, 2 bad usage, "
    "130 interrupted."
)
_SETTINGS = (
    Choice("site"),
    Choice("dictionary"),
    Choice("traits", "--trait"),
    Choice("corpus"),
    Choice("texts"),
    Choice("context_size"),
)


@with_options(CompareCheckpointsConfig, _SETTINGS)
def watch(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Folder into which checkpoints are saved.")
    ],
    project: Annotated[
        Path, typer.Option("--project", help="Project that keeps what is found; made if missing.")
    ],
    name: Annotated[str, typer.Option("--name", help="Name of the watch.")],
    settings: Settings,
    monitor: Annotated[list[str] | None, option(WatchConfig, "monitors", "--monitor")] = None,
    base: Annotated[str, option(WatchConfig, "base", "--base")] = default(WatchConfig, "base"),
    calibration: Annotated[str, option(WatchConfig, "calibration", "--calibration")] = default(
        WatchConfig, "calibration"
    ),
    expected: Annotated[int, option(WatchConfig, "expected", "--expected")] = default(
        WatchConfig, "expected"
    ),
    idle: Annotated[float, option(WatchConfig, "idle", "--idle")] = default(WatchConfig, "idle"),
    every: Annotated[float, option(WatchConfig, "every", "--every")] = default(
        WatchConfig, "every"
    ),
    stop_at_alert: Annotated[
        bool, option(WatchConfig, "stop_at_alert", "--stop-at-alert")
    ] = default(WatchConfig, "stop_at_alert"),
    device: DeviceOption = "auto",
    seed: SeedOption = default(WatchConfig, "seed"),
    as_json: JsonOption = False,
) -> None:
    """Compare every new checkpoint in a folder with the one before, and raise alerts.

    It waits for checkpoints that are still being written.
    """
    settings["traits"] = tuple(settings["traits"] or ())
    config = WatchConfig(
        project=str(project), name=name, folder=str(folder), base=base, calibration=calibration,
        expected=expected, idle=idle, every=every, stop_at_alert=stop_at_alert, device=device,
        seed=seed, monitors=tuple(monitor or ()), **settings,
    )  # fmt: skip
    run_job_command(
        config,
        change_text.watch_text,
        as_json=as_json,
        create_project=True,
        status_of=lambda result: EXIT_ALERT if result.alerts else 0,
    )
