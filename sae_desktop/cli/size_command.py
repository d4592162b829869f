"""The command `size`: what harvest, training and index will take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sae_desktop.cli import render
from sae_desktop.cli.config_options import Choice, Settings, with_options
from sae_desktop.cli.options import JsonOption
from sae_desktop.cli.runner import run_job_command
from sae_desktop.described import settings as settings_of
from sae_desktop.sizing.config import MeasureMachineConfig, Rates, SizeConfig, SizeResult
from sae_desktop.words import sizing_text

_CHOICES = tuple(Choice(field) for field in settings_of(SizeConfig))


@with_options(SizeConfig, _CHOICES)
def size(
    settings: Settings,
    measure: Annotated[
        bool,
        typer.Option(
            "--measure",
            help="Only measure this machine, in about ten seconds; the figures are kept and used "
            "from then on. Best when it is quiet.",
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Say how much memory, disk, time and how many cards harvest, training and index take.

    Nothing is started. The machine is this one, or a card by its maker's figures. Exit status 1 if
    something does not fit.
    """
    if measure:
        run_job_command(MeasureMachineConfig(), _rates_text, as_json=as_json)
    else:
        config = SizeConfig(folder=str(Path.cwd()), **settings)
        run_job_command(config, _size_text, as_json=as_json, failed=lambda result: not result.fits)


def _rates_text(rates: Rates) -> str:
    rows = sizing_text.rates_rows(rates)
    table = render.table(("measured", "", "what it decides"), rows, left={0, 2})
    busy = f"Other programs took {rates.busy:.0%} of the processors just before."
    return f"{rates.name}, {rates.date}\n{table}\n{busy}"


def _size_text(result: SizeResult) -> str:
    rows = [(sizing_text.TITLES[stage.stage], *sizing_text.cells(stage)) for stage in result.stages]
    lines = [sizing_text.heading(result), ""]
    lines += [render.table(("", *sizing_text.COLUMNS), rows, left={0}), ""]
    for stage in result.stages:
        reasons = sizing_text.why_texts(stage)
        for name, why in zip(sizing_text.COLUMNS, reasons, strict=True):
            lines.append(f"{sizing_text.TITLES[stage.stage]}, {name.lower()}: {why}")
    lines += ["", sizing_text.basis_text(result)]
    if not result.measured:
        lines.append("To measure this machine: sae-desktop size --measure")
    lines += result.notes
    lines += filter(None, map(sizing_text.verdict, result.stages))
    return "\n".join(lines)
